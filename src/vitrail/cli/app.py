"""The `vitrail` command: a group that builds each task's command when it is first asked for."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vitrail.cli.commands import command_for
from vitrail.tasks import TASKS
from vitrail.version import __version__


class TaskGroup(TyperGroup):
    """Lists and finds commands in the table of tasks."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all tasks, in the order of their table."""
        return list(TASKS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one task; None lets the group say which names are near."""
        return command_for(cmd_name, TASKS[cmd_name]) if cmd_name in TASKS else None


app = typer.Typer(cls=TaskGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vitrail {__version__}")
        raise typer.Exit


@app.callback(help="A classifier from a folder of pictures, a look inside it, and figures that can be believed.")
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The options that belong to no task."""
