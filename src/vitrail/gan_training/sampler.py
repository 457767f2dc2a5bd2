"""Which images come when: batch after batch, every epoch in another order, from any point on again."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from vitrail.errors import BadSetting

Rows = Int[Tensor, "batch"]


class ShuffledBatches(Iterator[Rows]):
    """Endless batches of image numbers; each epoch leaves out what fills no batch, other images each time.

    Attributes:
        position: batches given so far; set it to go on from there.
    Raises:
        BadSetting: a batch is larger than the data, or does not fall into equal shares.
    """

    def __init__(self, count: int, batch: int, seed: int, *, rank: int = 0, ranks: int = 1) -> None:
        if batch > count:
            raise BadSetting(f"A batch of {batch} is larger than the data of {count} images; {count} would work.")
        if batch % ranks:  # the mean of the shares' slopes would not be that of the batch
            larger = batch + ranks - batch % ranks
            raise BadSetting(f"A batch of {batch} has no equal shares for {ranks} processes; {larger} would.")
        self.count, self.batch, self.seed = count, batch, seed
        self.position = 0
        self._part = slice(rank, None, ranks)
        self._epoch, self._shuffled = -1, torch.empty(0, dtype=torch.long)

    @property
    def batches_per_epoch(self) -> int:
        """Whole ones."""
        return self.count // self.batch

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.position // self.batches_per_epoch

    def __next__(self) -> Rows:
        """The numbers of the next batch, (B,); of several ranks each takes its share of the same batch."""
        epoch, rank_and_world_size = divmod(self.position, self.batches_per_epoch)
        if epoch != self._epoch:
            draws = torch.Generator().manual_seed((self.seed << 20) + epoch)
            self._epoch, self._shuffled = epoch, torch.randperm(self.count, generator=draws)
        self.position += 1
        return self._shuffled[rank_and_world_size * self.batch : (rank_and_world_size + 1) * self.batch][self._part]
