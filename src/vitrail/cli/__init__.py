"""The command line: every task becomes a command, every setting an option."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """The entry point of the `vitrail` command."""
    try:  # Ctrl-C while modules are being imported is no traceback either
        from vitrail.interrupts import stop_code, stop_on_signals
        from vitrail.process import configure_process

        stop_on_signals()
        configure_process()
        from vitrail.cli.app import app
        from vitrail.cli.text import write_what_there_is

        write_what_there_is()  # of --help too

        try:
            app(prog_name="vitrail")
        except SystemExit:  # typer takes a KeyboardInterrupt outside of a task for Ctrl-C
            if (code := stop_code()) is not None:
                raise SystemExit(code) from None
            raise
    except KeyboardInterrupt:
        print("Error: Stopped.", file=sys.stderr)
        received = getattr(sys.modules.get("vitrail.interrupts"), "stop_code", lambda: None)()
        os._exit(received or 130)  # `interrupts`, whose import may be what was interrupted, knows; no second traceback
