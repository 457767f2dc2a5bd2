"""Two processes that share every batch play the game of one process that has the whole of it."""

from datetime import timedelta
from itertools import islice

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing

from vitrail.gan_training.game import Game, Player, Rules
from vitrail.gan_training.order import Order
from vitrail.gan_training.play import play
from vitrail.gan_training.together import alone, as_first, place
from vitrail.gans.residual import residual

RULES = {
    "non-saturating": Rules(discriminator=Player(updates=2), augment=True),
    "relativistic": Rules(loss="relativistic", channels_last=True),  # a second derivative
    "wasserstein-gp": Rules(loss="wasserstein-gp", generator=Player(updates=2)),  # one with draws
}
PATIENCE = timedelta(minutes=2)  # with another process that stopped
IMAGES = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(32) % 3


def played(rules, *, seed=0, rank=0, ranks=1):
    """The game after three steps; no layer looks beyond one image, none draws."""
    torch.manual_seed(seed)
    pair = residual(size=8, channels=1, latent_size=6, width=16, generator_classes=3, discriminator_classes=3)
    game = Game(pair.generator, pair.discriminator, rules, seed=4)
    order = Order(len(IMAGES), 8, seed=1, rank=rank, ranks=ranks)
    list(islice(play(game, ((IMAGES[rows], LABELS[rows]) for rows in order)), 3))
    return game.state()


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=PATIENCE)
    try:
        states = {name: played(rules, seed=7 * rank, rank=rank, ranks=2) for name, rules in RULES.items()}
        with alone():
            by_itself = place(), as_first(rank)
        torch.save((states, (place(), as_first(rank)), by_itself), folder / f"{rank}.pt")
    finally:
        dist.barrier()
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_play_the_game_of_one_that_has_the_whole_batch(tmp_path):
    torch.multiprocessing.spawn(one_of_two, args=(tmp_path,), nprocs=2)
    (first, *_), (second, *_) = two = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name, rules in RULES.items():
        for part, value in played(rules).items():
            if part == "random":  # dropout's, each rank's own
                continue
            assert torch.equal(first[name][part], second[name][part]), (name, part)
            if part == "discriminator.score.bias" and rules.loss != "non-saturating":
                continue  # only differences of scores count: its slope is rounding, which Adam blows up
            if part.startswith(("generator.", "discriminator.", "average.")):
                assert (first[name][part] - value).abs().max() < 2e-6, (name, part)
    assert [together for _, together, _ in two] == [((0, 2), 0), ((1, 2), 0)]  # the first rank decides ...
    assert [by_itself for *_, by_itself in two] == [((0, 1), 0), ((0, 1), 1)]  # ... unless each is alone


def test_without_others_one_is_alone():
    assert place() == (0, 1)
