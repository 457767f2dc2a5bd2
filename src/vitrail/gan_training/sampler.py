"""Shuffled batches of row numbers, reproducible from any position."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from vitrail.errors import BadSetting

Rows = Int[Tensor, "batch"]


class ShuffledBatches(Iterator[Rows]):
    """Endless batches of row numbers, shuffled anew in each epoch; the incomplete last batch is dropped.

    Attributes:
        position: number of batches given so far; set it to resume there.
    Raises:
        BadSetting: the batch is larger than the data, or not divisible by the number of ranks.
    """

    def __init__(self, count: int, batch: int, seed: int, *, rank: int = 0, ranks: int = 1) -> None:
        if batch > count:
            raise BadSetting(f"A batch of {batch} is larger than the data ({count} images). Use --batch {count}.")
        if batch % ranks:  # the mean of the ranks' gradients would not be the gradient of the batch
            larger = batch + ranks - batch % ranks
            raise BadSetting(f"A batch of {batch} is not divisible by {ranks} processes. Use --batch {larger}.")
        self.count, self.batch, self.seed = count, batch, seed
        self.position = 0
        self._part = slice(rank, None, ranks)
        self._epoch, self._shuffled = -1, torch.empty(0, dtype=torch.long)

    @property
    def batches_per_epoch(self) -> int:
        """Number of complete batches."""
        return self.count // self.batch

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return self.position // self.batches_per_epoch

    def __next__(self) -> Rows:
        """Row numbers of the next batch, (B,); of several ranks, each gets its part of the same batch."""
        epoch, batch = divmod(self.position, self.batches_per_epoch)
        if epoch != self._epoch:
            draws = torch.Generator().manual_seed((self.seed << 20) + epoch)
            self._epoch, self._shuffled = epoch, torch.randperm(self.count, generator=draws)
        self.position += 1
        return self._shuffled[batch * self.batch : (batch + 1) * self.batch][self._part]
