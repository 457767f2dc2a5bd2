"""Two processes with half of each batch compute what one process computes on the whole batch."""

import os
import signal
from datetime import timedelta
from itertools import islice

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing

from vitrail.distributed import (
    any_rank,
    barrier,
    broadcast_from_rank0,
    gather_batch,
    rank_and_world_size,
    single_process,
)
from vitrail.errors import LostProcess
from vitrail.gan_architectures.conditional_dcgan import conditional_dcgan
from vitrail.gan_architectures.projected import projected
from vitrail.gan_architectures.residual import residual
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.state import GanState, OptimizerOptions, TrainingOptions
from vitrail.gan_training.steps import train_steps

OPTIONS = {
    "non-saturating": TrainingOptions(
        discriminator=OptimizerOptions(updates=2), diffaugment=True, mismatched_labels=True
    ),
    "relativistic": TrainingOptions(loss="relativistic", channels_last=True),  # a second derivative
    "wasserstein-gp": TrainingOptions(loss="wasserstein-gp", generator=OptimizerOptions(updates=2)),  # one with draws
}
NORMALISED = {  # with batch normalisation
    "normalised": TrainingOptions(mismatched_labels=True, discriminator=OptimizerOptions(updates=2)),
    "normalised, channels last": TrainingOptions(
        loss="hinge", channels_last=True, generator=OptimizerOptions(updates=2)
    ),
    "normalised, a second derivative": TrainingOptions(loss="wasserstein-gp"),
}
PROJECTED = {"projected": TrainingOptions(loss="hinge", diffaugment=True, channels_last=True)}  # a frozen network
EVERY = {**OPTIONS, **NORMALISED, **PROJECTED}
TIMEOUT = timedelta(minutes=2)  # with another process that stopped
IMAGES = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(32) % 3


def trained(options, *, seed=0, rank=0, ranks=1):
    """The state after three steps; no layer draws random numbers."""
    torch.manual_seed(seed)
    architecture, size = (conditional_dcgan, 16) if options in NORMALISED.values() else (residual, 8)
    if options in PROJECTED.values():
        architecture, size = projected, 32
    pair = architecture(size=size, channels=1, latent_size=6, width=16, generator_classes=3, discriminator_classes=3)
    gan = GanState(pair.generator, pair.discriminator, options, seed=4)
    order = ShuffledBatches(len(IMAGES), 8, seed=1, rank=rank, ranks=ranks)
    images = torch.nn.functional.interpolate(IMAGES, size)
    steps = list(islice(train_steps(gan, ((images[rows], LABELS[rows]) for rows in order)), 3))
    return {**gan.state(), "values": torch.tensor([list(step.values().values()) for step in steps])}


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2, timeout=TIMEOUT)
    try:
        states = {name: trained(options, seed=7 * rank, rank=rank, ranks=2) for name, options in EVERY.items()}
        with single_process():
            as_single = rank_and_world_size(), broadcast_from_rank0(rank), any_rank(rank == 1)
        agreed = rank_and_world_size(), broadcast_from_rank0(rank), any_rank(rank == 1)
        order = ShuffledBatches(4, 4, seed=0, rank=rank, ranks=2)
        rows = next(order)
        assert torch.equal(gather_batch(rows), next(ShuffledBatches(4, 4, seed=0)))
        torch.save((states, agreed, as_single), folder / f"{rank}.pt")
    finally:
        dist.barrier()
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_compute_what_one_does_on_the_whole_batch(tmp_path):
    torch.multiprocessing.spawn(one_of_two, args=(tmp_path,), nprocs=2)
    (first, *_), (second, *_) = two = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name, options in EVERY.items():
        rounding = 2e-6 if name in OPTIONS else 2e-5  # normalisation divides by it; Adam's steps are 2e-4
        if name in PROJECTED:  # a frozen network enlarges it; without gathered statistics it is 3e-4
            rounding = 1e-4
        for part, value in trained(options).items():
            if part == "random":  # dropout's, each rank's own
                continue
            assert torch.equal(first[name][part], second[name][part]), (name, part)
            if part == "discriminator.score.bias" and options.loss != "non-saturating":
                continue  # only differences of scores count: its gradient is rounding, which Adam enlarges
            if part.startswith(("generator.", "discriminator.", "ema.", "values")):
                difference = (first[name][part] - value).abs()
                # Through a deep network some gradients are rounding alone, and Adam steps the full way all the same.
                assert (difference.float().mean() if name in PROJECTED else difference.max()) < rounding, (name, part)
    assert [together for _, together, _ in two] == [((0, 2), 0, True), ((1, 2), 0, True)]  # the first rank decides ...
    assert [as_single for *_, as_single in two] == [((0, 1), 0, False), ((0, 1), 1, True)]  # ... unless each is alone


def test_without_a_process_group_there_is_one_rank():
    assert rank_and_world_size() == (0, 1)


def left_alone(rank, folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # `spawn` ends the other one, which is to find out by itself
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2, timeout=TIMEOUT)
    barrier()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        barrier()
    except LostProcess as error:
        (folder / "message").write_text(str(error))
    dist.destroy_process_group()


@pytest.mark.slow
def test_waiting_for_a_process_that_has_ended_is_an_error(tmp_path):
    with pytest.raises(torch.multiprocessing.ProcessExitedException, match="SIGKILL"):
        torch.multiprocessing.spawn(left_alone, args=(tmp_path,), nprocs=2)
    assert "can no longer be reached" in (tmp_path / "message").read_text()
