"""Processes that torchrun has started for one run: how they come together and part.

See https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

TIMEOUT = timedelta(days=1)
"""With processes that say nothing: the first one measures and draws while the others wait. One that ends is noticed at
once."""


class ProcessGroup:
    """What this process is among those of its run.

    Attributes:
        rank, ranks: which one, of how many; 0 of 1 where nobody said otherwise.
        speaks: whether it is the one to say why the run ends: the first rank, or whoever failed first.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        told = {name: environment.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        several = told["RANK"].isdecimal() and told["WORLD_SIZE"].isdecimal()
        self.rank, self.ranks = (int(told["RANK"]), int(told["WORLD_SIZE"])) if several else (0, 1)
        self.reports_errors = self.rank == 0
        self._device = int(told["LOCAL_RANK"]) if told["LOCAL_RANK"].isdecimal() else 0

    @contextmanager
    def join(self) -> Iterator[None]:
        """Inside, the processes may play together (`together`); each has its own GPU, if there are so many.

        SIGTERM, which torchrun sends for Ctrl-C and for the death of another one, is Ctrl-C. After an error nobody is
        waited for: torchrun ends the others, and what they waited for fails.
        """
        if self.ranks == 1:
            yield
            return
        import torch.distributed as dist

        store = self._join()
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
            self.wait()  # some processes abort at their exit otherwise: the others still hold a line to them
        except BaseException as error:
            self.reports_errors = self._may_speak(error, store)
            raise
        finally:
            dist.destroy_process_group()
            signal.signal(signal.SIGTERM, before)

    def wait(self) -> None:
        """Nobody goes on before everybody is here."""
        if self.ranks > 1:
            from vitrail.distributed import barrier

            barrier()

    def _join(self) -> Any:
        """The store that all see, which torchrun's own process keeps."""
        import torch
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        if self._device < torch.cuda.device_count():
            torch.cuda.set_device(self._device)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store, rank, ranks = next(rendezvous("env://"))
        dist.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=TIMEOUT)
        return store

    def _may_speak(self, error: BaseException, store: Any) -> bool:
        """Whether nobody has spoken yet; of Ctrl-C, which all hear, the first rank speaks."""
        if isinstance(error, KeyboardInterrupt) and self.rank:
            return False
        try:
            return bool(store.add("vitrail/said", 1) == 1)
        except RuntimeError:  # whoever kept the store has ended
            return True
