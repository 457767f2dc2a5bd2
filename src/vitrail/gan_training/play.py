"""The adversarial game, one step at a time (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitrail.gan_training.augmentation import augmented
from vitrail.gan_training.game import Game
from vitrail.gan_training.losses import Value
from vitrail.gan_training.together import average_slopes, joined, of_all, share
from vitrail.tensors import Scores, Signed, Told


@dataclass(frozen=True)
class GanStep:
    """What one step did; scalars without a graph, left on their device until somebody reads them.

    Attributes:
        index: of the step, from 1 on.
        discriminator_loss, generator_loss: of the last update of each, in the loss's own unit, penalties left out.
        penalty: of the last update of D; 0 where the loss has none.
        real: mean D(x), a probability.
        fake_before: mean D(G(z)) while D learned: after the G of the step before.
        fake_after: mean D(G(z)) while G learned: after D's update, before G's.
    """

    index: int
    discriminator_loss: Value
    generator_loss: Value
    penalty: Value
    real: Value
    fake_before: Value
    fake_after: Value

    def figures(self) -> dict[str, float]:
        """All as numbers."""
        return {name: float(value) for name, value in vars(self).items() if name != "index"}


def play(game: Game, batches: Iterator[tuple[Signed, Told]]) -> Iterator[GanStep]:
    """Trains both players in place, yielding after each step; whoever iterates decides when to stop.

    A step takes as many batches as D has updates. Generated images have the labels of the real ones beside them, so
    that their frequencies are the data's. Real and generated images do not pass D together, unless it has no batch
    normalisation, which would tell them apart by the company (`Rules.joined`). The images of D's last update serve G's
    first one, and D's weights are frozen while G learns.

    Args:
        batches: (B, C, H, W) in [-1, 1] and labels (B,), on the game's device.
    """
    rules = game.rules
    while True:
        for left in reversed(range(rules.discriminator.updates)):
            real, labels = next(batches)
            real = real.contiguous(memory_format=game.layout)
            with _half(game), torch.set_grad_enabled(left == 0):
                fake = game.generator(_latents(game, len(real)), labels)
            learned = _discriminate(game, real, fake, labels)
        for number in range(rules.generator.updates):
            if number:
                with _half(game):
                    fake = game.generator(_latents(game, len(real)), labels)
            loss, after = _generate(game, real, fake, labels)
            game.average.follow(game.generator)
        game.steps += 1
        yield GanStep(game.steps, **learned, generator_loss=loss, fake_after=after)


def _discriminate(game: Game, real: Signed, fake: Signed, labels: Told) -> dict[str, Value]:
    """One update of D, and what `GanStep` says of it."""

    def score(images: Tensor) -> Scores:
        found: Scores = game.discriminator(images, labels)
        return found

    real, fake = _seen(game, real), _seen(game, fake.detach())
    with _half(game):
        if game.rules.joined:  # larger products, and one slope of each weight instead of two to add
            of_real, of_fake = game.discriminator(torch.cat([real, fake]), torch.cat([labels, labels])).chunk(2)
        else:
            of_real, of_fake = score(real), score(fake)
        of_real, of_fake = joined(of_real.float()), joined(of_fake.float())
        wrong = torch.cat([of_fake, _mislabelled(game, real, labels)]) if game.rules.mismatched else of_fake
    loss, penalty = game.loss.discriminator(of_real, wrong), torch.zeros((), device=game.device)
    if game.loss.penalty is not None:
        penalty = game.loss.penalty(score, real, fake, game.draws)
    _update(game, "discriminator", loss + penalty)
    return {
        "discriminator_loss": loss.detach(),
        "penalty": of_all(penalty.detach()).mean(),
        "real": _mean_probability(of_real),
        "fake_before": _mean_probability(of_fake),
    }


def _mislabelled(game: Game, real: Signed, labels: Told) -> Tensor:
    """Scores of real images under labels of others, where those are different."""
    every, (count, mine) = joined(labels), share(len(labels))
    others = every[torch.randperm(count, generator=game.draws).to(labels.device)]
    scores: Scores = joined(game.discriminator(real, others[mine]).float())
    return scores[(others != every).reshape(count, -1).any(dim=1)]


def _generate(game: Game, real: Signed, fake: Signed, labels: Told) -> tuple[Value, Value]:
    """One update of G: its loss, and mean D(G(z)) before it."""
    with _frozen(game.discriminator), _half(game):
        scores = joined(game.discriminator(_seen(game, fake), labels).float())
        beside = scores
        if game.loss.compares:
            with torch.no_grad():
                beside = joined(game.discriminator(_seen(game, real), labels).float())
    loss = game.loss.generator(scores, beside)
    _update(game, "generator", loss)
    return loss.detach(), _mean_probability(scores)


def _mean_probability(scores: Scores) -> Value:
    return scores.detach().sigmoid().mean()


def _update(game: Game, player: str, loss: Value) -> None:
    adam = game.adams[player]
    adam.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    average_slopes(adam.param_groups[0]["params"])
    adam.step()


def _seen(game: Game, images: Signed) -> Signed:
    return augmented(images, game.draws) if game.rules.augment else images


def _latents(game: Game, count: int) -> Tensor:
    joined, mine = share(count)
    return torch.randn(joined, game.latent_size, generator=game.draws)[mine].to(game.device)


def _half(game: Game) -> torch.autocast:
    return torch.autocast(game.device.type, torch.bfloat16, enabled=game.rules.half)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No gradient is computed for the network's weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
