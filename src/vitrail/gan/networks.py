"""Generator and discriminator of a run: their description, the networks built from it, and their conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.gan.description import MAX_SIZE, takes_backbone
from vitrail.gan_architectures import GANS
from vitrail.gan_architectures.pair import GanPair
from vitrail.gan_training.arguments import check_flag
from vitrail.gan_training.autotune import GRAPH, REFERENCE, Batch, Networks, autotune
from vitrail.gan_training.losses import LOSSES
from vitrail.gan_training.state import GanState, TrainingOptions
from vitrail.validation import check_count

WIDTHS = {"conditional-mlp": 256, "residual": 32, "projected": 16}
"""Of the others: 32, and 64 for images of 64 pixels and more."""

NATURAL = (32, 64, 128, 256)  # sides of photographs for which "auto" is projected

MODES = ("channels_last", "fused", "concat_real_fake", "graph")  # of `TrainingOptions`: the same results up to rounding
REFERENCE_CHOICE: dict[str, Any] = {"mode": REFERENCE, "reason": "autotune is off", **dict.fromkeys(MODES, False)}


@dataclass(frozen=True)
class NetworkOptions:
    """Options of generator and discriminator.

    Attributes:
        architecture: a name in `GANS`; "auto": projected for photographs of 32 pixels and more, otherwise
            conditional-dcgan with labels and dcgan without.
        conditional: whether the generator is conditional; None: where there are labels.
        discriminator_sees_label: whether the discriminator is conditional, too.
        latent_size: dimension of the latents.
        width: channels of the layer next to the image; None: the architecture's default.
        backbone: the frozen network of the discriminator, of an architecture that has one; None: efficientnet-lite0.
    Raises:
        UnknownName: there is no such architecture.
        BadSetting: a value out of range.
    """

    architecture: str = "auto"
    conditional: bool | None = None
    discriminator_sees_label: bool = True
    latent_size: int = 100
    width: int | None = None
    backbone: str | None = None

    def __post_init__(self) -> None:
        if self.architecture != "auto":
            GANS.check(self.architecture)
        check_flag("conditional", self.conditional, optional=True)
        check_flag("discriminator_sees_label", self.discriminator_sees_label)
        check_count("latent_size", self.latent_size, most=MAX_SIZE)  # a wider network could not be loaded again
        if self.width is not None:
            check_count("width", self.width, most=MAX_SIZE)
        if self.backbone is not None:
            BACKBONES.check(self.backbone)


def describe(train: PixelSet, options: NetworkOptions) -> dict[str, Any]:
    """Description of the networks for these images, in JSON values: `build` makes the networks from it.

    `architecture`, `arguments` of its function, `names` of the classes or attributes, whether they are `attributes`,
    and `condition`: the distinct conditions of the training images with their counts.

    Raises:
        BadSetting: a conditional generator without labels, or of an architecture that takes none.
    """
    has_labels = bool(train.names) and options.architecture != "dcgan"
    if options.conditional and not has_labels:
        reason = "dcgan takes none" if train.names else "these images have none"
        raise BadSetting(f"A conditional generator needs labels, and {reason}. Use --no-conditional.")
    classes = len(train.names) if has_labels and options.conditional is not False else 0
    architecture = options.architecture
    if architecture == "auto":
        architecture = _default_architecture(train, has_classes=bool(classes))
    backbone = _backbone(architecture, options.backbone)
    if architecture.startswith("conditional") and not classes:
        raise BadSetting(f"The architecture {architecture} needs labels; there are none. Use dcgan.")
    return {
        "architecture": architecture,
        "arguments": {
            "size": train.size,
            "channels": train.channels,
            "latent_size": options.latent_size,
            "generator_classes": classes,
            "discriminator_classes": classes if options.discriminator_sees_label else 0,
            "width": options.width or WIDTHS.get(architecture, 64 if train.size >= 64 else 32),
            **({"backbone": backbone} if backbone else {}),
        },
        "names": list(train.names) if classes else [],
        "attributes": bool(classes) and train.has_attributes,
        "condition": _frequencies(train) if classes else [],
    }


def _default_architecture(train: PixelSet, *, has_classes: bool) -> str:
    if train.photographic and train.size in NATURAL:
        return "projected"
    return "conditional-dcgan" if has_classes else "dcgan"


def _backbone(architecture: str, given: str | None) -> str | None:
    """The frozen network of the discriminator; None: this architecture has none.

    Raises:
        BadSetting: one is given for an architecture that has none.
    """
    if takes_backbone(architecture):
        return given or DEFAULT_BACKBONE
    if given:
        raise BadSetting(
            f"The discriminator of {architecture} is trained whole and takes no backbone; got {given!r}. "
            "Use --architecture projected."
        )
    return None


def build(description: Mapping[str, Any], *, seed: int = 0) -> GanPair:
    """Generator and discriminator of a description, with initial weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair: GanPair = GANS[description["architecture"]](**description["arguments"])
    return pair


def check_networks(description: Mapping[str, Any]) -> None:
    """Builds the networks of a description, and forgets them.

    Raises:
        BadSetting: the architecture has no images of this size.
        UnknownName, MissingWeights, BadWeights: the frozen network cannot be loaded.
    """
    pair = build(description)
    _ = pair.discriminator


def trained_parameters(networks: Networks) -> dict[str, int]:
    """Numbers of parameters of generator and discriminator; a frozen network has none."""
    parts = {"generator": networks.generator, "discriminator": networks.discriminator}
    return {name: sum(weight.numel() for weight in network.parameters()) for name, network in parts.items()}


def resolve_options(options: TrainingOptions, description: Mapping[str, Any]) -> TrainingOptions:
    """The options with `mismatched_labels` decided: used where D gets labels and the loss does not pair images.

    Raises:
        BadSetting: mismatched labels for a discriminator that gets no labels.
    """
    sees_labels = description["arguments"]["discriminator_classes"] > 0
    if options.mismatched_labels and not sees_labels:
        raise BadSetting("Mismatched labels need a discriminator that gets labels. Use --no-mismatched-labels.")
    if options.mismatched_labels is not None:
        return options
    return replace(options, mismatched_labels=sees_labels and not LOSSES[options.loss].relativistic)


def initialise(
    description: Mapping[str, Any],
    options: TrainingOptions,
    batch: Batch,
    *,
    seed: int,
    tune: bool,
    choice: Mapping[str, Any] | None = None,
) -> tuple[GanState, dict[str, Any]]:
    """A new state on the batch's device, and the training mode that it uses (the key `choices` of `result.json`).

    Args:
        batch: of the size that this process trains on.
        tune: whether the fastest equivalent mode is determined by timing; otherwise the reference mode is used.
        choice: the mode of the checkpoint that the run resumes from, or of the run that is repeated.
    """
    pair = build(description, seed=seed)
    pair.generator.to(batch[0].device)
    pair.discriminator.to(batch[0].device)
    if choice is None and tune:
        fastest = autotune(pair, options, batch)
        choice = {"mode": fastest.mode, "reason": "fastest by timing", "speedup": fastest.speedups}
        choice |= {name: getattr(fastest.options, name) for name in MODES}
        choice |= {"warning": without_graph(fastest.failures[GRAPH])} if GRAPH in fastest.failures else {}
    choice = {"graph": False, **(choice or REFERENCE_CHOICE)}  # checkpoints of before have no graph
    options = replace(options, **{name: choice[name] for name in MODES})
    return GanState(pair.generator, pair.discriminator, options, seed=seed), choice


def without_graph(reason: str) -> str:
    """The warning that a step runs without a CUDA graph."""
    return f"The training step could not be captured as a CUDA graph, and runs without one: {reason.rstrip('.')}."


def condition_table(description: Mapping[str, Any]) -> torch.Tensor:
    """The condition of each training image, (N,) classes or (N, A) attributes; one zero without conditions."""
    if not description["condition"]:
        return torch.zeros(1, dtype=torch.long)
    rows = torch.tensor([row for row, _ in description["condition"]])
    counts = torch.tensor([count for _, count in description["condition"]])
    return (
        rows.float().repeat_interleave(counts, dim=0) if description["attributes"] else rows.repeat_interleave(counts)
    )


def condition_name(values: Sequence[float], names: Sequence[str]) -> str:
    """A combination of attributes for people: `+Male −Young`."""
    return " ".join(f"{'+' if value > 0 else '−'}{name}" for value, name in zip(values, names, strict=True))


def _frequencies(train: PixelSet) -> list[list[Any]]:
    rows, counts = torch.unique(train.labels, dim=0, return_counts=True)
    return [[row, count] for row, count in zip(rows.long().tolist(), counts.tolist(), strict=True)]
