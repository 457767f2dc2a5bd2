"""A page for each command, written from the task's own fields while the site is built, so that none goes stale."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

from vitrail.cli.app import FACES
from vitrail.cli.commands import AS_OPTION, command_for
from vitrail.task import Task
from vitrail.tasks import TASKS

COMMANDS: Mapping[str, type[Task]] = {name: table[name] for table in (TASKS, FACES) for name in table}
EXAMPLES = tomllib.loads((Path(__file__).parents[1] / "commands" / "examples.toml").read_text(encoding="utf-8"))
OPTION = re.compile(r"(?<![\w`-])--[\w-]+\w")  # in prose, where two hyphens would become a dash
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
KINDS: Mapping[Any, str] = {bool: "yes or no", int: "whole number", float: "number", Path: "path", str: "text"}


def command(name: str) -> str:
    """How the task `name` is called: `vitrail gan train` for `gan-train`."""
    return f"vitrail {name.replace('gan-', 'gan ', 1)}"


def page(name: str) -> str:
    """The page of the command of `name`, in Markdown."""
    task = COMMANDS[name]
    fields = [(option, option.name.removesuffix(AS_OPTION)) for option in command_for(name, task).params]
    rows = [_row(option, task.model_fields[field]) for option, field in fields if field in task.model_fields]
    return "\n".join(
        [f"# {command(name)}", "", *(task.__doc__ or "").splitlines(), "", *_example(name), *_table(task, rows)]
    )


def _example(name: str) -> Iterator[str]:
    example = EXAMPLES.get(name)
    if example:
        yield from ("```bash", *example["lines"], "```", "", example["about"], "")


def _table(task: type[Task], rows: list[str]) -> Iterator[str]:
    yield from ("## Settings", "", "| setting | what | kind | default | range |", "|---|---|---|---|---|", *rows, "")
    kept = "and `--run`, `--runs`, which say where the run folder is made; " if task.records else ""
    yield f"Also `--config FILE`, `--json` {kept}see [what all commands share](index.md).\n"


def _row(option: Any, info: FieldInfo) -> str:
    flags = [*option.opts, *option.secondary_opts] if option.param_type_name == "option" else [option.name.upper()]
    cells = (
        _codes(flags),
        OPTION.sub(r"`\g<0>`", option.help or ""),
        kind(info.annotation),
        default(info),
        limits(info),
    )
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def kind(annotation: Any) -> str:
    """What a setting takes, in words."""
    if get_origin(annotation) is Literal:
        return _codes(get_args(annotation))
    inner = [part for part in get_args(annotation) if part not in (NoneType, Ellipsis)]
    if get_origin(annotation) is tuple:
        return f"several: {kind(inner[0])}"
    return kind(inner[0]) if inner else KINDS[annotation]


def default(info: FieldInfo) -> str:
    """The value when nothing is said; folders below the user's home as everybody's."""
    if info.is_required():
        return "must be given"
    value = info.default
    if value is None or value == () or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(f"`{_said(part)}`" for part in value)
    return f"`{_said(value)}`"


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(str(Path.home()), "~")


def limits(info: FieldInfo) -> str:
    """The range of a number."""
    found = [(sign, getattr(each, key)) for each in info.metadata for key, sign in SIGNS.items() if hasattr(each, key)]
    return ", ".join(f"{sign}\N{NO-BREAK SPACE}{_short(value)}" for sign, value in found)


def _short(value: float) -> str:
    power = int(value).bit_length() - 1
    return f"2^{power}" if value >= 2**20 and value == 2**power else f"{value:,}"


def _codes(words: Any) -> str:
    return " ".join(f"`{word}`" for word in words)


def write_pages(app: Sphinx) -> None:
    """Writes all pages into `commands/`, where git ignores them; a page that has not changed stays as it is."""
    for name in COMMANDS:
        path, text = Path(app.srcdir) / "commands" / f"{name}.md", page(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
