"""How work stands that says nothing until it is done: what it shows to a network, looked at from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from vitrail.tensors import Images, Logits

E = TypeVar("E")
T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What a network was shown last, and what it said.

    Attributes:
        passes: forward passes so far.
    """

    passes: int
    images: Images
    logits: Logits


class _Stopped(Exception):
    """Raised in the work's own thread when nobody waits for it any more."""


def watched(
    network: nn.Module, work: Callable[[], T], seconds: float, shown: Callable[[Seen], Iterable[E]]
) -> Generator[E, None, T]:
    """Does `work` in a thread and returns what it gives; meanwhile yields what is `shown` of it every so many seconds.

    Whoever stops iterating stops the work at its next forward pass. No hook is left.
    """
    latest: Seen | None = None
    stopped = threading.Event()

    def note(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal latest
        if stopped.is_set():
            raise _Stopped
        latest = Seen(latest.passes + 1 if latest else 1, inputs[0].detach(), output.detach())

    hook = network.register_forward_hook(note)
    try:
        with ThreadPoolExecutor(1) as pool:
            future: Future[T] = pool.submit(work)
            try:
                before: Seen | None = None
                while not wait([future], timeout=seconds).done:
                    if latest is not None and latest is not before:
                        before = latest
                        yield from shown(latest)
            finally:
                stopped.set()
        return future.result()
    finally:
        hook.remove()
