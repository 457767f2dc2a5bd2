"""The files of one export, and whether a generator that is read from them makes the same images."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import save
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from vitrail.errors import BadWeights
from vitrail.events import Attachment, Event, Note, Result, Weights
from vitrail.gan.generator import Generator, load
from vitrail.gan.networks import build
from vitrail.gan_architectures.pair import condition
from vitrail.images import from_signed_range
from vitrail.tasks.gan_onnx import OPSET, need_onnx, onnx_images, to_onnx

if TYPE_CHECKING:
    from vitrail.tasks.gan_export import GanExport

CHECKED = 16  # images that are compared
LIMIT = 1e-4
"""How much a value in [0, 1] may differ; 8 bits tell 4e-3 apart, and another order of the same sums gives 1e-6."""


def run(task: GanExport) -> Iterator[Event]:
    """See `GanExport.run`."""
    started = time.perf_counter()
    formats = ("safetensors", "onnx") if task.format == "both" else (task.format,)
    if "onnx" in formats:
        need_onnx()
    generator = load(task.generator, device="cpu")  # on the CPU: a GPU's sums differ by more than the files may
    if not (task.generator / "weights" / "generator.safetensors").is_file():
        yield Note("This training is not finished; the generator of its last checkpoint is exported.")
    latents, told = _inputs(generator)
    wanted = _unit(generator.network, latents, told)
    outputs: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    if "safetensors" in formats:
        event, data = _weights(task, generator)
        again = _unit(_read_again(data, event.description), latents, told)
        outputs.append(_output("weights/generator.safetensors", data, _difference(again, wanted, "safetensors")))
        yield event
    if "onnx" in formats:
        data = to_onnx(generator)
        found = onnx_images(data, latents, told)
        difference = None
        if found is None:
            reason = "not compared: onnxruntime is not installed; `pip install 'vitrail[onnx]'` brings it"
            skipped.append({"file": "weights/generator.onnx", "reason": reason})
            yield Note("The ONNX file was not compared with the generator: that needs `pip install 'vitrail[onnx]'`.")
        else:
            difference = _difference(found, wanted, "ONNX")
        outputs.append(_output("weights/generator.onnx", data, difference) | {"opset": OPSET})
        yield Attachment("weights", "generator.onnx", data)
    measured = [each["difference"] for each in outputs if each["difference"] is not None]
    if measured:
        yield Note(f"{CHECKED} images made from the files differ by at most {max(measured):.1e} of a range of 1.")
    yield Result(
        {
            "generator": str(task.generator),
            "device": "cpu",
            "skipped": skipped,
            "outputs": outputs,
            "difference": max(measured, default=None),
            "images_compared": CHECKED if measured else 0,
            "seconds": {"total": time.perf_counter() - started},
        }
    )


def _inputs(generator: Generator) -> tuple[Tensor, Tensor | None]:
    """Latents (N, L), and what they are told (N, A), or None."""
    latents = generator.latents(0, CHECKED)
    if not generator.names:
        return latents, None
    return latents, condition(generator.labels((), CHECKED, 0), len(generator.names), latents)


@torch.no_grad()
def _unit(network: nn.Module, latents: Tensor, told: Tensor | None) -> np.ndarray:
    """Images (N, C, S, S) in [0, 1]."""
    labels = torch.zeros(len(latents), dtype=torch.long) if told is None else told
    images: np.ndarray = from_signed_range(network(latents, labels)).numpy()
    return images


def _weights(task: GanExport, generator: Generator) -> tuple[Weights, bytes]:
    """The event that keeps them, and the bytes of the file it makes."""
    tensors = {name: np.asarray(value.numpy(), order="C") for name, value in generator.network.state_dict().items()}
    own = task.generator / "README.md"
    card = own.read_text(encoding="utf-8") if own.is_file() else _card(generator)
    return Weights("generator", tensors, dict(generator.description), card), save(tensors)


def _read_again(data: bytes, description: Mapping[str, Any]) -> nn.Module:
    """The generator as whoever has nothing but the two files builds it."""
    network = build(json.loads(json.dumps(description))).generator
    network.load_state_dict(load_tensors(data))
    return network.eval()


def _difference(found: np.ndarray, wanted: np.ndarray, name: str) -> float:
    """The largest one of any value.

    Raises:
        BadWeights: it is above `LIMIT`, or a value is not a number.
    """
    difference = float(np.abs(found - wanted).max())
    if not difference <= LIMIT:
        raise BadWeights(
            f"Images made from the {name} file differ from the generator's by {difference:.1e} of a range of 1, more "
            f"than {LIMIT:g}; the file was not kept; other versions of the libraries may make a better one."
        )
    return difference


def _output(file: str, data: bytes, difference: float | None) -> dict[str, Any]:
    return {"file": file, "bytes": len(data), "difference": difference}


def _card(generator: Generator) -> str:
    """The model card of a generator whose training has written none yet."""
    architecture = generator.description["architecture"]
    return f"""---
library_name: vitrail
pipeline_tag: unconditional-image-generation
tags: [gan, {architecture}]
---

# A generator made by vitrail

{architecture}, from a training that was not finished: nothing was measured. Images of {generator.size} x
{generator.size} pixels come out in [-1, 1]; `weights/generator.json` says how the network is built.
"""
