"""The process that does the work: one task after the other, told by lines of JSON; what happens is in run folders.

A process of its own, so that Ctrl-C ends a task as it does on a terminal, and a task that takes all memory takes no
page with it. It stays, so that torch is imported once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vitrail.errors import VitrailError
from vitrail.process import configure_process
from vitrail.runs import record
from vitrail.task import Task
from vitrail.tasks import TASKS


def main() -> None:
    """Reads orders until stdin ends; answers each with a line on what was stdout."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_process()

    def answer(said: Mapping[str, str]) -> None:
        print(json.dumps(said), file=answers, flush=True)

    for line in sys.stdin:
        answer(work(json.loads(line), lambda: answer({"state": "begun"})))


def work(order: Mapping[str, Any], begun: Callable[[], None]) -> dict[str, str]:
    """Does one task: `task`, its `settings`, and the `folder` to keep it in.

    Args:
        begun: called when SIGINT stops the task; before and after, it does nothing.
    Returns:
        `state`: done, stopped or failed; `sentence`: why it failed.
    """
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        begun()
        task: Task = TASKS[order["task"]](**order["settings"])
        for _ in record(task, order["task"], Path(order["folder"])):
            pass
    except VitrailError as error:
        return {"state": "failed", "sentence": str(error)}
    except KeyboardInterrupt:
        return {"state": "stopped", "sentence": ""}
    except Exception as error:  # ours: the page must go on, and say so
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        return {"state": "failed", "sentence": f"Our mistake ({what}); the server's log says where."}
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return {"state": "done", "sentence": ""}


if __name__ == "__main__":
    main()
