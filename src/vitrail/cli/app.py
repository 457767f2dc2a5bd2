"""The `vitrail` command: a group that builds each task's command when it is first asked for."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from vitrail.tasks import FACES, TASKS
from vitrail.version import __version__

GROUPS = {"gan": "Train a GAN; sample, evaluate, interpolate, edit and export its generator."}
"""First words that several tasks share: `gan-train` is called `gan train`."""


class TaskGroup(TyperGroup):
    """Lists and finds commands in the table of tasks: those of one group, or all others and the groups."""

    group = ""
    _listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As the base class; no task is imported for its line."""
        self._listing = True
        super().format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands, in the order of the table of tasks."""
        if self.group:
            return [name.removeprefix(f"{self.group}-") for name in TASKS if name.startswith(f"{self.group}-")]
        return [*dict.fromkeys(_group_of(name) or name for name in TASKS), *FACES]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does it, which takes the near names that it suggests from `commands`."""
        self.commands: dict[str, Any] = dict.fromkeys(self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one task; None lets the group say which names are near."""
        if not self.group and cmd_name in GROUPS:
            return _group(cmd_name)
        name = f"{self.group}-{cmd_name}" if self.group else cmd_name
        known = FACES if name in FACES else TASKS
        if name not in known:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=f"{known.describe(name)}.")
        from vitrail.cli.commands import command_for

        command = command_for(name, known[name])
        command.name = cmd_name
        return command


class GanGroup(TaskGroup):
    """The tasks of `vitrail gan`."""

    group = "gan"


def _group_of(task: str) -> str | None:
    return next((group for group in GROUPS if task.startswith(f"{group}-")), None)


def _group(name: str) -> Any:
    inner = typer.Typer(cls=GanGroup, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    inner.callback(help=GROUPS[name])(lambda: None)
    command = typer.main.get_command(inner)
    command.name = name
    return command


app = typer.Typer(cls=TaskGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vitrail {__version__}")
        raise typer.Exit


@app.callback(help="Train, explain, attack and audit image classifiers; train and evaluate GANs.")
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The options that belong to no task."""
