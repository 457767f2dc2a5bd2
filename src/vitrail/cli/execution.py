"""A task run for the command line: its events are printed, its errors become one line and an exit code."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vitrail.errors import BadSetting, UnknownName, VitrailError
from vitrail.interrupts import INTERRUPTED, stop_code
from vitrail.process_group import ProcessGroup
from vitrail.settings import shortened
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.cli.printer import Printer

FAILED, WRONG_OPTION = 1, 2
"""Exit codes, beside that of an interrupt."""

AS_OPTION = "_as_option"
"""End of the parameter's name where an argument is given by an option."""


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
    return f"Stopped. What was finished is in {folder}; features already computed are in the cache, if there is one."
