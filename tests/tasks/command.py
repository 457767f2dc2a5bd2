"""The command line, as tests call it."""

from click.testing import Result
from typer.testing import CliRunner

from vitrail.cli.app import app


def run(*arguments: object) -> Result:
    """What `vitrail ARGUMENTS` does."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
