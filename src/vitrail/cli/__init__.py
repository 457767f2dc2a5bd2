"""The command line: every task becomes a command, every setting an option."""

import os
import sys

from vitrail.interrupts import INTERRUPTED
from vitrail.process import configure_process

__all__ = ["main"]


def main() -> None:
    """The entry point of the `vitrail` command."""
    configure_process()
    try:
        from vitrail.cli.app import app

        app(prog_name="vitrail")
    except KeyboardInterrupt:
        print("Error: Stopped.", file=sys.stderr)
        os._exit(INTERRUPTED)  # no second traceback from what is still being imported
