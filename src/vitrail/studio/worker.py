"""The worker process: runs one task after the other; orders and answers are lines of JSON, results are run folders.

It is a separate process, so that SIGINT ends a task as Ctrl-C does in a terminal, and a task that runs out of memory
does not end the server. It keeps running between jobs, so that torch is imported once. When the server has ended,
however that came, the task is stopped as by Ctrl-C, and the process ends.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vitrail.backbones.sources import checkpoint_folder
from vitrail.errors import VitrailError
from vitrail.process import configure_process, refuse_connections
from vitrail.reading import confine
from vitrail.run_writer import record
from vitrail.settings import cache_folder
from vitrail.task import Task
from vitrail.tasks import TASKS

LAST_SECONDS = 30.0
"""For a task to store what is finished, once the server has ended."""


def main() -> None:
    """Works on orders until stdin ends; writes each answer as a line to the original stdout."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not be taken for an answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_process()
    if len(sys.argv) > 1:
        isolate(map(Path, sys.argv[1:]))

    def answer(message: Mapping[str, str]) -> None:
        with suppress(OSError):  # the server has ended
            print(json.dumps(message), file=answers, flush=True)

    orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    while (line := orders.get()) is not None:
        answer(work(json.loads(line), lambda: answer({"state": "started"})))


def isolate(folders: Iterable[Path]) -> None:
    """From now on this process reads below these folders, installed packages and caches only, and opens no connection.

    What a task reads is named by a form, but also by run folders, tables and links that somebody else may have made.
    """
    here = Path.cwd().resolve()  # without -P it is among the places of packages
    packages = [Path(each) for each in sys.path if each and Path(each).resolve() != here]
    confine([*folders, *packages, cache_folder().parent, checkpoint_folder()])
    os.environ["HF_HUB_OFFLINE"] = "1"  # else its client tries again and again
    refuse_connections()


def _listen(orders: queue.SimpleQueue[str | None]) -> None:
    """Passes orders on; when there can be no more, the server has ended, and what runs is stopped."""
    for line in sys.stdin:
        orders.put(line)
    orders.put(None)
    os.kill(os.getpid(), signal.SIGINT)  # ignored between tasks
    time.sleep(LAST_SECONDS)
    os._exit(1)


def work(order: Mapping[str, Any], started: Callable[[], None]) -> dict[str, str]:
    """Runs one task.

    Args:
        order: `task`, its `settings`, and the `folder` of the run.
        started: called once SIGINT stops the task; before and after, SIGINT is ignored.
    Returns:
        `state`: "done", "stopped" or "failed"; `message`: why it failed.
    """
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        started()
        task: Task = TASKS[order["task"]](**order["settings"])
        for _ in record(task, order["task"], Path(order["folder"]), is_ours=True):
            pass
    except VitrailError as error:
        return {"state": "failed", "message": str(error)}
    except KeyboardInterrupt:
        return {"state": "stopped", "message": ""}
    except Exception as error:  # a bug: the page must stay usable and report it
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        return {"state": "failed", "message": f"Internal error ({what}). See the log of the server."}
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return {"state": "done", "message": ""}


if __name__ == "__main__":
    main()
