"""Calls with bad arguments, and what comes of each, as lines of JSON."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from vitrail.errors import VitrailError

Attempt = tuple[str, str, Callable[[], Any]]
"""What is called, what is wrong with it, and the call."""


def report(attempts: Iterable[Attempt]) -> None:
    """Makes each attempt, and prints the class of its error and its message; both are empty where there was none."""
    for door, wrong, call in attempts:
        kind, ours, message = "", False, ""
        try:
            call()
        except Exception as error:
            kind, message = type(error).__name__, str(error)
            ours = isinstance(error, VitrailError) or message.startswith("A backbone takes a tensor")
        print(json.dumps({"door": door, "wrong": wrong, "kind": kind, "ours": ours, "message": message}))
