"""Report progress of a long call by counting its forward passes.

Attacks are plain functions that return when they are done; previews of one are taken from outside, by a forward hook.
"""

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
class NetworkTraffic:
    """Input and output of a network's latest forward pass.

    Attributes:
        passes: number of forward passes so far.
        images: (N, 3, H, W).
        logits: (N, K).
    """

    passes: int
    images: Images
    logits: Logits


class _Stopped(Exception):
    """Ends the thread of a call whose result is no longer needed."""


def monitored(
    network: nn.Module, work: Callable[[], T], seconds: float, report: Callable[[NetworkTraffic], Iterable[E]]
) -> Generator[E, None, T]:
    """Calls `work` in a thread and returns its result; every `seconds` yields what `report` makes of the latest pass.

    Closing the generator stops the work at its next forward pass. The forward hook is always removed.
    """
    latest: NetworkTraffic | None = None
    stopped = threading.Event()

    def record(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal latest
        if stopped.is_set():
            raise _Stopped
        latest = NetworkTraffic(latest.passes + 1 if latest else 1, inputs[0].detach(), output.detach())

    hook = network.register_forward_hook(record)
    try:
        with ThreadPoolExecutor(1) as pool:
            future: Future[T] = pool.submit(work)
            try:
                reported: NetworkTraffic | None = None
                while not wait([future], timeout=seconds).done:
                    if latest is not None and latest is not reported:
                        reported = latest
                        yield from report(latest)
            finally:
                stopped.set()
        return future.result()
    finally:
        hook.remove()
