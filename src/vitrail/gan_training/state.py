"""A game between a generator and a discriminator: its rules, where it stands, and all that going on needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.distributed import broadcast_parameters, rank_and_world_size
from vitrail.errors import BadSetting, one_line
from vitrail.gan_training.ema import Ema, has_batch_norm
from vitrail.gan_training.losses import LOSSES, Loss, Value, cross_entropy
from vitrail.gan_training.sync_batch_norm import use_sync_batch_norm


@dataclass(frozen=True)
class OptimizerOptions:
    """How one of the two learns: updates a step, and Adam's settings."""

    updates: int = 1
    rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999


@dataclass(frozen=True)
class TrainingOptions:
    """How a game is played.

    Attributes:
        loss: by name in `LOSSES`.
        smoothing: real images count as real by 1 - smoothing only (Salimans et al., 2016,
            https://arxiv.org/abs/1606.03498); for losses of probabilities.
        penalty: weight of the loss's penalty on slopes; None: the loss's own.
        mismatched: D also sees real images under labels of others, which count as generated (Reed et al., 2016,
            https://arxiv.org/abs/1605.05396); for losses that do not pair images.
        augment: both players' images reach D through `augmented`.
        decay: of the generator's moving average.
        channels_last, fused: quicker ways to the same numbers, but for rounding.
        joined: another for a D without batch normalisation, which sees real and generated images as one batch; what
            dropout draws is other numbers then.
        half: convolutions and products in bfloat16.
    """

    loss: str = "non-saturating"
    generator: OptimizerOptions = OptimizerOptions()
    discriminator: OptimizerOptions = OptimizerOptions()
    smoothing: float = 0.0
    penalty: float | None = None
    mismatched: bool = False
    augment: bool = False
    decay: float = 0.999
    channels_last: bool = False
    fused: bool = False
    joined: bool = False
    bfloat16: bool = False


def loss_of(options: TrainingOptions) -> Loss:
    """The loss that the rules name, smoothed and weighted as they say.

    Raises:
        UnknownName: there is none of that name.
        BadSetting: it takes no smoothing or no mismatched labels, or has no penalty to weight.
    """
    loss: Loss = LOSSES[options.loss]
    if options.mismatched and loss.relativistic:
        raise BadSetting(f"{options.loss} pairs images, and takes no mismatched labels; non-saturating would.")
    if options.penalty is not None:
        loss = _weighted(loss, options.loss, options.penalty)
    if not options.smoothing:
        return loss
    if loss.discriminator is not cross_entropy:
        raise BadSetting(f"{options.loss} has no probabilities to smooth; non-saturating and saturating have.")
    return replace(loss, discriminator=lambda real, fake: cross_entropy(real, fake) + options.smoothing * real.mean())


def _weighted(loss: Loss, name: str, weight: float) -> Loss:
    penalty: Any = loss.penalty
    if penalty is None:
        raise BadSetting(f"{name} has no penalty to weight; wasserstein-gp and relativistic have.")

    def weighted(score: Any, real: Tensor, fake: Tensor, generator: torch.Generator) -> Value:
        value: Value = penalty(score, real, fake, generator, weight)
        return value

    return replace(loss, penalty=weighted)


class GanState:
    """Two players, their optimisers, the generator's average and the draws.

    Made in several processes at once (`together`), it starts from the players of rank 0, and normalises joined batches.

    Attributes:
        steps: how many are done.
        draws: where latents and augmentations come from; on the CPU, the same for every device.
    Raises:
        BadSetting: the rules contradict each other, or ask for joined images of a D with batch normalisation.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, options: TrainingOptions, *, seed: int = 0
    ) -> None:
        self.options, self.loss = options, loss_of(options)
        if options.joined and has_batch_norm(discriminator):
            raise BadSetting("Batch normalisation would tell joined images apart by their company; joined=False would.")
        layout: Any = torch.channels_last if options.channels_last else torch.contiguous_format
        self.layout = layout
        broadcast_parameters(generator, discriminator)
        self.generator = generator.to(memory_format=layout).train()
        self.discriminator = discriminator.to(memory_format=layout).train()
        self.ema = Ema(self.generator, options.decay)  # sampled by one rank alone: its norms are not joined
        if rank_and_world_size()[1] > 1:
            use_sync_batch_norm(self.generator, self.discriminator)
        self.adams = {
            "generator": _adam(self.generator, options.generator, fused=options.fused),
            "discriminator": _adam(self.discriminator, options.discriminator, fused=options.fused),
        }
        self.latent_size = int(generator.latent_size)  # type: ignore[arg-type]
        self.draws = torch.Generator().manual_seed(seed)
        self.steps = 0

    @property
    def device(self) -> torch.device:
        """Where the players are."""
        return next(self.generator.parameters()).device

    def state(self) -> dict[str, Tensor]:
        """All that the game needs to go on as if it had never stopped: by name, on the CPU."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.ema.network.state_dict(),
            **{f"{name}_adam": _flat(adam) for name, adam in self.adams.items()},
        }
        tensors = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        tensors |= {
            "steps": torch.tensor([self.steps, self.ema.steps]),
            "draws": self.draws.get_state(),
            "random": torch.get_rng_state(),  # dropout's
        }
        if self.device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self.device)
        return {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes back to `state`, which a game of the same players and rules gave.

        Raises:
            BadSetting: it was a game of other players.
        """
        try:
            for part, network in (
                ("generator", self.generator),
                ("discriminator", self.discriminator),
                ("average", self.ema.network),
            ):
                network.load_state_dict(select_prefix(part, state))
            for name, adam in self.adams.items():
                _unflatten(adam, select_prefix(f"{name}_adam", state))
            steps, draws, random = state["steps"], state["draws"], state["random"]
        except (RuntimeError, KeyError, ValueError) as error:
            reason = one_line(error)
            raise BadSetting(f"The checkpoint is of a game between other players ({reason}).") from None
        self.steps, self.ema.steps = (int(value) for value in steps)
        self.draws.set_state(draws)
        torch.set_rng_state(random)
        if "random_cuda" in state and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.device)


def _adam(network: nn.Module, player: OptimizerOptions, *, fused: bool) -> torch.optim.Adam:
    betas = (player.beta1, player.beta2)
    return torch.optim.Adam(network.parameters(), lr=player.rate, betas=betas, fused=fused or None)


def _flat(adam: torch.optim.Adam) -> dict[str, Tensor]:
    kept = adam.state_dict()["state"]
    return {f"{number}.{name}": torch.as_tensor(value) for number, of in kept.items() for name, value in of.items()}


def _unflatten(adam: torch.optim.Adam, flat: Mapping[str, Tensor]) -> None:
    whole = adam.state_dict()
    kept: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        number, _, key = name.partition(".")
        kept.setdefault(int(number), {})[key] = value.clone()
    adam.load_state_dict({**whole, "state": kept})
    for weight, moments in adam.state.items():  # in the layout of the weight, which fused steps take for granted
        for key, value in moments.items():
            if value.shape == weight.shape:
                moments[key] = torch.empty_like(weight).copy_(value)


def select_prefix(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part of a state, as `average`, by the names they have in its network."""
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}
