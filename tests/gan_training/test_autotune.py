"""The choice of a mode by a given clock, which changes nothing else."""

from dataclasses import dataclass

import pytest
import torch
from small_gan import Discriminator, Generator, batches
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
    """A clock on which only D's forward passes, by memory layout, and updates, fused or not, take time."""

    def make_clock(pair, *, image=1.0, image_last=1.0, update=0.0, update_fused=0.0):
        passed, shown, usual_step = [0.0], [], torch.optim.Adam.step

        def step(adam):
            passed.append(update_fused if adam.defaults["fused"] else update)
            usual_step(adam)

        def count(network, inputs):
            last = next(network.parameters()).is_contiguous(memory_format=torch.channels_last)
            passed.append(len(inputs[0]) * (image_last if last else image))
            shown.append(len(inputs[0]))

        monkeypatch.setattr(torch.optim.Adam, "step", step)
        pair.discriminator.register_forward_pre_hook(count)
        return (lambda: sum(passed)), shown

    return make_clock


@pytest.mark.parametrize(
    ("costs", "mode"),
    [
        ({"image_last": 0.75}, "channels-last"),
        ({"update": 5.0, "update_fused": 1.0}, "fused"),
        ({"image_last": 0.75, "update": 5.0, "update_fused": 1.0}, "channels-last and fused"),
        ({"image_last": 1.2, "update_fused": 1.0}, "reference"),
        ({"image_last": 0.98}, "reference"),  # faster, but not by enough
    ],
)
def test_the_fastest_mode_is_taken_if_the_speedup_is_large_enough(pair, batch, clock_of, costs, mode):
    options = TrainingOptions(loss="hinge", generator=OptimizerOptions(updates=2), fused=True)
    choice = autotune(pair, options, batch, clock=clock_of(pair, **costs)[0])
    assert choice.mode == mode
    assert (choice.options.channels_last, choice.options.fused) == ("channels-last" in mode, "fused" in mode)
    assert (choice.options.loss, choice.options.generator.updates) == ("hinge", 2)
    asked = {"image": 1.0, "image_last": 1.0, "update": 0.0, "update_fused": 0.0, **costs}

    def step(image, update):  # two forward passes of D, and one for each update of G
        return 4 * len(batch[0]) * asked[image] + 3 * asked[update]

    reference = step("image", "update")
    assert choice.speedups == pytest.approx(
        {
            "channels-last": reference / step("image_last", "update"),
            "fused": reference / step("image", "update_fused"),
            "channels-last and fused": reference / step("image_last", "update_fused"),
        }
    )


def test_by_the_real_clock_it_takes_one_of_them_and_changes_nothing(pair, batch):
    pair.generator.eval()
    before = [each.clone() for network in vars(pair).values() for each in network.state_dict().values()]
    random, images = torch.get_rng_state(), batch[0].clone()
    choice = autotune(pair, TrainingOptions(diffaugment=True), batch, seconds=0.1)
    assert choice.mode in ("reference", *choice.speedups)
    assert all(ratio > 0 for ratio in choice.speedups.values())
    after = [each for network in vars(pair).values() for each in network.state_dict().values()]
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    assert all(weight.grad is None for network in vars(pair).values() for weight in network.parameters())
    assert not pair.generator.training
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(images, batch[0])


def test_without_convolutions_there_is_no_layout_to_choose(batch):
    networks = conditional_mlp(size=8, latent_size=6, generator_classes=3, discriminator_classes=3, width=16)
    shown = []
    networks.discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(len(inputs[0])))
    choice = autotune(networks, TrainingOptions(), batch, seconds=0.1)
    assert list(choice.speedups) == ["concatenated", "fused", "concatenated and fused"]
    assert (choice.options.concat_real_fake, choice.options.fused) == (
        "concatenated" in choice.mode,
        "fused" in choice.mode,
    )
    assert set(shown) == {8, 16}
    networks.discriminator.layers.insert(1, nn.BatchNorm1d(64))  # which forbids concatenated batches
    assert list(autotune(networks, TrainingOptions(), batch, seconds=0.1).speedups) == ["fused"]


def test_slow_steps_are_timed_on_fewer_images_and_fast_ones_a_limited_number_of_times(pair, clock_of):
    images, labels = torch.zeros(64, 1, 8, 8), torch.zeros(64, dtype=torch.long)
    clock, shown = clock_of(pair, image=0.001, image_last=0.001)  # a step on 16 images takes 48 ms
    autotune(pair, TrainingOptions(), (images, labels), seconds=1.0, clock=clock)
    assert max(shown) == 16
    assert clock() < 2
    clock, shown = clock_of(pair, image=1e-6, image_last=1e-6)
    autotune(pair, TrainingOptions(), (images, labels), clock=clock)
    assert max(shown) == 64
    assert len(shown) < 200
