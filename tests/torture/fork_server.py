"""A process that has imported everything, and forks a child for each command line it is told of: lines of JSON.

Importing torch takes seconds, and a campaign makes hundreds of processes. Nothing here may compute anything: threads do
not survive a fork.
"""

from __future__ import annotations

import json
import mmap
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import faults
import tiny_chapter
import torch

import vitrail
from vitrail.process import settle_in

CHUNK = 8  # pictures that are kept together: a run of 36 has something to lose, and something that stays

LEFT_OUT = {"vitrail.__main__", "vitrail.backbones.torchvision_models", "vitrail.transfer.estimators"}
LATE = ("matplotlib.figure",)  # what tasks import when they need it


def main() -> None:
    settle_in()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    torch.set_num_threads(1)
    import_everything()
    make_small()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(done(json.loads(line))), flush=True)
    os._exit(0)  # at once: there is nothing to clear up


def import_everything() -> None:
    for module in pkgutil.walk_packages(vitrail.__path__, "vitrail."):
        if module.name not in LEFT_OUT and not module.name.startswith("vitrail.studio."):
            import_module(module.name)
    for name in LATE:
        import_module(name)


def make_small() -> None:
    from vitrail.tasks import reproduce_run
    from vitrail.transfer import features

    features.CHUNK = CHUNK
    reproduce_run.CHAPTERS["tp7"] = tiny_chapter.chapter


def done(trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Runs all at the same time; those with `kill_after` are killed so many seconds after their start."""
    counts = [mmap.mmap(-1, 16) for _ in trials]
    began = time.monotonic()
    running = {begin(trial, memoryview(count).cast("q")): number for number, (trial, count) in enumerate(zip(trials, counts, strict=True))}
    doomed = sorted((trials[number]["kill_after"], pid) for pid, number in running.items() if "kill_after" in trials[number])
    ended: dict[int, dict[str, Any]] = {}
    while running:
        while (now := time.monotonic() - began) >= (doomed[0][0] if doomed else float("inf")):
            _, pid = doomed.pop(0)
            if pid in running:
                os.kill(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, doomed[0][0] - now if doomed else 3600)
        while running and (over := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = over
            number = running.pop(pid)
            seconds = time.monotonic() - began
            ended[number] = {"code": os.waitstatus_to_exitcode(status), "seconds": seconds}
    shared = [memoryview(count).cast("q").tolist() for count in counts]
    return [{**ended[number], "writes": writes, "reads": reads} for number, (writes, reads) in enumerate(shared)]


def begin(trial: Mapping[str, Any], counts: memoryview) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.setsid()
        log = os.open(trial["log"], os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(log, stream)
        faults.play(trial.get("fault", {}), Path(trial["home"]), counts)
        code = commanded(trial["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def commanded(arguments: Sequence[str]) -> int:
    """The exit code of `vitrail ARGUMENTS`."""
    from vitrail.cli.app import app

    try:
        app(list(arguments), prog_name="vitrail")
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 70
    return 0


if __name__ == "__main__":
    main()
