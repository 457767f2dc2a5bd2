"""The command line: every task becomes a command, every setting an option."""

from vitrail.cli.app import main

__all__ = ["main"]
