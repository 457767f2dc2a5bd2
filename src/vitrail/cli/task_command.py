"""A task's command as typer has it: its help, and what must be given."""

from __future__ import annotations

from typing import Any, Literal, cast, get_args, get_origin

from typer.core import TyperArgument, TyperCommand


class TaskCommand(TyperCommand):
    """A command whose help leaves the text the room: of a flag, only the form that changes the default."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base class; a settings file may give what the command line must otherwise."""
        if any(arg.partition("=")[0] == "--config" for arg in args):
            for param in self.params:
                param.required = False
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As the base class, with short names of types, since help texts name the choices."""
        for param in cast("list[Any]", self.params):
            if isinstance(param, TyperArgument):
                kind = _type_name(cast(Any, param.type_descriptor).annotation)
                param.display_type_rich = lambda ctx, kind=kind: kind  # type: ignore[method-assign, misc]
            elif param.is_flag:
                param.metavar = ""
                text, _, default = (param.help or "").rpartition("; default: ")
                if default == "yes":
                    param.opts, param.help = param.secondary_opts, f"Turn off: {text}"
                elif default == "no":
                    param.help = text
                param.secondary_opts = []
        super().format_help(ctx, formatter)


def _type_name(annotation: Any) -> str:
    kind = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    return "<name>" if get_origin(kind) is Literal else f"<{kind.__name__.lower()}>"
