"""The generator in a run folder: the best one of a finished training, else that of its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vitrail.backbones.weights import assemble
from vitrail.class_names import class_index
from vitrail.errors import BadRun, BadSetting, one_line
from vitrail.files import read_json
from vitrail.gan.checkpoints import latest_checkpoint
from vitrail.gan.networks import build, condition_name, condition_table
from vitrail.gan_training.checkpoints import unpack
from vitrail.gan_training.ema import recalibrate_batch_norm
from vitrail.gan_training.sampling import calibration_batches, generate_images, latents_of, sample_labels
from vitrail.gan_training.state import select_prefix
from vitrail.image_files import display_name
from vitrail.runs import read_run
from vitrail.tasks.gan_kept import check
from vitrail.tensors import Condition


@dataclass(frozen=True)
class Generator:
    """A generator and what it is told.

    Attributes:
        network: in evaluation mode, on its device.
        description: `architecture`, `arguments`, `names`, `attributes`, `condition`; what else belongs to it.
        settings: of the run that made it.
    """

    network: nn.Module = field(repr=False)
    description: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Classes or attributes it is told; none if it is told nothing."""
        return tuple(self.description["names"])

    @property
    def has_attributes(self) -> bool:
        """Whether what it is told is one number an attribute."""
        return bool(self.description["attributes"])

    @property
    def latent_size(self) -> int:
        """Numbers that an image is made from."""
        return int(self.description["arguments"]["latent_size"])

    @property
    def size(self) -> int:
        """Side of its images in pixels."""
        return int(self.description["arguments"]["size"])

    def latents(self, seed: int, count: int) -> Tensor:
        """(count, latent_size); row k is what seed + k gives alone."""
        return latents_of(seed, count, self.latent_size)

    def labels(self, wanted: Sequence[str], count: int, seed: int) -> Condition:
        """What `count` images are told.

        Args:
            wanted: one class, or attributes as `Male=1`; what is not said is drawn as among the real images.
        Raises:
            UnknownName: there is no such class or attribute.
            BadSetting: it is told nothing, or an attribute is neither 0 nor 1.
        """
        drawn = sample_labels(condition_table(self.description), count, seed)
        if not wanted:
            return drawn
        if not self.names:
            raise BadSetting(f"This generator is told nothing, so {wanted[0]!r} cannot be asked of it; leave it out.")
        if not self.has_attributes:
            if len(wanted) > 1:
                raise BadSetting(f"An image has one class; got {', '.join(wanted)}; run once for each.")
            return torch.full((count,), class_index(self.names, wanted[0]))
        labels = drawn.clone()
        for index, value in (self.attribute(word) for word in wanted):
            labels[:, index] = value
        return labels

    def attribute(self, word: str) -> tuple[int, float]:
        """`Male=1` as the index of Male and 1, `Male=0` as the same and -1.

        Raises:
            UnknownName, BadSetting: as `labels`.
        """
        name, _, value = word.partition("=")
        if value not in ("0", "1"):
            raise BadSetting(f"An attribute is set to 1 or 0; got {word!r}; '{self.names[0]}=1' would work.")
        return class_index(self.names, name, kind="attribute"), 1.0 if value == "1" else -1.0

    def told(self, label: Tensor) -> str:
        """What one image is told, in words."""
        if self.has_attributes:
            return condition_name(label.tolist(), self.names)
        return self.names[int(label)] if self.names else ""

    def images(self, latents: Tensor, labels: Condition) -> Tensor:
        """(N, C, S, S) uint8; each the same whatever is made along with it."""
        return generate_images(self.network, latents, labels)


def read_generator(run: Path, device: str = "cpu") -> Generator:
    """The generator that a run of `vitrail gan train` has made so far.

    Raises:
        BadRun: the folder holds none, or a damaged one.
    """
    settings = read_run(run).settings
    weights = run / "weights" / "generator.safetensors"
    if weights.is_file():
        about, tensors = _kept(weights)
        network = _loaded(about, tensors, run).to(device)
        return Generator(network, about, settings)
    try:
        file = latest_checkpoint(run)
    except BadRun:
        raise BadRun(f"'{display_name(run)}' holds no generator; give a run of `vitrail gan train`.") from None
    state, header = unpack(file)
    about = {**header.get("networks", {}), "data": header.get("data"), "seed": header.get("seed")}
    network = _loaded(about, select_prefix("ema", state), run).to(device)
    recalibrate_batch_norm(
        network,
        calibration_batches(condition_table(about), int(about["arguments"]["latent_size"]), torch.device(device)),
    )
    return Generator(network, about, settings)


def _kept(weights: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        about: dict[str, Any] = read_json(weights.with_suffix(".json"))
        return about, load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise BadRun(f"The generator '{display_name(weights)}' is damaged ({reason}); train anew.") from None


def _loaded(about: Mapping[str, Any], tensors: Mapping[str, Tensor], run: Path) -> nn.Module:
    try:
        check(about)
        network = assemble(lambda: build(about).generator, tensors, owner=about["architecture"], path=run)
    except (ValueError, RuntimeError) as error:
        reason = one_line(error)
        raise BadRun(
            f"The generator in '{display_name(run)}' is damaged, or of another architecture ({reason}); train anew."
        ) from None
    return network.eval().requires_grad_(False)
