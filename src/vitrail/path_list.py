"""Very many paths in little memory: as many bytes as their names have, and eight more each."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload


class PathList(Sequence[Path]):
    """Paths in their order; a slice of it is an ordinary list."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._names, self._ends = bytearray(), array("Q", [0])
        for path in paths:
            self._names += os.fsencode(path)
            self._ends.append(len(self._names))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[Path]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        found = range(len(self))[index]
        return self._at(found) if isinstance(found, int) else [self._at(number) for number in found]

    def _at(self, number: int) -> Path:
        return Path(os.fsdecode(bytes(self._names[self._ends[number] : self._ends[number + 1]])))
