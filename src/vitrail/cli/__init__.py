"""The command line: every task becomes a command, every setting an option."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """The entry point of the `vitrail` command."""
    try:  # Ctrl-C while modules are being imported is no traceback either
        from vitrail.process import configure_process

        configure_process()
        from vitrail.cli.app import app

        app(prog_name="vitrail")
    except KeyboardInterrupt:
        print("Error: Stopped.", file=sys.stderr)
        os._exit(130)  # as `interrupts.INTERRUPTED`, whose import may be what was interrupted; no second traceback
