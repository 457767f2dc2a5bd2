"""The probe: it takes what is quickest by the clock it is given, and leaves everything as it was."""

from dataclasses import dataclass

import pytest
import torch
from small_players import Discriminator, Generator, batches
from torch import nn

from vitrail.gan_architectures.conditional_mlp import conditional_mlp
from vitrail.gan_training.autotune import autotune
from vitrail.gan_training.state import OptimizerOptions, TrainingOptions


@dataclass
class Pair:
    generator: nn.Module
    discriminator: nn.Module


@pytest.fixture
def pair():
    return Pair(Generator(), Discriminator())


@pytest.fixture
def batch():
    return next(batches())


@pytest.fixture
def clock_of(monkeypatch):
    """A clock on which only D's looks at images take time, by its layout, and updates, fused or not."""

    def made(pair, *, image=1.0, image_last=1.0, update=0.0, update_fused=0.0):
        passed, shown, usual_step = [0.0], [], torch.optim.Adam.step

        def step(adam):
            passed.append(update_fused if adam.defaults["fused"] else update)
            usual_step(adam)

        def look(network, inputs):
            last = next(network.parameters()).is_contiguous(memory_format=torch.channels_last)
            passed.append(len(inputs[0]) * (image_last if last else image))
            shown.append(len(inputs[0]))

        monkeypatch.setattr(torch.optim.Adam, "step", step)
        pair.discriminator.register_forward_pre_hook(look)
        return (lambda: sum(passed)), shown

    return made


@pytest.mark.parametrize(
    ("costs", "way"),
    [
        ({"image_last": 0.75}, "channels-last"),
        ({"update": 5.0, "update_fused": 1.0}, "fused"),
        ({"image_last": 0.75, "update": 5.0, "update_fused": 1.0}, "channels-last and fused"),
        ({"image_last": 1.2, "update_fused": 1.0}, "plain"),
        ({"image_last": 0.98}, "plain"),  # quicker, but not by enough
    ],
)
def test_it_takes_the_quickest_that_wins_by_enough(pair, batch, clock_of, costs, way):
    options = TrainingOptions(loss="hinge", generator=OptimizerOptions(updates=2), fused=True)
    choice = autotune(pair, options, batch, clock=clock_of(pair, **costs)[0])
    assert choice.way == way
    assert (choice.options.channels_last, choice.options.fused) == ("channels-last" in way, "fused" in way)
    assert (choice.options.loss, choice.options.generator.updates) == ("hinge", 2)
    asked = {"image": 1.0, "image_last": 1.0, "update": 0.0, "update_fused": 0.0, **costs}

    def step(image, update):  # D looks twice and once for each of G's updates
        return 4 * len(batch[0]) * asked[image] + 3 * asked[update]

    plain = step("image", "update")
    assert choice.ratios == pytest.approx(
        {
            "channels-last": plain / step("image_last", "update"),
            "fused": plain / step("image", "update_fused"),
            "channels-last and fused": plain / step("image_last", "update_fused"),
        }
    )


def test_by_the_real_clock_it_takes_one_of_them_and_touches_nothing(pair, batch):
    pair.generator.eval()
    before = [each.clone() for player in vars(pair).values() for each in player.state_dict().values()]
    random, images = torch.get_rng_state(), batch[0].clone()
    choice = autotune(pair, TrainingOptions(augment=True), batch, seconds=0.1)
    assert choice.way in ("plain", *choice.ratios)
    assert all(ratio > 0 for ratio in choice.ratios.values())
    after = [each for player in vars(pair).values() for each in player.state_dict().values()]
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    assert all(weight.grad is None for player in vars(pair).values() for weight in player.parameters())
    assert not pair.generator.training
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(images, batch[0])


def test_without_convolutions_there_is_no_layout_to_choose(batch):
    players = conditional_mlp(size=8, latent_size=6, generator_classes=3, discriminator_classes=3, width=16)
    shown = []
    players.discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(len(inputs[0])))
    choice = autotune(players, TrainingOptions(), batch, seconds=0.1)
    assert list(choice.ratios) == ["joined", "fused", "joined and fused"]
    assert (choice.options.joined, choice.options.fused) == ("joined" in choice.way, "fused" in choice.way)
    assert set(shown) == {8, 16}
    players.discriminator.layers.insert(1, nn.BatchNorm1d(64))  # which forbids joined batches
    assert list(autotune(players, TrainingOptions(), batch, seconds=0.1).ratios) == ["fused"]


def test_a_slow_game_is_timed_on_fewer_images_and_a_quick_one_not_for_ever(pair, clock_of):
    images, labels = torch.zeros(64, 1, 8, 8), torch.zeros(64, dtype=torch.long)
    clock, shown = clock_of(pair, image=0.001, image_last=0.001)  # a step on 16 images takes 48 ms
    autotune(pair, TrainingOptions(), (images, labels), seconds=1.0, clock=clock)
    assert max(shown) == 16
    assert clock() < 2
    clock, shown = clock_of(pair, image=1e-6, image_last=1e-6)
    autotune(pair, TrainingOptions(), (images, labels), clock=clock)
    assert max(shown) == 64
    assert len(shown) < 200
