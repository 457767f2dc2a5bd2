"""The encoders that editing needs: made after a training on attributes, kept beside its generator, and read again."""

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
from vitrail.datasets.open_pixels import Opened
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadRun, one_line
from vitrail.events import Event, Progress, Weights
from vitrail.files import read_json
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
from vitrail.settings import parse_model
from vitrail.tensors import Features, SignedImages

PARTS = ("latents", "attributes")
WIDTH = 32  # IcGAN's
ROWS = 256  # images of a forward pass when nothing is learned
MEASURED = 1000  # images that figures are taken from, at most
LINES = 50  # of progress
HELD_OUT_LATENTS = 2_000_000  # seeds from here on are those of latents that E_z is asked for


@dataclass(frozen=True)
class Encoders:
    """E_z and E_y, in evaluation mode.

    Attributes:
        about: `arguments` that both are made with, `outputs` of each, `names` of the attributes; JSON values.
    """

    latents: nn.Module = field(repr=False)
    attributes: nn.Module = field(repr=False)
    about: dict[str, Any]

    @property
    def channels(self) -> int:
        """Of the images that they read."""
        return int(self.about["arguments"]["channels"])

    @torch.no_grad()
    def encode(self, images: SignedImages) -> tuple[Features, Features]:
        """Latents (N, L) and attributes (N, A) between -1 and 1."""
        found = [(self.latents(part), attributes_of(self.attributes(part))) for part in torch.split(images, ROWS)]
        latents, attributes = zip(*found, strict=True)
        return torch.cat(latents), torch.cat(attributes)


def train_encoders(
    generator: nn.Module, description: Mapping[str, Any], opened: Opened, *, epochs: int, seed: int, device: str
) -> Generator[Event, None, dict[str, Any] | None]:
    """Trains the encoders of a generator of images with attributes; their metrics on held-out images.

    None without attributes or with 0 epochs.
    """
    if not description["attributes"] or not epochs:
        return None
    started = time.perf_counter()
    generator = generator.eval().requires_grad_(False)
    made, names = description["arguments"], opened.train.names
    about = {
        "arguments": {"size": made["size"], "channels": made["channels"], "width": WIDTH},
        "outputs": [made["latent_size"], len(names)],
        "names": list(names),
    }
    encoders = _new(about, seed=seed, device=device)
    order = ShuffledBatches(len(opened.train), min(BATCH, len(opened.train)), seed)
    steps = epochs * order.batches_per_epoch
    learned = train_latent_encoder(encoders.latents, generator, opened.train.labels, steps=steps, seed=seed)
    yield from _shown("encoder of latents", learned)
    images = _batches(opened.train, order, device)
    yield from _shown("encoder of attributes", train_attribute_encoder(encoders.attributes, images, steps=steps))
    yield _kept(encoders)
    figures = _figures(encoders, generator, opened.held_out, device)
    return {**figures, "epochs": epochs, "seconds": time.perf_counter() - started}


def read_encoders(run: Path, device: str) -> Encoders:
    """The encoders in a run folder.

    Raises:
        BadRun: it holds none, or damaged ones.
    """
    weights = run / "weights" / "encoder.safetensors"
    if not weights.is_file():
        raise BadRun(
            f"'{display_name(run)}' holds no encoder; a finished run of `vitrail gan train` on attributes, "
            "with --encoder-epochs above 0, would work."
        )
    try:
        tensors = load_file(weights)
        about = read_json(weights.with_suffix(".json"))
        said = parse_model(_About, about)
        if len(said.names) != said.outputs[1]:
            raise ValueError(f"{len(said.names)} names for {said.outputs[1]} attributes")
        networks = [
            assemble(partial(_encoder, about, outputs), select_prefix(part, tensors), owner=part, path=weights)
            for part, outputs in zip(PARTS, said.outputs, strict=True)
        ]
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = one_line(error)
        raise BadRun(f"The encoder '{display_name(weights)}' is damaged ({reason}); train anew.") from None
    return _of(networks, about, device)


class _Arguments(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    size: Size
    channels: Literal[1, 3]
    width: Size


class _About(BaseModel):
    model_config = ConfigDict(strict=True)

    arguments: _Arguments
    outputs: Annotated[list[Size], Field(min_length=2, max_length=2)]
    names: list[str]


def _new(about: dict[str, Any], *, device: str | torch.device, seed: int = 0) -> Encoders:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = [_encoder(about, outputs) for outputs in about["outputs"]]
    return _of(made, about, device)


def _encoder(about: Mapping[str, Any], outputs: int) -> nn.Module:
    return Encoder(**about["arguments"], outputs=outputs)


def _of(networks: Iterable[nn.Module], about: dict[str, Any], device: str | torch.device) -> Encoders:
    latents, attributes = (network.to(device).eval() for network in networks)
    return Encoders(latents, attributes, about)


def _batches(train: PixelSet, order: ShuffledBatches, device: str) -> Iterator[tuple[SignedImages, Features]]:
    for rows in order:
        yield to_signed_range(to_unit(train.images[rows])).to(device), train.labels[rows].to(device)


def _shown(part: str, steps: Iterator[EncoderStep]) -> Iterator[Event]:
    for step in steps:
        if step.index % max(1, step.total // LINES) == 0 or step.index == step.total:
            loss = float(step.loss)
            yield Progress(
                part, step.index, step.total, unit="batches", detail=f"loss {loss:.3f}", values={"loss": loss}
            )


def _kept(encoders: Encoders) -> Weights:
    parts = {"latents": encoders.latents, "attributes": encoders.attributes}
    tensors = {
        f"{part}.{name}": value.cpu().numpy()
        for part, network in parts.items()
        for name, value in network.state_dict().items()
    }
    return Weights("encoder", tensors, encoders.about)


@torch.no_grad()
def _figures(encoders: Encoders, generator: nn.Module, held_out: PixelSet, device: str) -> dict[str, Any]:
    """How far the encoders' answers are off, on images that they have not seen."""
    held_out = held_out.take(slice(0, MEASURED))
    labels = held_out.labels.to(device)
    latents = latents_of(HELD_OUT_LATENTS, len(held_out), int(generator.latent_size)).to(device)  # type: ignore[arg-type]
    found, _ = encoders.encode(_made(generator, latents, labels))
    images = to_signed_range(to_unit(held_out.images)).to(device)
    answers = encoders.encode(images)
    right = ((answers[1] > 0) == (labels > 0)).float().mean(dim=0)
    return {
        "latent_error": float((found - latents).square().mean()),
        "attribute_accuracy": dict(zip(held_out.names, right.tolist(), strict=True)),
        "reconstruction_error": float((_made(generator, *answers) - images).square().mean() / 4),  # of [0, 1]
        "n": len(held_out),
    }


def _made(generator: nn.Module, latents: Features, labels: Features) -> SignedImages:
    parts = zip(torch.split(latents, ROWS), torch.split(labels, ROWS), strict=True)
    return torch.cat([generator(*part) for part in parts])
