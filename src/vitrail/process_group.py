"""The process group of a run that torchrun started: rank, world size, joining and leaving.

See https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

TIMEOUT = timedelta(days=1)
"""Of collective operations: ranks wait while rank 0 evaluates and plots. A process that ends is noticed at once."""


class ProcessGroup:
    """Place of this process among those that torchrun started.

    Attributes:
        rank, ranks: rank and world size; 0 of 1 without torchrun.
        reports_errors: whether this process prints why the run ends: rank 0, or the first rank that failed.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {name: environment.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        several = values["RANK"].isdecimal() and values["WORLD_SIZE"].isdecimal()
        self.rank, self.ranks = (int(values["RANK"]), int(values["WORLD_SIZE"])) if several else (0, 1)
        self.reports_errors = self.rank == 0
        self._device = int(values["LOCAL_RANK"]) if values["LOCAL_RANK"].isdecimal() else 0

    @contextmanager
    def join(self) -> Iterator[None]:
        """Inside, the process group is initialised; each process has its own GPU, if there are enough.

        SIGTERM, which torchrun sends for Ctrl-C and when another process dies, raises KeyboardInterrupt. The group is
        left after a barrier. After an error there is no barrier: torchrun ends the other processes, and their
        collective operations fail.
        """
        if self.ranks == 1:
            yield
            return
        import torch.distributed as dist

        store = self._join()
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
            self.wait()  # without it some processes abort at exit, as the others still have connections to them
        except BaseException as error:
            self.reports_errors = self._is_first_error(error, store)
            raise
        finally:
            dist.destroy_process_group()
            signal.signal(signal.SIGTERM, before)

    def wait(self) -> None:
        """Barrier of all ranks."""
        if self.ranks > 1:
            from vitrail.distributed import barrier

            barrier()

    def _join(self) -> Any:
        """Initialises the process group; the key-value store of torchrun, which all ranks share."""
        import torch
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        if self._device < torch.cuda.device_count():
            torch.cuda.set_device(self._device)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store, rank, ranks = next(rendezvous("env://"))
        dist.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=TIMEOUT)
        return store

    def _is_first_error(self, error: BaseException, store: Any) -> bool:
        """Whether no other rank has reported an error; Ctrl-C, which reaches all ranks, is reported by rank 0."""
        if isinstance(error, KeyboardInterrupt) and self.rank:
            return False
        try:
            return bool(store.add("vitrail/errors", 1) == 1)
        except RuntimeError:  # the process that holds the store has ended
            return True
