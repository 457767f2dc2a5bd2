"""The house, as tests: imports point down, files form no circle, commands are leaves, rooms say what they offer.

Each test lists every offender at once. Imports under `TYPE_CHECKING` and inside functions count like all others.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from vitrail.tasks import TASKS

PACKAGE = Path(__file__).parents[1] / "src" / "vitrail"
STOREYS = (
    {
        *(
            "version",
            "errors",
            "validation",
            "registry",
            "events",
            "settings",
            "task",
            "run_writer",
            "runs",
            "reading",
            "files",
            "reading",
            "tensors",
            "images",
        ),
        *("image_files", "image_formats", "image_headers", "image_contents", "jpeg2000", "pnm", "tiff_layouts"),
        *("decoding", "devices", "process", "process_group", "distributed", "interrupts", "tables"),
        *("folder_walk", "tars", "idx", "path_list", "class_names", "preprocessing", "formatting", "model_card"),
        *("unique_names", "result_differences"),
    },
    {"datasets", "backbones", "plots"},
    {"image_ascent", "gan_training", "linear_svm", "sharding", "metrics"},
    {"transfer", "attributions", "attacks", "visualisation", "gan_architectures"},
    {"gan", "audit", "dataset_check"},
    {"report"},
    {"tasks"},
    {"run_task"},
    {"reproduction"},
    {"studio"},
    {"cli"},
)
GROUND = STOREYS[0]
LEVEL = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}

FACES = {"tasks", "cli", "studio", "reproduction", "run_task"}
KEEPERS_OF_TASKS = {"task.py", "run_writer.py"}
"""The base class, and `record`, which writes down what a task was told and what it yields."""

OLD_WORDS = (
    "picture|slope|hunt|fool|player|judge_of|company|told|quick|sharpness|odds|deep_fool|lookup_of|"
    "kept|shown|made|said|heard|taught|floor"
)
"""Words of the first edition that are no longer part of a name, nor of a help text."""


def report(offenders: Collection[str]) -> None:
    """Fails with a line for each."""
    assert not offenders, "\n" + "\n".join(sorted(offenders))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def files() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


def shown(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(path: Path) -> frozenset[Path]:
    """The files of the package that a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{shown(path)} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(target for name in names if (target := resolved(name)) is not None) - {path}


def resolved(name: str) -> Path | None:
    """`vitrail.attacks.pgd.pgd` as attacks/pgd.py; `vitrail.attacks.ATTACKS` as attacks/__init__.py."""
    parts = name.split(".")
    if parts[0] != "vitrail":
        return None
    place = PACKAGE
    for part in parts[1:]:
        if (place / f"{part}.py").is_file():
            return place / f"{part}.py"
        if not (place / part / "__init__.py").is_file():
            break
        place /= part
    return place / "__init__.py"


def test_imports_point_down():
    assert set(map(room_of, files())) - {"__init__", "__main__"} <= LEVEL.keys(), "a room without a storey"
    upward = [
        f"{shown(path)} imports {shown(target)}"
        for path in files()
        if room_of(path) not in ("__init__", "__main__")
        for target in imported(path)
        if room_of(target) not in (room_of(path), "__init__")
        and LEVEL[room_of(target)] >= LEVEL[room_of(path)]
        and not {room_of(path), room_of(target)} <= GROUND
    ]
    report(upward)


def on_circles(arrows: dict[str, set[str]]) -> list[str]:
    """The nodes on circles, or between two of them: what has no arrow in, or none out, is taken away until none has."""
    left = {node: targets & arrows.keys() for node, targets in arrows.items()}
    while True:
        targets = set().union(*left.values()) if left else set()
        ends = {node for node in left if not left[node] or node not in targets}
        if not ends:
            return sorted(left)
        left = {node: aims - ends for node, aims in left.items() if node not in ends}


def test_no_files_form_a_circle():
    report(on_circles({shown(path): {shown(target) for target in imported(path)} for path in files()}))


def test_a_circle_is_found():
    assert on_circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == ["a", "b", "c"]
    assert on_circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_no_function_below_the_faces_takes_a_task():
    tasks = {
        node.name for path in (PACKAGE / "tasks").glob("*.py") for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) in ("Task", "Sharded") for base in node.bases)
    } | {"Task", "Sharded"}  # fmt: skip
    takers = [
        f"{shown(path)}: {function.name}({argument.arg}: {ast.unparse(argument.annotation)})"
        for path in files()
        if room_of(path) not in FACES and shown(path) not in KEEPERS_OF_TASKS
        for function in functions(path)
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.annotation is not None and tasks & set(re.findall(r"\w+", ast.unparse(argument.annotation)))
    ]
    report(takers)


def test_every_room_says_what_it_offers():
    rooms = [path for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))]
    silent = [room.name for room in rooms if not (room / "__init__.py").is_file()]
    for room in rooms:
        if room.name in silent:
            continue
        source = tree_of(room / "__init__.py")
        if not ast.get_docstring(source):
            silent.append(room.name)
    report(silent)


PUBLIC = (
    "",
    "attacks",
    "attributions",
    "audit",
    "dataset_check",
    "gan",
    "gan_training",
    "linear_svm",
    "metrics",
    "transfer",
    "visualisation",
)


def test_public_names_are_sorted_complete_and_there():
    wrong = []
    for room in PUBLIC:
        module = import_module(f"vitrail.{room}".rstrip("."))
        names = list(getattr(module, "__all__", ()))
        if not names or names != sorted(names):
            wrong.append(f"{module.__name__}.__all__ is missing or not sorted: {names}")
        wrong += [f"{module.__name__}.{name} is not there" for name in names if not hasattr(module, name)]
        homes = getattr(module, "_homes", {})
        wrong += [f"{module.__name__}.{name} is not in __all__" for name in homes if name not in names]
    report(wrong)


def names_defined(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def words_of(name: str) -> set[str]:
    return set(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))


def test_names_are_free_of_the_old_words():
    old = re.compile(OLD_WORDS)
    found = {
        f"{shown(path)}: {name}"
        for path in files()
        for name in (path.stem, *names_defined(path))
        if any(old.fullmatch(word.lower()) for word in words_of(name))
    }
    report(found)


OLD_PROSE = re.compile(
    r"\b(pictures?|slopes?|fool(ed|ing|s)?|players?|the game|told|floor|somebody|nobody|whoever|odds)\b"
    r"|to the bit|would work| as \w+=\d|gone on with",
    re.IGNORECASE,
)


def messages(path: Path) -> Iterator[str]:
    """All text that is no docstring: help, messages, captions."""
    tree = tree_of(path)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


def test_what_people_read_is_free_of_the_old_words():
    texts = [(path, text) for path in files() for text in messages(path)]
    texts += [(PACKAGE / "tasks", TASKS[name].__doc__ or "") for name in TASKS]
    report([f"{shown(path)}: {text!r}" for path, text in texts if OLD_PROSE.search(text)])


def test_tasks_are_declarations_and_reports():
    """A ceiling, so that work does not gather there again."""
    lines = {path.name: path.read_text().count("\n") for path in (PACKAGE / "tasks").glob("*.py")}
    assert len(lines) <= 39, sorted(lines)
    assert sum(lines.values()) <= 4_300


def test_files_of_tests_have_names_of_their_own():
    """Two of one name are one module to pytest, which then runs neither of them."""
    paths = sorted(Path(__file__).parent.rglob("*.py"))
    names = Counter(path.name for path in paths)
    report([str(path) for path in paths if names[path.name] > 1 and path.name != "conftest.py"])


ENTRY = re.compile(r"^    ([A-Za-z_*][\w*, ]*):", re.MULTILINE)


def names_described(document: str, section: str) -> Iterator[str]:
    """The names that a section of a docstring gives: `a, b: what they are` gives a and b."""
    found = re.search(rf"^{section}:\n((?:    .*\n|\n)+)", document + "\n", re.MULTILINE)
    for names in ENTRY.findall(found.group(1)) if found else ():
        yield from (name.strip().lstrip("*") for name in names.split(","))


def arguments_of(function: ast.FunctionDef) -> set[str]:
    given = function.args
    all_of_them = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {argument.arg for argument in all_of_them if argument is not None}


def names_inside(node: ast.ClassDef | ast.FunctionDef) -> set[str]:
    """Arguments; of a class also those of its methods, its fields, methods and attributes."""
    found = {name for each in ast.walk(node) if isinstance(each, ast.FunctionDef) for name in arguments_of(each)}
    if isinstance(node, ast.ClassDef):
        found |= {each.name for each in ast.walk(node) if isinstance(each, ast.FunctionDef)}
        found |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        found |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return found


def test_docstrings_describe_names_that_exist():
    report(
        [
            f"{shown(path)}: {node.name} describes {name!r}"
            for path in files()
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
            for section in ("Args", "Attributes")
            for name in names_described(ast.get_docstring(node) or "", section)
            if name not in names_inside(node)
        ]
    )


def test_a_stale_name_in_a_docstring_is_found():
    (stale,) = ast.parse('def f(new):\n    """Does.\n\n    Args:\n        old, new: what is given.\n    """').body
    assert isinstance(stale, ast.FunctionDef)
    assert set(names_described(ast.get_docstring(stale) or "", "Args")) - names_inside(stale) == {"old"}
