"""Calls every handler of the page with paths in the place of every input, and prints what they opened.

A program of its own: `python every_handler.py RUNS ROOT SECRET` prints one JSON object. SECRET is a folder that the
page may not read; whatever opens a file in it, or a connection, is caught by an audit hook.
"""

import inspect
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitrail.errors import BadSetting
from vitrail.studio.jobs import Jobs
from vitrail.studio.serve import application

OPENING = {"open", "os.listdir", "os.scandir", "os.open"}
CONNECTING = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}


def main(runs: Path, root: Path, secret: Path) -> None:
    opened: list[str] = []
    submitted: list[Any] = []
    faults: list[str] = []
    calls: Counter[str] = Counter()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CONNECTING or (event in OPENING and str(secret) in str(arguments[0])):
            opened.append(f"{event} {arguments}")

    def submit(self: Jobs, steps: list[Any]) -> None:
        submitted.extend(steps)
        for step in steps:
            step.folder.rmdir()
        raise BadSetting("Nothing is run here.")

    Jobs.submit = submit  # type: ignore[method-assign,assignment]
    guard, context = application(runs, (root,))
    (root / "way_out").symlink_to(secret)
    values = paths(runs, root, secret)
    warnings.simplefilter("ignore")  # of a dropdown whose value is not in its list
    sys.addaudithook(watch)
    for endpoint in endpoints(guard):
        for place in range(len(endpoint.inputs)):
            for value in values:
                for given in (value, [value]):
                    fault = call(endpoint, place, given)
                    calls["refused by the framework" if fault is None else "made"] += 1
                    faults += [fault] if fault else []
    context.jobs.close()
    told = {"calls": calls["made"], "opened": opened, "submitted": len(submitted), "faults": faults}
    print(json.dumps(told))


def paths(runs: Path, root: Path, secret: Path) -> list[str]:
    """What somebody could write where a name is asked for."""
    return [
        *(str(secret / name) for name in ("image.png", "secret.json", "pipe", "run")),
        *(
            str(secret),
            f"{root}/../{secret.name}/image.png",
            str(root / "way_out"),
            str(root / "way_out" / "image.png"),
        ),
        *(f"file://{secret}/image.png", "http://127.0.0.1:1/x.png", "https://name.invalid/x.png", "//name.invalid/x"),
        *("/dev/zero", "/proc/self/mem", "~root", "a\0b", "x" * 5000, "../" * 40 + "etc/passwd", str(runs / "none")),
    ]


def endpoints(guard: Any) -> Iterator[Any]:
    """Those with a function of ours; `apply` is gradio's, around the form of `gan edit` (see test_handlers)."""
    mounted = next(route.app for route in guard._app.routes if getattr(route, "path", "") == f"/{guard.key}")
    for endpoint in mounted.blocks.fns.values():
        if endpoint.fn is not None and not inspect.isasyncgenfunction(endpoint.fn) and endpoint.name != "apply":
            yield endpoint


def call(endpoint: Any, place: int, given: Any) -> str | None:
    """Calls a handler; what it did wrong, or nothing; None if the framework refuses the value."""
    defaults = [getattr(each, "value", None) for each in endpoint.inputs]
    try:
        prepared = endpoint.inputs[place].preprocess(given)
    except Exception:  # whatever it raises, the handler is not called
        return None
    try:
        answer = endpoint.fn(*defaults[:place], prepared, *defaults[place + 1 :])
        answer = list(answer) if inspect.isgenerator(answer) else answer
    except Exception as error:  # every kind counts
        return f"{endpoint.name} {place} {given}: {type(error).__name__}: {error}"[:300]
    return f"{endpoint.name} {place} {given}: {answer}"[:300] if "hidden" in str(answer) else ""


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
