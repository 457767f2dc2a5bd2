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
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import faults
import tiny_chapter
import torch

import vitrail
from vitrail.process import configure_process

HOUR = 3600.0  # seconds
CHUNK = 8  # images that are kept together: a run of 36 has something to lose, and something that stays

LEFT_OUT = {"vitrail.__main__", "vitrail.backbones.torchvision_models", "vitrail.transfer.estimators"}
LATE = ("matplotlib.figure",)  # what tasks import when they need it


def main() -> None:
    configure_process()
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
    from vitrail.reproduction import run as reproduction
    from vitrail.transfer import features

    features.CHUNK = CHUNK
    reproduction.CHAPTERS["transfer"] = tiny_chapter.chapter


def done(trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Runs all at the same time; those with `kill_after` are killed so many seconds after the start of all."""
    counts = [memoryview(mmap.mmap(-1, 16)).cast("q") for _ in trials]
    began = time.monotonic()
    pids = [begin(trial, count) for trial, count in zip(trials, counts, strict=True)]
    moments = {pid: trial["kill_after"] for pid, trial in zip(pids, trials, strict=True) if "kill_after" in trial}
    ended: dict[int, dict[str, Any]] = {}
    while len(ended) < len(pids):
        wait = min(moments.values(), default=HOUR) - (time.monotonic() - began)
        if wait > 0:
            signal.sigtimedwait({signal.SIGCHLD}, wait)
        ended |= reaped(began)
        for pid in [pid for pid, moment in moments.items() if moment <= time.monotonic() - began]:
            del moments[pid]
            if pid not in ended:
                os.kill(pid, signal.SIGKILL)
    shared = [{"writes": count[faults.WRITES], "reads": count[faults.READS]} for count in counts]
    return [{**ended[pid], **count} for pid, count in zip(pids, shared, strict=True)]


def reaped(began: float) -> dict[int, dict[str, Any]]:
    """The processes that have ended since the last time, and how."""
    found: dict[int, dict[str, Any]] = {}
    with suppress(ChildProcessError):  # none is left
        while (over := os.waitpid(-1, os.WNOHANG))[0]:
            found[over[0]] = {"code": os.waitstatus_to_exitcode(over[1]), "seconds": time.monotonic() - began}
    return found


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
        surround(trial.get("surroundings", {}))
        faults.play(trial.get("fault", {}), Path(trial["home"]), counts)
        code = commanded(trial["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def surround(surroundings: Mapping[str, Any]) -> None:
    """Variables of the environment (None: not set), the working directory, and what standard output is."""
    for name, value in surroundings.get("environment", {}).items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    if "directory" in surroundings:
        os.chdir(surroundings["directory"])
    if surroundings.get("removed"):
        os.rmdir(surroundings["directory"])
    match surroundings.get("output"):
        case "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        case "closed":
            os.close(1)
        case str(encoding):
            sys.stdout.reconfigure(encoding=encoding, errors="strict")  # type: ignore[union-attr]


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
