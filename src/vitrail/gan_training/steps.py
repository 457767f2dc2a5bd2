"""The adversarial game, one step at a time (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitrail.distributed import all_gather, all_reduce_gradients, gather_batch, local_slice
from vitrail.gan_training.augmentation import augmented
from vitrail.gan_training.losses import Value
from vitrail.gan_training.state import GanState
from vitrail.tensors import Condition, Scores, SignedImages


@dataclass(frozen=True)
class GanStep:
    """What one step did; scalars without a graph, left on their device until somebody reads them.

    Attributes:
        index: of the step, from 1 on.
        discriminator_loss, generator_loss: of the last update of each, in the loss's own unit, penalties left out.
        penalty: of the last update of D; 0 where the loss has none.
        real: mean D(x), a probability.
        d_fake_before_g: mean D(G(z)) while D learned: after the G of the step before.
        d_fake_after_g: mean D(G(z)) while G learned: after D's update, before G's.
    """

    index: int
    discriminator_loss: Value
    generator_loss: Value
    penalty: Value
    real: Value
    d_fake_before_g: Value
    d_fake_after_g: Value

    def figures(self) -> dict[str, float]:
        """All as numbers."""
        return {name: float(value) for name, value in vars(self).items() if name != "index"}


def train_steps(state: GanState, batches: Iterator[tuple[SignedImages, Condition]]) -> Iterator[GanStep]:
    """Trains both players in place, yielding after each step; whoever iterates decides when to stop.

    A step takes as many batches as D has updates. Generated images have the labels of the real ones beside them, so
    that their frequencies are the data's. Real and generated images do not pass D together, unless it has no batch
    normalisation, which would tell them apart by the company (`Rules.joined`). The images of D's last update serve G's
    first one, and D's weights are frozen while G learns.

    Args:
        batches: (B, C, H, W) in [-1, 1] and labels (B,), on the game's device.
    """
    options = state.options
    while True:
        for left in reversed(range(options.discriminator.updates)):
            real, labels = next(batches)
            real = real.contiguous(memory_format=state.layout)
            with _autocast(state), torch.set_grad_enabled(left == 0):
                fake = state.generator(_latents(state, len(real)), labels)
            learned = _discriminate(state, real, fake, labels)
        for number in range(options.generator.updates):
            if number:
                with _autocast(state):
                    fake = state.generator(_latents(state, len(real)), labels)
            loss, after = _generate(state, real, fake, labels)
            state.ema.follow(state.generator)
        state.steps += 1
        yield GanStep(state.steps, **learned, generator_loss=loss, d_fake_after_g=after)


def _discriminate(state: GanState, real: SignedImages, fake: SignedImages, labels: Condition) -> dict[str, Value]:
    """One update of D, and what `GanStep` says of it."""

    def score(images: Tensor) -> Scores:
        found: Scores = state.discriminator(images, labels)
        return found

    real, fake = _seen(state, real), _seen(state, fake.detach())
    with _autocast(state):
        if state.options.joined:  # larger products, and one slope of each weight instead of two to add
            of_real, of_fake = state.discriminator(torch.cat([real, fake]), torch.cat([labels, labels])).chunk(2)
        else:
            of_real, of_fake = score(real), score(fake)
        of_real, of_fake = gather_batch(of_real.float()), gather_batch(of_fake.float())
        wrong = torch.cat([of_fake, _mislabelled(state, real, labels)]) if state.options.mismatched else of_fake
    loss, penalty = state.loss.discriminator(of_real, wrong), torch.zeros((), device=state.device)
    if state.loss.penalty is not None:
        penalty = state.loss.penalty(score, real, fake, state.draws)
    _update(state, "discriminator", loss + penalty)
    return {
        "discriminator_loss": loss.detach(),
        "penalty": all_gather(penalty.detach()).mean(),
        "real": _mean_probability(of_real),
        "d_fake_before_g": _mean_probability(of_fake),
    }


def _mislabelled(state: GanState, real: SignedImages, labels: Condition) -> Tensor:
    """Scores of real images under labels of others, where those are different."""
    every, (count, mine) = gather_batch(labels), local_slice(len(labels))
    others = every[torch.randperm(count, generator=state.draws).to(labels.device)]
    scores: Scores = gather_batch(state.discriminator(real, others[mine]).float())
    return scores[(others != every).reshape(count, -1).any(dim=1)]


def _generate(state: GanState, real: SignedImages, fake: SignedImages, labels: Condition) -> tuple[Value, Value]:
    """One update of G: its loss, and mean D(G(z)) before it."""
    with _frozen(state.discriminator), _autocast(state):
        scores = gather_batch(state.discriminator(_seen(state, fake), labels).float())
        beside = scores
        if state.loss.relativistic:
            with torch.no_grad():
                beside = gather_batch(state.discriminator(_seen(state, real), labels).float())
    loss = state.loss.generator(scores, beside)
    _update(state, "generator", loss)
    return loss.detach(), _mean_probability(scores)


def _mean_probability(scores: Scores) -> Value:
    return scores.detach().sigmoid().mean()


def _update(state: GanState, player: str, loss: Value) -> None:
    adam = state.adams[player]
    adam.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    all_reduce_gradients(adam.param_groups[0]["params"])
    adam.step()


def _seen(state: GanState, images: SignedImages) -> SignedImages:
    return augmented(images, state.draws) if state.options.augment else images


def _latents(state: GanState, count: int) -> Tensor:
    joined, mine = local_slice(count)
    return torch.randn(joined, state.latent_size, generator=state.draws)[mine].to(state.device)


def _autocast(state: GanState) -> torch.autocast:
    return torch.autocast(state.device.type, torch.bfloat16, enabled=state.options.bfloat16)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No gradient is computed for the network's weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
