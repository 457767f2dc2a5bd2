"""Export of a generator as safetensors or ONNX; each file is read again and its images are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from safetensors.numpy import save
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from vitrail.errors import BadWeights
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.networks import build
from vitrail.gan.onnx import onnx_images, require_onnx, to_onnx
from vitrail.gan_architectures.pair import condition
from vitrail.images import from_signed_range
from vitrail.model_card import model_card
from vitrail.reading import LIMITS, read_text
from vitrail.validation import check_choice

Format = Literal["safetensors", "onnx", "both"]

IMAGES_COMPARED = 16
TOLERANCE = 1e-4
"""Largest difference of a value in [0, 1]; a step of 8 bits is 4e-3, and another order of summation gives 1e-6."""


@dataclass(frozen=True)
class ExportedFile:
    """A file with a generator.

    Attributes:
        name: "generator.safetensors" or "generator.onnx".
        tensors: the weights in a safetensors file; empty for ONNX.
        difference: largest difference of a value in [0, 1] between images from the file and from the generator; None:
            not compared, as ONNX Runtime is not installed.
    """

    name: str
    data: bytes = field(repr=False)
    difference: float | None
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)


def export_generator(generator: GeneratorNetwork, format: Format = "safetensors") -> list[ExportedFile]:
    """The files of a generator that is on the CPU.

    Raises:
        BadSetting: there is no such format.
        MissingExtra: onnx or onnxscript is not installed.
        BadWeights: images from a file differ from the generator's by more than 1e-4 of their range.
    """
    check_choice("format", format, get_args(Format))
    formats = ("safetensors", "onnx") if format == "both" else (format,)
    if "onnx" in formats:
        require_onnx()
    latents, labels = _inputs(generator)
    images = _unit_images(generator.network, latents, labels)
    files = []
    for name in formats:
        tensors: dict[str, np.ndarray] = {}
        if name == "safetensors":
            state = generator.network.state_dict()
            tensors = {key: np.asarray(value.numpy(), order="C") for key, value in state.items()}
            data = save(tensors)
            again: np.ndarray | None = _unit_images(_rebuild(data, generator.description), latents, labels)
        else:
            data = to_onnx(generator)
            again = onnx_images(data, latents, labels)
        difference = None if again is None else _difference(again, images, name)
        files.append(ExportedFile(f"generator.{name}", data, difference, tensors))
    return files


def card_of_run(run: Path) -> str:
    """The model card that the training wrote; empty if there is none that can be read."""
    try:
        return read_text(run / "README.md", LIMITS["description"], within=run)
    except (OSError, ValueError):
        return ""


def export_card(generator: GeneratorNetwork) -> str:
    """Model card of a generator whose training has not written one."""
    architecture = generator.description["architecture"]
    return model_card(
        "Generator trained with Vitrail",
        f"GAN generator: {architecture}, from the last checkpoint of a training that has not ended, so it has no "
        f"metrics. Images of {generator.size} x {generator.size} pixels are in [-1, 1].",
        tags=("unconditional-image-generation", "gan", architecture),
        details=("`weights/generator.json` describes the network.",),
        usage=("vitrail gan sample RUN --count 16",),
    )


def _inputs(generator: GeneratorNetwork) -> tuple[Tensor, Tensor | None]:
    """Latents (N, L) and conditions (N, A); None if unconditional."""
    latents = generator.latents(0, IMAGES_COMPARED)
    if not generator.names:
        return latents, None
    return latents, condition(generator.labels(None, IMAGES_COMPARED, 0), len(generator.names), latents)


@torch.no_grad()
def _unit_images(network: nn.Module, latents: Tensor, labels: Tensor | None) -> np.ndarray:
    """Images (N, C, S, S) in [0, 1]."""
    labels = torch.zeros(len(latents), dtype=torch.long) if labels is None else labels
    images: np.ndarray = from_signed_range(network(latents, labels)).numpy()
    return images


def _rebuild(data: bytes, description: Mapping[str, Any]) -> nn.Module:
    """The generator as a reader of the two files builds it."""
    network = build(json.loads(json.dumps(description))).generator
    network.load_state_dict(load_tensors(data))
    return network.eval()


def _difference(images: np.ndarray, expected: np.ndarray, name: str) -> float:
    """The largest difference of a value.

    Raises:
        BadWeights: it is above the tolerance, or a value is not a number.
    """
    difference = float(np.abs(images - expected).max())
    if not difference <= TOLERANCE:
        raise BadWeights(
            f"Images from the {name} file differ from the generator's by {difference:.1e} of a range of 1, more than "
            f"{TOLERANCE:g}, so the file was not stored. Use other versions of the libraries.",
            kind="different",
        )
    return difference
