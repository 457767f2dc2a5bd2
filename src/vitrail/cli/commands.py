"""One task as one command: its fields become options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vitrail.cli.execution import AS_OPTION, execute
from vitrail.cli.task_command import TaskCommand
from vitrail.settings import METHOD, OUTPUT, PANELS, RUNNING, option_name
from vitrail.task import Task


def command_for(name: str, task: type[Task]) -> Any:
    """The command that builds `task` from its options and runs it."""

    def run(**values: Any) -> None:
        execute(name, task, values)

    def order(field: tuple[str, FieldInfo]) -> tuple[bool, int, bool]:
        """Arguments as they are declared, since they are told apart by their place; options by panel."""
        name, info = field
        option = not _is_positional(info)
        return option, PANELS.index(_panel(info)) if option else 0, name in task.help_last

    fields = sorted(task.model_fields.items(), key=order)
    parameters = [parameter for field, info in fields for parameter in _parameters(field, info)]
    run.__signature__ = Signature(parameters + _face_parameters(task))  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    needs_arguments = any(info.is_required() for info in task.model_fields.values())
    app.command(name, cls=TaskCommand, help=_help(task), no_args_is_help=needs_arguments)(run)
    return typer.main.get_command(app)


def _parameters(field: str, info: FieldInfo) -> Iterator[Parameter]:
    """Of an argument that has an option's name, too, both."""
    if not _is_positional(info):
        yield _option(field, info)
        return
    yield _argument(field, info)
    if isinstance(info.json_schema_extra, Mapping) and info.json_schema_extra["flag"]:
        yield _option(field, info).replace(name=field + AS_OPTION)


def _option(field: str, info: FieldInfo) -> Parameter:
    # The default is text: the option's own is None, so that a value that is given can be told from one that is not.
    text = f"{info.description}{_choices(info)}{_default(info.get_default())}"
    several = isinstance(info.json_schema_extra, Mapping) and info.json_schema_extra["repeated"]
    read = any(isinstance(each, BeforeValidator) for each in info.metadata)  # by the setting itself: 8/255
    kind = list[str] if several else str if read else _kind(info.annotation)
    choices = _literal(info)
    option = typer.Option(
        *_flags(field, info),
        help=text,
        metavar="<name>" if choices else "<path>" if kind is Path else None,
        parser=_path if kind is Path else None,
        autocompletion=(lambda: list(choices)) if choices else None,
        show_default=False,
        rich_help_panel=_panel(info),
    )
    return Parameter(field, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


def _is_positional(info: FieldInfo) -> bool:
    return isinstance(info.json_schema_extra, Mapping) and bool(info.json_schema_extra["positional"])


def _argument(field: str, info: FieldInfo) -> Parameter:
    several = get_origin(info.annotation) is tuple
    inner = get_args(info.annotation)[0] if several else _kind(info.annotation)
    kind = list[inner] if several else inner  # type: ignore[valid-type]
    argument = typer.Argument(
        metavar=f"{field.upper()}{'...' if several else ''}",
        parser=_path if inner is Path else None,
        help=info.description,
    )
    default = Parameter.empty if info.is_required() else None
    return Parameter(field, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, argument])


def _kind(annotation: Any) -> Any:
    """The type that the command line reads; pydantic turns it into the field's own."""
    if annotation in (bool, int, float, Path):
        return annotation
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if type(None) in get_args(annotation) and len(inner) == 1:
        return _kind(inner[0])
    return str


def _path(text: str | Path) -> Path:
    """A path; an empty one, as a shell makes of an unset variable, would be the working directory."""
    if not str(text).strip():
        raise typer.BadParameter("the path is empty. Use a path; '.' is this folder.")
    return Path(text)


def _flags(field: str, info: FieldInfo) -> tuple[str, ...]:
    flag = option_name(field, info)
    return (f"{flag}/--no-{flag[2:]}",) if _kind(info.annotation) is bool else (flag,)


def _panel(info: FieldInfo) -> str:
    """The heading under which `--help` lists the option."""
    return str(info.json_schema_extra["panel"]) if isinstance(info.json_schema_extra, Mapping) else METHOD


def _literal(info: FieldInfo) -> tuple[Any, ...]:
    """The values that a setting of fixed choices takes."""
    kinds = (info.annotation, *get_args(info.annotation))
    return next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())


def _choices(info: FieldInfo) -> str:
    """The choices, unless the help text names them all: beside the option they would leave the text no room."""
    choices = [str(choice) for choice in _literal(info)]
    named = all(choice in (info.description or "") for choice in choices)
    return "" if named else f": {', '.join(choices)}"


def _default(value: Any) -> str:
    """The default as the end of a help text."""
    if value is None or value is PydanticUndefined or value == ():
        return ""
    if isinstance(value, bool):
        return f"; default: {'yes' if value else 'no'}"
    if isinstance(value, Path) and value.is_relative_to(Path.home()):
        value = Path("~") / value.relative_to(Path.home())
    values = value if isinstance(value, tuple) else (value,)
    return f"; default: {','.join(f'{each:.3g}' if isinstance(each, float) else str(each) for each in values)}"


def _face_parameters(task: type[Task]) -> list[Parameter]:
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
        for name, kind, default, option in _face_options(task)
    ]


def _face_options(task: type[Task]) -> Iterator[tuple[str, Any, Any, Any]]:
    yield (
        "config",
        Path | None,
        None,
        typer.Option(
            "--config",
            help="YAML file of settings; options given here win",
            parser=_path,
            metavar="<path>",
            rich_help_panel=RUNNING,
        ),
    )
    yield (
        "json",
        bool,
        False,
        typer.Option("--json", help="Print the result as one JSON document on stdout", rich_help_panel=OUTPUT),
    )
    if task.records:
        yield (
            "run",
            Path | None,
            None,
            typer.Option(
                "--run",
                help="Folder of this run",
                parser=_path,
                metavar="<path>",
                show_default=False,
                rich_help_panel=OUTPUT,
            ),
        )
        yield (
            "runs",
            Path,
            Path("runs"),
            typer.Option(
                "--runs",
                help="Folder in which run folders are made; default: runs",
                parser=_path,
                metavar="<path>",
                show_default=False,
                rich_help_panel=OUTPUT,
            ),
        )


def _help(task: type[Task]) -> str:
    return (task.__doc__ or "").strip()
