"""What SECURITY.md says is so: its tests exist, its bounds are the package's, and the code keeps its promises."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "vitrail").rglob("*.py"))
PAGE = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def name_of(node: ast.AST) -> str:
    """`torch.load` for the attribute of that name."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in the package: file, call, and what is called."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(ROOT / "src" / "vitrail").as_posix(), node, name_of(node.func)


def imported() -> Iterator[tuple[str, str]]:
    """Every import in the package: file, module."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from ((path.relative_to(ROOT / "src" / "vitrail").as_posix(), module) for module in modules)


def keyword(call: ast.Call, name: str) -> object:
    return next((ast.literal_eval(each.value) for each in call.keywords if each.arg == name), None)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_is_named_exists(file, test):
    assert f"def {test}(" in (ROOT / file).read_text()


def test_every_defence_but_one_has_a_test():
    rows = PAGE.partition("| threat | defence | test |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 20
    assert [row for row in rows if "::" not in row] == [row for row in rows if "torchrun" in row]


def test_files_that_are_named_exist():
    for file in re.findall(r"`([\w/]+\.(?:py|html))`", PAGE):
        assert (ROOT / "src" / "vitrail" / file).exists(), file


def test_the_bounds_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {*project["dependencies"], *sum(project["optional-dependencies"].values(), [])}
    table = PAGE.partition("| bound | why |")[2].partition("\n\n")[0]
    stated = [bound for line in table.splitlines()[2:] for bound in re.findall(r"`([^`]+)`", line.split("|")[1])]
    assert len(stated) == 6
    assert set(stated) <= asked


def test_nothing_is_unpickled_but_in_one_place():
    assert not {"joblib", "dill", "shelve", "cloudpickle", "marshal"} & {module for _, module in imported()}
    opening = ("pickle.load", "pickle.loads", "pickle.Unpickler")
    trees = ((path.name, ast.walk(ast.parse(path.read_text()))) for path in SOURCES)
    assert {name for name, nodes in trees if any(name_of(node) in opening for node in nodes)} == {"weights.py"}
    loads = [(file, call) for file, call, name in calls() if name == "torch.load"]
    assert {file for file, _ in loads} == {"backbones/weights.py", "metrics/inception.py"}
    assert all(keyword(call, "weights_only") is True for _, call in loads)
    for file, call, name in calls():
        if name in ("np.load", "numpy.load"):
            assert keyword(call, "allow_pickle") is not True, file


def test_nothing_that_is_read_is_run():
    for file, call, name in calls():
        assert name not in ("eval", "exec", "os.system", "yaml.unsafe_load", "yaml.full_load"), file
        assert keyword(call, "shell") is not True if name.startswith("subprocess.") else True, file
        if name == "yaml.load":
            assert (file, name_of(call.args[1])) == ("settings.py", "_PlainLoader")


def test_few_files_can_reach_beyond_this_machine():
    reach = ("urllib.request", "http.client", "requests", "httpx", "aiohttp", "ftplib", "socket", "torch.hub")
    found = {file for file, module in imported() if module in reach}
    assert found == {"backbones/sources.py", "studio/serve.py"}  # a download by name; a socket on 127.0.0.1


@pytest.mark.slow
def test_a_ray_of_ours_has_no_dashboard():
    starts = [(file, call) for file, call, name in calls() if name == "ray.init"]
    assert {file for file, _ in starts} == {"sharding/ray_engine.py"}
    for _, call in starts:
        connects = any(each.arg == "address" for each in call.keywords) or bool(call.args)
        assert connects or keyword(call, "include_dashboard") is False
    assert 'os.environ["RAY_USAGE_STATS_ENABLED"] = "0"' in (ROOT / "src/vitrail/sharding/ray_engine.py").read_text()
