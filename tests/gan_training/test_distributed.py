"""Two processes that share every batch play the game of one process that has the whole of it."""

import os
import signal
from datetime import timedelta
from itertools import islice

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing

from vitrail.distributed import any_rank, barrier, broadcast_from_rank0, gather_batch, is_single, rank_and_world_size
from vitrail.errors import LostProcess
from vitrail.gan_architectures.conditional_dcgan import conditional_dcgan
from vitrail.gan_architectures.residual import residual
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.state import GanState, OptimizerOptions, TrainingOptions
from vitrail.gan_training.steps import train_steps

RULES = {
    "non-saturating": TrainingOptions(discriminator=OptimizerOptions(updates=2), augment=True, mismatched=True),
    "relativistic": TrainingOptions(loss="relativistic", channels_last=True),  # a second derivative
    "wasserstein-gp": TrainingOptions(loss="wasserstein-gp", generator=OptimizerOptions(updates=2)),  # one with draws
}
NORMALISED = {  # by batches: each image is looked at beside the others
    "normalised": TrainingOptions(mismatched=True, discriminator=OptimizerOptions(updates=2)),
    "normalised, channels last": TrainingOptions(
        loss="hinge", channels_last=True, generator=OptimizerOptions(updates=2)
    ),
    "normalised, a second derivative": TrainingOptions(loss="wasserstein-gp"),
}
TIMEOUT = timedelta(minutes=2)  # with another process that stopped
IMAGES = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(32) % 3


def played(options, *, seed=0, rank=0, ranks=1):
    """The game after three steps; no layer draws."""
    torch.manual_seed(seed)
    made, size = (conditional_dcgan, 16) if options in NORMALISED.values() else (residual, 8)
    pair = made(size=size, channels=1, latent_size=6, width=16, generator_classes=3, discriminator_classes=3)
    gan = GanState(pair.generator, pair.discriminator, options, seed=4)
    order = ShuffledBatches(len(IMAGES), 8, seed=1, rank=rank, ranks=ranks)
    images = torch.nn.functional.interpolate(IMAGES, size)
    steps = list(islice(train_steps(gan, ((images[rows], LABELS[rows]) for rows in order)), 3))
    return {**gan.state(), "figures": torch.tensor([list(step.figures().values()) for step in steps])}


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=TIMEOUT)
    try:
        games = {**RULES, **NORMALISED}
        states = {name: played(options, seed=7 * rank, rank=rank, ranks=2) for name, options in games.items()}
        with is_single():
            by_itself = rank_and_world_size(), broadcast_from_rank0(rank), any_rank(rank == 1)
        agreed = rank_and_world_size(), broadcast_from_rank0(rank), any_rank(rank == 1)
        order = ShuffledBatches(4, 4, seed=0, rank=rank, ranks=2)
        rows = next(order)
        assert torch.equal(gather_batch(rows), next(ShuffledBatches(4, 4, seed=0)))
        torch.save((states, agreed, by_itself), folder / f"{rank}.pt")
    finally:
        dist.barrier()
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_play_the_game_of_one_that_has_the_whole_batch(tmp_path):
    torch.multiprocessing.spawn(one_of_two, args=(tmp_path,), nprocs=2)
    (first, *_), (second, *_) = two = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name, options in {**RULES, **NORMALISED}.items():
        rounding = 2e-6 if name in RULES else 2e-5  # normalisation divides by it; Adam's steps are 2e-4
        for part, value in played(options).items():
            if part == "random":  # dropout's, each rank's own
                continue
            assert torch.equal(first[name][part], second[name][part]), (name, part)
            if part == "discriminator.score.bias" and options.loss != "non-saturating":
                continue  # only differences of scores count: its slope is rounding, which Adam blows up
            if part.startswith(("generator.", "discriminator.", "average.", "figures")):
                assert (first[name][part] - value).abs().max() < rounding, (name, part)
    assert [together for _, together, _ in two] == [((0, 2), 0, True), ((1, 2), 0, True)]  # the first rank decides ...
    assert [by_itself for *_, by_itself in two] == [((0, 1), 0, False), ((0, 1), 1, True)]  # ... unless each is alone


def test_without_others_one_is_alone():
    assert rank_and_world_size() == (0, 1)


def left_alone(rank, folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # `spawn` ends the other one, which is to find out by itself
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=TIMEOUT)
    barrier()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        barrier()
    except LostProcess as error:
        (folder / "said").write_text(str(error))
    dist.destroy_process_group()


@pytest.mark.slow
def test_who_waits_for_a_process_that_has_ended_is_told_so(tmp_path):
    with pytest.raises(torch.multiprocessing.ProcessExitedException, match="SIGKILL"):
        torch.multiprocessing.spawn(left_alone, args=(tmp_path,), nprocs=2)
    assert "can no longer be reached" in (tmp_path / "said").read_text()
