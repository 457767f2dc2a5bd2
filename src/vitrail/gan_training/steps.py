"""GAN training steps (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.devices import copy_unwaited
from vitrail.distributed import all_gather, all_reduce_gradients, gather_batch, local_slice, rank_and_world_size
from vitrail.gan_training.augmentation import augment
from vitrail.gan_training.losses import Value
from vitrail.gan_training.state import GanState
from vitrail.gan_training.step_graph import StepGraph
from vitrail.tensors import Condition, Scores, SignedImages


@dataclass(frozen=True)
class GanStep:
    """Values of one training step: detached scalars, still on their device.

    Attributes:
        index: number of the step, from 1.
        discriminator_loss, generator_loss: of the last update of each, in the loss's unit, without the penalty.
        penalty: gradient penalty in the last update of D; 0 where the loss has none.
        d_real: mean D(x), a probability.
        d_fake_before_g: mean D(G(z)) in D's update, with the G of the previous step; D(G(z1)) in DCGAN logs.
        d_fake_after_g: mean D(G(z)) in G's update, after D's; D(G(z2)) in DCGAN logs.
    """

    index: int
    discriminator_loss: Value
    generator_loss: Value
    penalty: Value
    d_real: Value
    d_fake_before_g: Value
    d_fake_after_g: Value

    def values(self) -> dict[str, float]:
        """All values but the index, as floats; a GPU is waited for once."""
        return dict(zip(VALUES, self.row().tolist(), strict=True))

    def row(self) -> Tensor:
        """The same as one tensor, on their device."""
        return torch.stack([getattr(self, name).float() for name in VALUES])


VALUES = tuple(field.name for field in fields(GanStep) if field.name != "index")
"""Names of a step's values."""


def train_steps(state: GanState, batches: Iterator[tuple[SignedImages, Condition]]) -> Iterator[GanStep]:
    """Trains both networks in place and yields after each step, without end: the caller stops iterating.

    A step takes one batch for each update of D. Generated images get the labels of the real batch, so that labels are
    as frequent as in the data. Real and generated images pass D in separate batches, unless D has no batch
    normalisation (`TrainingOptions.concat_real_fake`). The images of D's last update are used again in G's first
    update. D's weights are frozen in G's updates.

    Args:
        batches: images (B, C, H, W) in [-1, 1] and their conditions, labels (B,) or attributes (B, A), on the
            networks' device.
    """
    options = state.options
    while True:
        weights = [state.ema.next_weight() for _ in range(options.generator.updates)]
        graph = _step_graph(state)
        if graph is None:
            values = _step(state, batches, weights)
        else:
            taken = [each for batch in islice(batches, options.discriminator.updates) for each in batch]
            key = (*(each.shape for each in taken), *(group["lr"] for group in _groups(state)))
            row = graph(key, [*taken, torch.tensor(weights)])
            values = dict(zip(VALUES, row.unbind(), strict=True))
        state.steps += 1
        yield GanStep(state.steps, **values)


def _step(
    state: GanState, batches: Iterator[tuple[SignedImages, Condition]], weights: Iterable[float | Tensor]
) -> dict[str, Value]:
    """One step; the values of `GanStep`.

    Args:
        weights: of G in each update of the moving average.
    """
    for left in reversed(range(state.options.discriminator.updates)):
        real, labels = next(batches)
        real = real.contiguous(memory_format=state.layout)
        with _autocast(state), torch.set_grad_enabled(left == 0):
            fake = state.generator(_latents(state, len(real)), labels)
        d_values = _discriminate(state, real, fake, labels)
    for number, weight in enumerate(weights):
        if number:
            with _autocast(state):
                fake = state.generator(_latents(state, len(real)), labels)
        loss, d_fake = _generate(state, real, fake, labels)
        state.ema.update(state.generator, weight)
    return {**d_values, "generator_loss": loss, "d_fake_after_g": d_fake}


def _step_graph(state: GanState) -> StepGraph | None:
    """The graph of the step, where one is wanted and can be: on CUDA, in one process."""
    if state.graph is None and state.options.graph and state.device.type == "cuda" and rank_and_world_size()[1] == 1:
        state.graph = StepGraph(partial(_flat_step, state), state.draws, state.device)
    return state.graph


def _flat_step(state: GanState, *tensors: Tensor) -> Tensor:
    """`_step` of tensors, (7,): the values in the order of `VALUES`; of batches, one after another, and the weights."""
    *flat, weights = tensors
    batches = iter(list(zip(flat[::2], flat[1::2], strict=True)))
    values = _step(state, batches, weights.unbind())
    return torch.stack([values[name].detach().float() for name in VALUES])


def _groups(state: GanState) -> Iterator[dict[str, Any]]:
    for adam in state.adams.values():
        yield from adam.param_groups


def _discriminate(state: GanState, real: SignedImages, fake: SignedImages, labels: Condition) -> dict[str, Value]:
    """One update of D; its values for `GanStep`."""

    def score(images: Tensor) -> Scores:
        scores: Scores = state.discriminator(images, labels)
        return scores

    real, fake = _augmented(state, real), _augmented(state, fake.detach())
    with _autocast(state):
        if state.options.concat_real_fake:  # larger matrix products, one weight gradient instead of a sum of two
            d_real, d_fake = state.discriminator(torch.cat([real, fake]), torch.cat([labels, labels])).chunk(2)
        else:
            d_real, d_fake = score(real), score(fake)
        d_real, d_fake = gather_batch(d_real.float()), gather_batch(d_fake.float())
        mislabelled = _mislabelled(state, real, labels) if state.options.mismatched_labels else None
    loss, penalty = _discriminator_loss(state, d_real, d_fake, mislabelled), torch.zeros((), device=state.device)
    if state.loss.penalty is not None:
        penalty = state.loss.penalty(score, real, fake, state.draws)
    _update(state, "discriminator", loss + penalty)
    return {
        "discriminator_loss": loss.detach(),
        "penalty": all_gather(penalty.detach()).mean(),
        "d_real": _mean_probability(d_real),
        "d_fake_before_g": _mean_probability(d_fake),
    }


def _discriminator_loss(
    state: GanState, d_real: Scores, d_fake: Scores, mislabelled: tuple[Scores, Tensor] | None
) -> Value:
    if mislabelled is None:
        return state.loss.discriminator(d_real, d_fake)
    scores, differ = mislabelled
    if not state.options.graph:
        return state.loss.discriminator(d_real, torch.cat([d_fake, scores[differ]]))
    # The same without a shape that depends on values, which a graph cannot have: each loss that takes mismatched labels
    # is a mean over the scores of the images that are to be refused, so those that do not count get no weight in it.
    weights = torch.cat([d_fake.new_ones(len(d_fake)), differ.to(d_fake)])
    each = torch.vmap(lambda score: state.loss.discriminator(d_real, score[None]))(torch.cat([d_fake, scores]))
    return (each * weights).sum() / weights.sum()


def _mislabelled(state: GanState, real: SignedImages, labels: Condition) -> tuple[Scores, Tensor]:
    """Scores of real images under shuffled labels, and where those differ from their own."""
    every, (count, mine) = gather_batch(labels), local_slice(len(labels))
    others = every[copy_unwaited(torch.randperm(count, generator=state.draws), labels.device)]
    scores: Scores = gather_batch(state.discriminator(real, others[mine]).float())
    return scores, (others != every).reshape(count, -1).any(dim=1)


def _generate(state: GanState, real: SignedImages, fake: SignedImages, labels: Condition) -> tuple[Value, Value]:
    """One update of G; its loss, and the mean D(G(z)) before it."""
    with _frozen(state.discriminator), _autocast(state):
        scores = gather_batch(state.discriminator(_augmented(state, fake), labels).float())
        real_scores = scores
        if state.loss.relativistic:
            with torch.no_grad():
                real_scores = gather_batch(state.discriminator(_augmented(state, real), labels).float())
    loss = state.loss.generator(scores, real_scores)
    _update(state, "generator", loss)
    return loss.detach(), _mean_probability(scores)


def _mean_probability(scores: Scores) -> Value:
    return scores.detach().sigmoid().mean()


def _update(state: GanState, network: str, loss: Value) -> None:
    adam = state.adams[network]
    adam.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    all_reduce_gradients(adam.param_groups[0]["params"])
    adam.step()


def _augmented(state: GanState, images: SignedImages) -> SignedImages:
    return augment(images, state.draws) if state.options.diffaugment else images


def _latents(state: GanState, count: int) -> Tensor:
    batch, mine = local_slice(count)
    return copy_unwaited(torch.randn(batch, state.latent_size, generator=state.draws)[mine], state.device)


def _autocast(state: GanState) -> torch.autocast:
    return torch.autocast(state.device.type, torch.bfloat16, enabled=state.options.bfloat16)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Inside, no gradient is computed for the network's weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
