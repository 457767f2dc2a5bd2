"""Processor time of a process, and how many cores it would keep busy if it had them to itself (Linux)."""

import threading
from pathlib import Path


class Cores:
    """Samples, within `with`, what each thread of a process ran and waited for a core, in seconds: `ran`, `waited`.

    Beside other work, `ran / ((ran + waited) / wall)` is about the wall time that the process would take without it.
    """

    def __init__(self, process="self"):
        self._tasks, self._ended = Path(f"/proc/{process}/task"), threading.Event()
        self._spent = {}
        self._before = self._read()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        new = (
            [now - before for now, before in zip(self._spent[name], self._before.get(name, (0, 0)), strict=True)]
            for name in self._spent
        )
        self.ran, self.waited = map(sum, zip(*new, strict=True))

    def _sample(self):
        while not self._ended.wait(0.1):
            self._spent.update(self._read())
        self._spent.update(self._read())

    def _read(self):
        found = {}
        for task in self._tasks.glob("*"):
            try:
                found[task.name] = [int(value) / 1e9 for value in (task / "schedstat").read_text().split()[:2]]
            except OSError:  # it has ended
                continue
        return found
