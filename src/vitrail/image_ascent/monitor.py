"""Long calls, side by side where there are several workers; progress is reported by forward passes.

Attacks are plain functions that return when they are done; previews of one are taken from outside, by a forward hook.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from torch import nn

from vitrail.image_ascent.workers import worker_threads
from vitrail.tensors import Images, Logits

E = TypeVar("E")
T = TypeVar("T")
R = TypeVar("R")
Watch = Callable[[nn.Module], AbstractContextManager[None]]

BUFFERED = 4  # items of each worker that are begun and not yet yielded


@dataclass(frozen=True)
class NetworkTraffic:
    """Input and output of the latest forward pass.

    Attributes:
        item: that it was a pass for.
        passes: number of forward passes so far, for all items.
        images: (N, 3, H, W).
        logits: (N, K).
    """

    item: Any
    passes: int
    images: Images
    logits: Logits


class _Stopped(Exception):
    """Ends a call whose result is no longer needed."""


def in_workers(
    workers: int,
    items: Iterable[T],
    work: Callable[[T, Watch], R],
    *,
    seconds: float,
    report: Callable[[NetworkTraffic], Iterable[E]],
) -> Generator[E | R, None, None]:
    """Calls `work(item, watch)` for each item, in as many threads as there are workers; see `worker_threads`.

    Items are taken as they are needed, one more than are worked on. An error of a worker is raised at once. It, or
    closing the generator, stops every call at the next forward pass of a watched network.

    Args:
        work: watches a network `with watch(network):`, of which no other call makes use.
        report: what to yield of the latest pass of a watched network, every `seconds`.

    Yields:
        Results in the order of the items, and reports.
    """
    traffic: list[NetworkTraffic] = []  # the latest, if any
    passes, stopped = count(1), threading.Event()

    def call(item: T) -> R:
        @contextmanager
        def watch(network: nn.Module) -> Iterator[None]:
            def record(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
                if stopped.is_set():
                    raise _Stopped
                traffic[:] = [NetworkTraffic(item, next(passes), inputs[0].detach(), output.detach())]

            hook = network.register_forward_hook(record)
            try:
                yield
            finally:
                hook.remove()

        return work(item, watch)

    with worker_threads(workers) as pool:
        try:
            yield from _in_order((pool.submit(call, item) for item in items), workers, traffic, seconds, report)
        finally:
            stopped.set()


def _in_order(
    submitted: Iterable[Future[R]],
    workers: int,
    traffic: Sequence[NetworkTraffic],
    seconds: float,
    report: Callable[[NetworkTraffic], Iterable[E]],
) -> Generator[E | R, None, None]:
    """Results in their order; takes the next future when fewer than one more than `workers` are unfinished."""
    source, waiting = iter(submitted), deque[Future[R]]()
    reported, due = 0, time.monotonic() + seconds
    while True:
        running = [future for future in waiting if not future.done()]
        while len(running) <= workers and len(waiting) < BUFFERED * workers and (new := next(source, None)):
            waiting.append(new)
            running.append(new)
        if not waiting:
            return
        done = [future for future in waiting if future.done()]
        if not waiting[0].done():
            done, _ = wait(running, max(0.0, due - time.monotonic()), FIRST_COMPLETED)  # type: ignore[assignment]
        for future in done:
            future.result()  # raises
        while waiting and waiting[0].done():
            yield waiting.popleft().result()
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            if traffic and traffic[0].passes > reported:
                reported = traffic[0].passes
                yield from report(traffic[0])
