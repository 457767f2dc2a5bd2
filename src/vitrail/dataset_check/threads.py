"""Work in blocks, one a processor at a time, each with one thread of arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from vitrail.devices import cpu_count
from vitrail.sharding.processes import one_thread

Item = TypeVar("Item")
Result = TypeVar("Result")

_ALONE = Lock()  # the number of threads of arithmetic is one for the process: who restores it must be the last


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], *, most: int = 64) -> list[Result]:
    """`function` of each item, in order; of at most `most` at a time, where each takes much memory.

    Blocks are independent, and their threads never wait for each other. The threads within a product do, at the end of
    each, in a loop that takes a whole processor: where another process has it, small products take ten times as long.
    Sums do not depend on the number of processors either.
    """
    with _ALONE, one_thread(), ThreadPoolExecutor(min(cpu_count(), most)) as pool:
        return list(pool.map(function, items))
