"""Training steps: which weights change when, and bit-identical resume."""

from itertools import islice, repeat

import pytest
import torch
from small_gan import Discriminator, Generator
from torch import nn

from vitrail.errors import BadSetting
from vitrail.gan_architectures.conditional_mlp import conditional_mlp
from vitrail.gan_training.losses import LOSSES
from vitrail.gan_training.state import GanState, OptimizerOptions, TrainingOptions
from vitrail.gan_training.steps import train_steps


def weights(network):
    return [value.clone() for value in network.parameters()]


def moved(before, network):
    return [not torch.equal(one, two) for one, two in zip(before, network.parameters(), strict=True)]


@pytest.mark.parametrize("loss", LOSSES)
def test_both_networks_change_and_all_values_are_numbers(new_gan, data, loss):
    gan = new_gan(loss=loss)
    before = weights(gan.generator), weights(gan.discriminator)
    steps = list(islice(train_steps(gan, data()), 3))
    assert all(moved(before[0], gan.generator))
    *inner, _score_bias = moved(before[1], gan.discriminator)  # cancels out where only differences of scores count
    assert all(inner)
    assert [step.index for step in steps] == [1, 2, 3]
    for step in steps:
        values = step.values()
        assert all(value == value for value in values.values())
        assert all(0 < values[name] < 1 for name in ("d_real", "d_fake_before_g", "d_fake_after_g"))
        assert (values["penalty"] > 0) == (loss in ("wasserstein-gp", "relativistic"))


def test_it_is_the_usual_step():
    """One step of pytorch/examples' loop, written anew."""
    torch.manual_seed(0)
    generator, discriminator = Generator(), Discriminator().eval()  # no dropout: its draws would be others
    gan = GanState(generator, discriminator, TrainingOptions(), seed=3)
    gan.discriminator.eval()
    torch.manual_seed(0)
    g, d = Generator().train(), Discriminator().eval()
    adams = [torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.5, 0.999)) for each in (g, d)]
    images, labels = torch.rand(8, 1, 8, 8) * 2 - 1, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    loss = nn.BCEWithLogitsLoss()
    fake = g(torch.randn(8, 6, generator=torch.Generator().manual_seed(3)), labels)
    d_loss = loss(d(images, labels), torch.ones(8)) + loss(d(fake.detach(), labels), torch.zeros(8))
    d_loss.backward()
    adams[1].step()
    g_loss = loss(d(fake, labels), torch.ones(8))
    g_loss.backward()
    adams[0].step()
    step = next(train_steps(gan, iter([(images, labels)])))
    assert step.values()["discriminator_loss"] == pytest.approx(d_loss.item(), rel=1e-5)
    assert step.values()["generator_loss"] == pytest.approx(g_loss.item(), rel=1e-5)
    for mine, usual in ((gan.generator, g), (gan.discriminator, d)):
        for one, two in zip(mine.parameters(), usual.parameters(), strict=True):
            torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("d", "g"), [(1, 1), (5, 1), (1, 5)])
def test_updates_are_as_many_as_asked_for(new_gan, data, d, g, monkeypatch):
    gan, counted = new_gan(discriminator=OptimizerOptions(updates=d), generator=OptimizerOptions(updates=g)), []
    for name, adam in gan.adams.items():
        usual = adam.step
        monkeypatch.setattr(adam, "step", lambda usual=usual, name=name: (counted.append(name), usual()))
    taken = []
    batches = (taken.append(1) or batch for batch in data())
    next(train_steps(gan, batches))
    assert counted == ["discriminator"] * d + ["generator"] * g
    assert len(taken) == d
    assert gan.ema.steps == g


def test_no_gradient_of_ds_weights_is_computed_while_g_learns_and_none_of_gs_while_d_does(new_gan, data):
    gan, asked = new_gan(), []
    gan.discriminator.register_forward_pre_hook(
        lambda module, inputs: asked.append((next(module.parameters()).requires_grad, inputs[0].requires_grad))
    )
    next(train_steps(gan, data()))
    assert asked == [(True, False), (True, False), (False, True)]
    assert all(weight.requires_grad for weight in gan.discriminator.parameters())


def test_real_and_generated_images_pass_in_separate_batches(new_gan, data):
    gan, calls = new_gan(), []
    gan.discriminator.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0].detach().clone()))
    images, labels = next(data())
    next(train_steps(gan, iter([(images, labels)])))
    assert [len(each) for each in calls] == [8, 8, 8]
    assert torch.equal(calls[0], images)


def test_concatenated_real_and_fake_images_give_the_same_gradients():
    images, labels = torch.rand(8, 1, 8, 8) * 2 - 1, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    states, calls = [], []
    for concat_real_fake in (False, True):
        torch.manual_seed(0)
        pair = conditional_mlp(size=8, latent_size=6, generator_classes=3, discriminator_classes=3, width=16)
        states.append(GanState(pair.generator, pair.discriminator, TrainingOptions(concat_real_fake=concat_real_fake)))
        pair.discriminator.eval()  # no dropout: its draws would be others
        pair.discriminator.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
        list(islice(train_steps(states[-1], repeat((images, labels))), 2))
    assert calls == [8, 8, 8] * 2 + [16, 8] * 2
    for one, two in zip(*(weights(gan.discriminator) + weights(gan.generator) for gan in states), strict=True):
        torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


def test_concatenation_is_refused_with_batch_normalisation(new_gan):
    with pytest.raises(BadSetting, match="batch normalisation"):
        new_gan(concat_real_fake=True)


def test_generated_images_have_the_labels_of_the_data(new_gan, data):
    gan, conditions = new_gan(generator=OptimizerOptions(updates=2)), []
    gan.generator.register_forward_pre_hook(lambda _, inputs: conditions.append(inputs[1]))
    batch = next(data())
    next(train_steps(gan, iter([batch])))
    assert len(conditions) == 2
    assert all(torch.equal(labels, batch[1]) for labels in conditions)


def test_the_same_seed_gives_the_same_training(new_gan, data):
    states = [new_gan(diffaugment=True) for _ in range(2)]
    for gan in states:
        torch.manual_seed(9)
        list(islice(train_steps(gan, data()), 4))
    for one, two in zip(*(gan.state().values() for gan in states), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    "options", [{}, {"loss": "relativistic", "diffaugment": True}, {"channels_last": True, "fused": True}]
)
def test_resume_is_bit_identical(new_gan, data, options):
    whole, first = new_gan(**options), new_gan(**options)
    torch.manual_seed(5)
    list(islice(train_steps(whole, data()), 6))
    torch.manual_seed(5)
    list(islice(train_steps(first, data()), 3))
    state = first.state()
    second = new_gan(seed=8, **options)
    second.restore(state)
    list(islice(train_steps(second, data(start=3)), 3))
    assert second.steps == 6
    expected, restored = whole.state(), second.state()
    assert expected.keys() == restored.keys()
    for name in expected:
        assert torch.equal(expected[name], restored[name]), name


def test_a_state_of_other_networks_is_refused(new_gan):
    state = {name: value for name, value in new_gan().state().items() if name != "generator.norm.weight"}
    with pytest.raises(BadSetting, match="other networks"):
        new_gan().restore(state)


def test_a_state_does_not_change_with_further_steps(new_gan, data):
    gan = new_gan()
    state = gan.state()
    copies = {name: value.clone() for name, value in state.items()}
    next(train_steps(gan, data()))
    assert all(torch.equal(copies[name], state[name]) for name in copies)
