"""Encoders that invert a generator (IcGAN): trained after it, stored beside it, and read from its run folder.

Source: Perarnau et al., 2016, https://arxiv.org/abs/1611.06355.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from vitrail.backbones.weights import assemble
from vitrail.datasets.pixel_data import TrainAndHeldOut
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadRun, one_line
from vitrail.events import Event, Progress, Weights
from vitrail.gan.description import Size
from vitrail.gan_architectures.encoder import Encoder
from vitrail.gan_training.encoding import (
    BATCH,
    EncoderStep,
    attributes_of,
    train_attribute_encoder,
    train_latent_encoder,
)
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.sampling import latents_of
from vitrail.gan_training.state import select_prefix
from vitrail.image_files import display_name
from vitrail.images import to_signed_range, to_unit
from vitrail.reading import check_regular, read_json
from vitrail.settings import parse_model
from vitrail.tensors import Features, SignedImages

PARTS = ("latents", "attributes")
WIDTH = 32  # IcGAN's
ROWS = 256  # images of a forward pass
MAX_EVALUATED = 1000  # held-out images of the metrics
LINES = 50  # of progress
HELD_OUT_LATENTS = 2_000_000  # first seed of the latents of the metrics


@dataclass(frozen=True)
class Encoders:
    """Encoders of latents (E_z) and of attributes (E_y), in evaluation mode.

    Attributes:
        description: `arguments` of both, `outputs` of each, `names` of the attributes; JSON values.
    """

    latents: nn.Module = field(repr=False)
    attributes: nn.Module = field(repr=False)
    description: dict[str, Any]

    @property
    def channels(self) -> int:
        """Channels of their input: 1 (grey) or 3 (RGB)."""
        return int(self.description["arguments"]["channels"])

    @torch.no_grad()
    def encode(self, images: SignedImages) -> tuple[Features, Features]:
        """Latents (N, L) and attributes (N, A) between -1 and 1."""
        parts = [(self.latents(part), attributes_of(self.attributes(part))) for part in torch.split(images, ROWS)]
        latents, attributes = zip(*parts, strict=True)
        return torch.cat(latents), torch.cat(attributes)


def train_encoders(
    generator: nn.Module,
    description: Mapping[str, Any],
    opened: TrainAndHeldOut,
    *,
    epochs: int,
    seed: int,
    device: str,
) -> Generator[Event, None, dict[str, Any] | None]:
    """Trains the encoders of a generator with attributes; yields progress and the weights.

    Returns:
        Metrics on held-out images, as in `result.json`; None without attributes or with 0 epochs.
    """
    if not description["attributes"] or not epochs:
        return None
    started = time.perf_counter()
    generator = generator.eval().requires_grad_(False)
    arguments, names = description["arguments"], opened.train.names
    about = {
        "arguments": {"size": arguments["size"], "channels": arguments["channels"], "width": WIDTH},
        "outputs": [arguments["latent_size"], len(names)],
        "names": list(names),
    }
    encoders = _initialise(about, seed=seed, device=device)
    order = ShuffledBatches(len(opened.train), min(BATCH, len(opened.train)), seed)
    steps = epochs * order.batches_per_epoch
    latent_steps = train_latent_encoder(encoders.latents, generator, opened.train.labels, steps=steps, seed=seed)
    yield from _progress("encoder of latents", latent_steps)
    images = _batches(opened.train, order, device)
    yield from _progress("encoder of attributes", train_attribute_encoder(encoders.attributes, images, steps=steps))
    yield _weights(encoders)
    metrics = _evaluate(encoders, generator, opened.held_out, device)
    return {**metrics, "epochs": epochs, "seconds": time.perf_counter() - started}


def read_encoders(run: Path, device: str) -> Encoders:
    """The encoders in a run folder.

    Raises:
        BadRun: the folder holds none, or damaged ones.
    """
    weights = run / "weights" / "encoder.safetensors"
    if not weights.is_file():
        raise BadRun(
            f"'{display_name(run)}' holds no encoder. Use a finished run of `vitrail gan train` on attributes, with "
            "--encoder-epochs above 0.",
            path=str(run),
        )
    try:
        tensors = load_file(check_regular(weights, within=run))
        about = read_json(weights.with_suffix(".json"), within=run)
        header = parse_model(_Header, about)
        if len(header.names) != header.outputs[1]:
            raise ValueError(f"{len(header.names)} names for {header.outputs[1]} attributes")
        networks = [
            assemble(partial(_encoder, about, outputs), select_prefix(part, tensors), owner=part, path=weights)
            for part, outputs in zip(PARTS, header.outputs, strict=True)
        ]
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BadRun(
            f"The encoder '{display_name(weights)}' is damaged ({one_line(error)}). Train it again.", path=str(weights)
        ) from None
    return _on_device(networks, about, device)


class _Arguments(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    size: Size
    channels: Literal[1, 3]
    width: Size


class _Header(BaseModel):
    model_config = ConfigDict(strict=True)

    arguments: _Arguments
    outputs: Annotated[list[Size], Field(min_length=2, max_length=2)]
    names: list[str]


def _initialise(about: dict[str, Any], *, device: str | torch.device, seed: int = 0) -> Encoders:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = [_encoder(about, outputs) for outputs in about["outputs"]]
    return _on_device(networks, about, device)


def _encoder(about: Mapping[str, Any], outputs: int) -> nn.Module:
    return Encoder(**about["arguments"], outputs=outputs)


def _on_device(networks: Iterable[nn.Module], about: dict[str, Any], device: str | torch.device) -> Encoders:
    latents, attributes = (network.to(device).eval() for network in networks)
    return Encoders(latents, attributes, about)


def _batches(train: PixelSet, order: ShuffledBatches, device: str) -> Iterator[tuple[SignedImages, Features]]:
    for rows in order:
        yield to_signed_range(to_unit(train.images[rows])).to(device), train.labels[rows].to(device)


def _progress(part: str, steps: Iterator[EncoderStep]) -> Iterator[Event]:
    for step in steps:
        if step.index % max(1, step.total // LINES) == 0 or step.index == step.total:
            loss = float(step.loss)
            yield Progress(
                part, step.index, step.total, unit="batches", detail=f"loss {loss:.3f}", values={"loss": loss}
            )


def _weights(encoders: Encoders) -> Weights:
    parts = {"latents": encoders.latents, "attributes": encoders.attributes}
    tensors = {
        f"{part}.{name}": value.cpu().numpy()
        for part, network in parts.items()
        for name, value in network.state_dict().items()
    }
    return Weights("encoder", tensors, encoders.description)


@torch.no_grad()
def _evaluate(encoders: Encoders, generator: nn.Module, held_out: PixelSet, device: str) -> dict[str, Any]:
    """Errors of the encoders on held-out images."""
    held_out = held_out.take(slice(0, MAX_EVALUATED))
    labels = held_out.labels.to(device)
    latents = latents_of(HELD_OUT_LATENTS, len(held_out), int(generator.latent_size)).to(device)  # type: ignore[arg-type]
    encoded, _ = encoders.encode(_generate(generator, latents, labels))
    images = to_signed_range(to_unit(held_out.images)).to(device)
    estimates = encoders.encode(images)
    error = (_generate(generator, *estimates) - images).square().mean() / 4  # of intensities in [0, 1]
    accuracy = ((estimates[1] > 0) == (labels > 0)).float().mean(dim=0)
    return {
        "latent_error": float((encoded - latents).square().mean()),
        "attribute_accuracy": dict(zip(held_out.names, accuracy.tolist(), strict=True)),
        "reconstruction_error": float(error),
        "n": len(held_out),
    }


def _generate(generator: nn.Module, latents: Features, labels: Features) -> SignedImages:
    parts = zip(torch.split(latents, ROWS), torch.split(labels, ROWS), strict=True)
    return torch.cat([generator(*part) for part in parts])
