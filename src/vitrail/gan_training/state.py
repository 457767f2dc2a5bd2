"""The state of a GAN training (networks, optimisers, EMA, random numbers) and the options it is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.distributed import broadcast_parameters, rank_and_world_size
from vitrail.errors import BadSetting, one_line
from vitrail.gan_training.arguments import check_flag, check_kind
from vitrail.gan_training.ema import Ema, has_batch_norm
from vitrail.gan_training.losses import LOSSES, Loss, Value, cross_entropy
from vitrail.gan_training.step_graph import StepGraph
from vitrail.gan_training.sync_batch_norm import use_sync_batch_norm
from vitrail.validation import check_count, check_number

MOST_UPDATES = 100  # of one network in a step


@dataclass(frozen=True)
class OptimizerOptions:
    """Adam for one network, and the number of its updates in a training step.

    Raises:
        BadSetting: a value out of range.
    """

    updates: int = 1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999

    def __post_init__(self) -> None:
        check_count("updates", self.updates, most=MOST_UPDATES)
        check_number("learning_rate", self.learning_rate, above=0)
        check_number("beta1", self.beta1, least=0, below=1)
        check_number("beta2", self.beta2, least=0, below=1)


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a GAN training.

    Attributes:
        loss: a name in `LOSSES`.
        generator, discriminator: the optimizer of each.
        label_smoothing: one-sided label smoothing, the target for real images is 1 minus this (Salimans et al., 2016,
            https://arxiv.org/abs/1606.03498); for losses on probabilities.
        gradient_penalty: weight of the loss's gradient penalty; None: the loss's default.
        mismatched_labels: D also gets real images under wrong labels, with the target "generated" (Reed et al., 2016,
            https://arxiv.org/abs/1605.05396); for losses that do not pair images. None: not decided yet, no here; see
            `vitrail.gan.networks.resolve_options`.
        diffaugment: D gets real and generated images through `augment`.
        ema_decay: decay of the moving average of the generator's weights.
        channels_last, fused: faster modes with the same results up to rounding.
        graph: the step as one CUDA graph (`step_graph`), where that is possible; the same results up to rounding.
        concat_real_fake: D gets real and generated images in one batch; not for D with batch normalisation. Same
            results up to rounding, except that dropout draws other numbers.
        bfloat16: convolutions and matrix products in bfloat16.
    Raises:
        UnknownName: there is no such loss.
        BadSetting: a value out of range.
    """

    loss: str = "non-saturating"
    generator: OptimizerOptions = OptimizerOptions()
    discriminator: OptimizerOptions = OptimizerOptions()
    label_smoothing: float = 0.0
    gradient_penalty: float | None = None
    mismatched_labels: bool | None = None
    diffaugment: bool = False
    ema_decay: float = 0.999
    channels_last: bool = False
    fused: bool = False
    graph: bool = False
    concat_real_fake: bool = False
    bfloat16: bool = False

    def __post_init__(self) -> None:
        LOSSES.check(self.loss)
        for network in ("generator", "discriminator"):
            check_kind(network, getattr(self, network), OptimizerOptions, "OptimizerOptions(learning_rate=2e-4)")
        check_number("label_smoothing", self.label_smoothing, least=0, below=1)
        if self.gradient_penalty is not None:
            check_number("gradient_penalty", self.gradient_penalty, least=0)
        check_flag("mismatched_labels", self.mismatched_labels, optional=True)
        check_number("ema_decay", self.ema_decay, least=0, below=1)
        for flag in ("diffaugment", "channels_last", "fused", "graph", "concat_real_fake", "bfloat16"):
            check_flag(flag, getattr(self, flag))


def loss_of(options: TrainingOptions) -> Loss:
    """The loss that the options name, with their label smoothing and weight of the gradient penalty.

    Raises:
        UnknownName: there is no loss of that name.
        BadSetting: the loss takes no label smoothing or no mismatched labels, or has no gradient penalty.
    """
    loss: Loss = LOSSES[options.loss]
    if options.mismatched_labels and loss.relativistic:
        raise BadSetting(f"The {options.loss} loss pairs images and takes no mismatched labels. Use non-saturating.")
    if options.gradient_penalty is not None:
        loss = _weighted(loss, options.loss, options.gradient_penalty)
    if not options.label_smoothing:
        return loss
    if loss.discriminator is not cross_entropy:
        raise BadSetting(
            f"The {options.loss} loss has no probabilities for label smoothing. Use non-saturating or saturating."
        )
    smoothing = options.label_smoothing
    return replace(loss, discriminator=lambda real, fake: cross_entropy(real, fake) + smoothing * real.mean())


def _weighted(loss: Loss, name: str, weight: float) -> Loss:
    penalty: Any = loss.penalty
    if penalty is None:
        raise BadSetting(f"The {name} loss has no gradient penalty. Use wasserstein-gp or relativistic.")

    def weighted(score: Any, real: Tensor, fake: Tensor, generator: torch.Generator) -> Value:
        value: Value = penalty(score, real, fake, generator, weight)
        return value

    return replace(loss, penalty=weighted)


class GanState:
    """Generator, discriminator, their optimisers, the generator's EMA and the random number generator.

    In a process group every rank starts from the weights of rank 0, and batch normalisation is synchronised.

    Attributes:
        steps: number of completed training steps.
        graph: the captured step, once `train_steps` made one.
        draws: source of latents and augmentations; on the CPU, so that it is the same for every device.
    Raises:
        BadSetting: the options contradict each other, or `concat_real_fake` is set for a D with batch normalisation.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, options: TrainingOptions, *, seed: int = 0
    ) -> None:
        self.options, self.loss = options, loss_of(options)
        if options.concat_real_fake and has_batch_norm(discriminator):
            raise BadSetting(
                "concat_real_fake cannot be used with batch normalisation, which leaks whether a batch is real or "
                "generated. Use concat_real_fake=False."
            )
        layout: Any = torch.channels_last if options.channels_last else torch.contiguous_format
        self.layout = layout
        broadcast_parameters(generator, discriminator)
        self.generator = generator.to(memory_format=layout).train()
        self.discriminator = discriminator.to(memory_format=layout).train()
        self.ema = Ema(self.generator, options.ema_decay)  # rank 0 samples from it alone: no synchronised batch norm
        if rank_and_world_size()[1] > 1:
            use_sync_batch_norm(self.generator, self.discriminator)
        self.adams = {
            "generator": _adam(self.generator, options.generator, options),
            "discriminator": _adam(self.discriminator, options.discriminator, options),
        }
        self.graph: StepGraph | None = None
        self.latent_size = int(generator.latent_size)  # type: ignore[arg-type]
        self.draws = torch.Generator().manual_seed(seed)
        self.steps = 0

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return next(self.generator.parameters()).device

    def state(self) -> dict[str, Tensor]:
        """Everything that a bit-identical resume needs: named tensors on the CPU."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "ema": self.ema.network.state_dict(),
            **{f"{name}_adam": _flat(adam) for name, adam in self.adams.items()},
        }
        tensors = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        tensors |= {
            "steps": torch.tensor([self.steps, self.ema.steps]),
            "draws": self.draws.get_state(),
            "random": torch.get_rng_state(),  # of dropout
        }
        if self.device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self.device)
        return {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state()` of a training with the same networks and options gave.

        Raises:
            BadSetting: the networks are others.
        """
        try:
            for part, network in (
                ("generator", self.generator),
                ("discriminator", self.discriminator),
                ("ema", self.ema.network),
            ):
                network.load_state_dict(select_prefix(part, state))
            for name, adam in self.adams.items():
                _unflatten(adam, select_prefix(f"{name}_adam", state))
            self.steps, self.ema.steps = (int(value) for value in state["steps"])
            self.draws.set_state(state["draws"])
            torch.set_rng_state(state["random"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = one_line(error)
            raise BadSetting(f"The checkpoint belongs to other networks ({reason}). Use its own settings.") from None
        if self.graph is not None:  # it would go on with the moments of before
            self.graph.clear()
        if "random_cuda" in state and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.device)


def _adam(network: nn.Module, options: OptimizerOptions, mode: TrainingOptions) -> torch.optim.Adam:
    weights, betas = list(network.parameters()), (options.beta1, options.beta2)
    capturable = mode.graph and weights[0].is_cuda  # its number of steps is on the device, where a graph can count it
    return torch.optim.Adam(
        weights, lr=options.learning_rate, betas=betas, fused=mode.fused or None, capturable=capturable
    )


def _flat(adam: torch.optim.Adam) -> dict[str, Tensor]:
    moments = adam.state_dict()["state"]
    return {f"{number}.{name}": torch.as_tensor(value) for number, of in moments.items() for name, value in of.items()}


def _unflatten(adam: torch.optim.Adam, flat: Mapping[str, Tensor]) -> None:
    whole = adam.state_dict()
    moments_by_weight: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        number, _, key = name.partition(".")
        moments_by_weight.setdefault(int(number), {})[key] = value.clone()
    adam.load_state_dict({**whole, "state": moments_by_weight})
    for weight, moments in adam.state.items():  # fused updates need the moments in the weight's memory layout
        for key, value in moments.items():
            if value.shape == weight.shape:
                moments[key] = torch.empty_like(weight).copy_(value)


def select_prefix(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part of a state (e.g. `ema`), by their names within that part."""
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}
