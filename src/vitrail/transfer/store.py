"""Where features go: the cache on the disk, or memory while there is none (or none that can be written)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitrail.errors import CannotWrite
from vitrail.transfer.cache import FeatureCache


class FeatureStore:
    """Rows of features by the digest of their image.

    Args:
        cache: None keeps the rows in memory.
    """

    def __init__(self, cache: FeatureCache | None) -> None:
        self._cache = cache
        self._memory: dict[bytes, np.ndarray] = {}
        self._writable = cache is not None

    def holds(self, digests: Sequence[bytes]) -> np.ndarray:
        """(n,) bool, whether each image's row is here."""
        kept = np.array([digest in self._memory for digest in digests], bool)
        return kept if self._cache is None else kept | (self._cache.positions(digests) >= 0)

    def add(self, digests: Sequence[bytes], rows: np.ndarray) -> str | None:
        """Keeps `rows` (m, d); the sentence that says why the cache could not, the first time that it could not."""
        problem = None
        if self._cache is not None and self._writable:
            try:
                self._cache.append(digests, rows)
            except CannotWrite as error:
                problem, self._writable = str(error), False
            else:
                if (self._cache.positions(digests) >= 0).all():
                    return None
                # What was written cannot be read back: the rows are needed all the same.
        self._memory.update(zip(digests, rows, strict=True))
        return problem

    def read(self, digests: Sequence[bytes]) -> np.ndarray:
        """(n, d) float32, in the order of `digests`, all of which must be held."""
        if self._cache is None:
            return np.stack([self._memory[digest] for digest in digests])
        positions = self._cache.positions(digests)
        cached = positions >= 0
        if cached.all():
            return self._cache.read(positions)
        rows = np.stack([self._memory[digest] for digest, here in zip(digests, cached, strict=True) if not here])
        everything = np.empty((len(digests), rows.shape[1]), np.float32)
        everything[~cached] = rows
        if cached.any():
            everything[cached] = self._cache.read(positions[cached])
        return everything
