"""Storage of features: the cache on the disk, or memory if there is no cache or it cannot be written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitrail.errors import CannotWrite
from vitrail.transfer.cache import FeatureCache


class FeatureStore:
    """Rows of features, indexed by the digests of their images.

    Args:
        cache: None: rows stay in memory.
    """

    def __init__(self, cache: FeatureCache | None) -> None:
        self._cache = cache
        self._memory: dict[bytes, np.ndarray] = {}
        self._writable = cache is not None

    def holds(self, digests: Sequence[bytes]) -> np.ndarray:
        """(n,) bool, whether each image's row is stored."""
        in_memory = np.array([digest in self._memory for digest in digests], bool)
        return in_memory if self._cache is None else in_memory | (self._cache.positions(digests) >= 0)

    def add(self, digests: Sequence[bytes], rows: np.ndarray) -> str | None:
        """Stores `rows` (m, d); gives the error message the first time that the cache cannot be written, else None."""
        problem = None
        if self._cache is not None and self._writable:
            try:
                self._cache.append(digests, rows)
            except CannotWrite as error:
                problem, self._writable = str(error), False
            else:
                if (self._cache.positions(digests) >= 0).all():
                    return None
                # The rows were written but cannot be read back, so they are stored in memory as well.
        self._memory.update(zip(digests, rows, strict=True))
        return problem

    def read(self, digests: Sequence[bytes]) -> np.ndarray:
        """(n, d) float32, in the order of `digests`, all of which must be stored."""
        if self._cache is None:
            return np.stack([self._memory[digest] for digest in digests])
        positions = self._cache.positions(digests)
        cached = positions >= 0
        if cached.all():
            return self._cache.read(positions)
        rows = np.stack([self._memory[digest] for digest, on_disk in zip(digests, cached, strict=True) if not on_disk])
        everything = np.empty((len(digests), rows.shape[1]), np.float32)
        everything[~cached] = rows
        if cached.any():
            everything[cached] = self._cache.read(positions[cached])
        return everything
