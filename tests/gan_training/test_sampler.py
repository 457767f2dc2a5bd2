import pytest
import torch

from vitrail.errors import BadSetting
from vitrail.gan_training.sampler import ShuffledBatches


def test_every_epoch_shows_each_image_at_most_once_and_in_another_order():
    order = ShuffledBatches(10, 3, seed=0)
    epochs = [torch.cat([next(order) for _ in range(3)]) for _ in range(4)]
    assert order.epoch == 4
    for epoch in epochs:
        assert len(epoch.unique()) == 9
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.cat(epochs).unique().tolist() == list(range(10))  # what is left out is not always the same


def test_it_resumes_from_any_position():
    whole, later = ShuffledBatches(10, 3, seed=4), ShuffledBatches(10, 3, seed=4)
    batches = [next(whole) for _ in range(11)]
    later.position = 5
    for batch in batches[5:]:
        assert torch.equal(batch, next(later))


def test_each_rank_gets_a_part_of_each_batch():
    whole, parts = (
        ShuffledBatches(12, 4, seed=1),
        [ShuffledBatches(12, 4, seed=1, rank=rank, ranks=2) for rank in range(2)],
    )
    for _ in range(5):
        slices = [next(part) for part in parts]
        assert sorted(torch.cat(slices).tolist()) == sorted(next(whole).tolist())
        assert [len(part) for part in slices] == [2, 2]


def test_a_batch_that_ranks_do_not_divide_is_refused():
    with pytest.raises(BadSetting, match="not divisible by 4 processes. Use --batch 12"):
        ShuffledBatches(20, 10, seed=0, ranks=4)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(BadSetting, match="A batch of 8 is larger than the data .5 images"):
        ShuffledBatches(5, 8, seed=0)
