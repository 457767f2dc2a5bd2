"""One task as one command: its fields become options, its events are printed, its errors become one line."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vitrail.cli.task_command import TaskCommand
from vitrail.errors import BadSetting, UnknownName, VitrailError
from vitrail.interrupts import INTERRUPTED, stop_code
from vitrail.process_group import ProcessGroup
from vitrail.settings import METHOD, OUTPUT, PANELS, RUNNING, option_name, shortened
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.cli.printer import Printer


FAILED, WRONG_OPTION = 1, 2
"""Exit codes, beside that of an interrupt."""

AS_OPTION = "_as_option"
"""End of the parameter's name where an argument is given by an option."""


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


def execute(name: str, task: type[Task], values: dict[str, Any]) -> None:
    """Runs one task for the command line; ends the process with the right exit code on an error.

    Of several processes that torchrun started, the first one keeps and prints, and the others work in silence.
    """
    from vitrail.cli.printer import Printer
    from vitrail.cli.progress import SHORTENING
    from vitrail.run_writer import new_folder, record

    config, as_json = values.pop("config", None), values.pop("json")
    folder, root = (values.pop("run"), values.pop("runs")) if task.records else (None, None)
    printer, group = Printer(as_json, SHORTENING.get(name, ())), ProcessGroup(os.environ)
    chosen: Task | None = None
    try:
        if group.ranks > 1 and not task.supports_torchrun:
            raise BadSetting(_alone(name, group.ranks))
        given = _given(values)
        with group.join():
            chosen = task.from_file(config, given) if config else task(**given)
            is_ours = folder is None and chosen.resume_folder is None
            folder = _resumed_folder(chosen, folder) or folder or (new_folder(root, name) if root else None)
            group.wait()  # all have read the folder that is resumed; the first one now changes it
            if group.rank == 0:
                printer.show(record(chosen, name, folder, is_ours=is_ours) if folder else chosen.run())
                if printer.fault is not None:
                    raise printer.fault
            else:
                deque(chosen.run(), maxlen=0)
    except VitrailError as error:
        wrong_option = chosen is None and isinstance(error, BadSetting | UnknownName)
        _fail(printer if group.reports_errors else None, str(error), WRONG_OPTION if wrong_option else FAILED)
    except KeyboardInterrupt:
        _fail(printer if group.reports_errors else None, _stopped(folder), stop_code() or INTERRUPTED)
    except BrokenPipeError:  # the reader has seen enough, as in `vitrail models | head`; the work was finished
        _write_no_more()
        raise typer.Exit(0) from None
    except OSError as error:  # of the system: a name that is too long, a full disk that takes no more of our output
        nameless = "the working directory" if error.errno == errno.ENOENT else "the output"
        about = nameless if error.filename is None else shortened(error.filename)
        print(f"Error: {error.strerror}: {about}.", file=sys.stderr)
        _write_no_more()
        raise typer.Exit(FAILED) from None
    if code := stop_code():  # what was finished by then is kept, and a scheduler must not take it for all
        raise typer.Exit(code)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, by field; an argument may have been given as an option, but not as both."""
    given = {name: value for name, value in values.items() if value not in (None, [])}
    for name in [name for name in given if name.endswith(AS_OPTION)]:
        field = name.removesuffix(AS_OPTION)
        if field in given:
            raise BadSetting(f"{field.upper()} is given twice: {given[field]!r} and {given[name]!r}. Use it once.")
        given[field] = given.pop(name)
    return given


def _write_no_more() -> None:
    """What is left in Python's buffer would fail once more at the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _fail(printer: Printer | None, sentence: str, code: int) -> None:
    """Ends the process; without a printer, another one says why."""
    if printer is not None:
        printer.error(sentence)
        if printer.fault is not None:  # the terminal is gone
            _write_no_more()
    raise typer.Exit(code)


def _alone(name: str, ranks: int) -> str:
    command = name.replace("gan-", "gan ")
    return f"`vitrail {command}` is the work of one process; torchrun started {ranks}; start it without torchrun."


def _resumed_folder(task: Task, folder: Path | None) -> Path | None:
    if folder is not None and task.resume_folder is not None:
        raise BadSetting(f"A resumed run goes on in its own folder, {str(task.resume_folder)!r}. Leave out --run.")
    return task.resume_folder


def _stopped(folder: Path | None) -> str:
    if folder is None or not folder.exists():
        return "Stopped."
    if any((folder / "checkpoints").glob("*.safetensors")):
        return f"Stopped. Use `vitrail gan train --resume {shlex.quote(str(folder))}` to go on."
    return f"Stopped. What was finished is in {folder}; features already computed are in the cache."


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
    kind, choices = list[str] if several else _kind(info.annotation), _literal(info)
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
