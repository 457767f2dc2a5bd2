"""The forward pass for many images: the fastest one that gives what the plain one gives.

In float32 every candidate is compared with the eager network on a real batch before it is trusted. In a lower precision
no comparison element by element says what is lost: `vitrail.transfer.precision` asks the classifier.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from vitrail.backbones.cuda_engine import cuda_forward
from vitrail.backbones.forward_pass import Forward, optimised_copy, torch_forward
from vitrail.backbones.openvino_engine import convert, has_openvino, openvino_forward
from vitrail.devices import is_out_of_memory
from vitrail.errors import BadSetting, one_line

Engine = Literal["auto", "eager", "channels-last", "openvino", "cuda-graph", "compiled"]
Precision = Literal["float32", "bfloat16"]

LARGE_BATCH = 200  # images from which a conversion of some seconds is worth its time
COMPILED_IMAGES = 2_000_000  # images from which a compilation of a minute is
TOLERANCE = 1e-3  # largest error relative to the largest feature at which two engines agree

ENGINES = {"cpu": ("eager", "channels-last", "openvino"), "cuda": ("eager", "channels-last", "cuda-graph", "compiled")}
"""Type of device -> what runs on it; elsewhere "eager" alone."""

IN_BFLOAT16 = {"cpu": ("openvino",), "cuda": ("channels-last", "cuda-graph", "compiled")}
"""Type of device -> what computes in bfloat16 on it, if the device can."""


@dataclass(frozen=True)
class InferenceEngine:
    """A forward pass chosen by a probe.

    Attributes:
        forward: (k · B, 3, S, S) uint8 to float32 arrays (k · B, ...), B always the same.
        choice: `engine`, `precision`, what was `tried` (images per second, relative error), and `why`; for
            `result.json`.
        batch_size: B.
    """

    forward: Forward = field(repr=False)
    choice: dict[str, Any]
    batch_size: int

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Features of any number of images; the last batch is filled up, so that bits do not depend on its size."""
        count = len(pixels)
        if missing := -count % self.batch_size:
            pixels = np.concatenate([pixels, np.zeros((missing, *pixels.shape[1:]), np.uint8)])
        return [rows[:count].copy() for rows in self.forward(pixels)]


@dataclass(frozen=True)
class EngineJob:
    """What an engine is to do.

    Attributes:
        module: pixels of 8 bits to a tuple of float32 tensors (`PooledFeatures`, `Trunk`), on `device`.
        example: (B, 3, S, S) uint8, a real batch; later batches are as large.
        images: how many there are to do.
        precision: of convolutions and products.
    """

    module: nn.Module
    example: np.ndarray = field(repr=False)
    images: int
    device: str = "cpu"
    precision: Precision = "float32"

    def candidates(self) -> tuple[str, ...]:
        """The engines worth a probe."""
        exact = self.precision == "float32"
        names = (ENGINES if exact else IN_BFLOAT16).get(self.kind, ("eager",))
        if self.kind == "cpu" and exact:
            names = ("channels-last", *(("openvino",) if self.images >= LARGE_BATCH and has_openvino() else ()))
        return tuple(name for name in names if name != "compiled" or self.images >= COMPILED_IMAGES)

    @property
    def kind(self) -> str:
        """Type of the device."""
        return self.device.partition(":")[0]


def choose_engine(
    module: nn.Module,
    example: np.ndarray,
    *,
    engine: str,
    device: str,
    images: int,
    precision: Precision = "float32",
) -> InferenceEngine:
    """The fastest forward pass of `module` that agrees with the plain one on `example`.

    Args:
        module: moves to `device`. This and the others: see `EngineJob`.
        example: halved where a GPU has no room for it.
        engine: "auto" to probe, or the one to take.
        precision: how far a lower one is from float32 is measured, and refuses nothing.
    Raises:
        MissingExtra: OpenVINO was asked for and is not installed.
        BadSetting: the engine asked for does not agree with the plain network, does not run on the device, or there is
            no such engine.
    """
    job = EngineJob(module.eval().to(device), example, images, device, precision)
    while True:
        try:
            return _fastest(job, job.candidates() if engine == "auto" else (engine,), asked=engine != "auto")
        except RuntimeError as error:
            if job.kind == "cpu" or len(job.example) == 1 or not is_out_of_memory(error):
                raise
            job = replace(job, example=job.example[: len(job.example) // 2])


def _fastest(job: EngineJob, names: Sequence[str], *, asked: bool) -> InferenceEngine:
    reference = torch_forward(job.module, len(job.example), job.device)(job.example)
    tried: list[dict[str, Any]] = []
    passes: dict[str, Forward] = {}
    for name in names:
        try:
            forward = build_engine(name, job)
            speed, relative = _probe(forward, job, reference)
        except RuntimeError as error:
            if len(names) == 1 or is_out_of_memory(error):
                raise
            tried.append({"engine": name, "error": one_line(error)})  # e.g. a network that no graph can hold
            continue
        passes[name] = forward
        tried.append({"engine": name, "images_per_second": speed, "relative_error": relative})
    exact = job.precision == "float32"
    agreeing = {
        entry["engine"]: entry["images_per_second"]
        for entry in tried
        if "error" not in entry and (not exact or entry["relative_error"] <= TOLERANCE)
    }
    if not agreeing:
        raise BadSetting(f"{names[0]!r} does not agree with the plain network. Use --inference-engine eager.")
    best = max(agreeing, key=agreeing.__getitem__)
    why = f"fastest of those that agree within {TOLERANCE:g}" if exact else "fastest"
    choice = {
        "engine": best,
        "precision": job.precision,
        "device": job.device,
        "tried": tried,
        "why": "asked for" if asked else why,
    }
    return InferenceEngine(passes[best], choice, len(job.example))


def default_engine() -> str:
    """The engine that is the fastest for many images nearly everywhere, without a probe."""
    return "openvino" if has_openvino() else "channels-last"


def build_engine(name: str, job: EngineJob) -> Forward:
    """The forward pass of a job by one engine.

    Raises:
        BadSetting: there is no such engine, or it does not run on the device.
    """
    if name not in get_args(Engine) or name == "auto":
        raise BadSetting(f"There is no engine {name!r}. Known: {', '.join(get_args(Engine))}.")
    known = (ENGINES if job.precision == "float32" else IN_BFLOAT16).get(job.kind, ("eager",))
    if name not in known:
        where = job.device if job.precision == "float32" else f"{job.device} in {job.precision}"
        raise BadSetting(f"The engine {name!r} does not run on {where}. Use {', '.join(known)} or auto.")
    if name == "eager":
        return torch_forward(job.module, len(job.example), job.device)
    if name == "openvino":
        return openvino_forward(convert(job.module, job.example), images=job.images, precision=job.precision)
    if job.kind == "cpu":
        return torch_forward(optimised_copy(job.module), len(job.example))
    return cuda_forward(name, job.module, job.example, device=job.device, precision=job.precision)


def _probe(forward: Forward, job: EngineJob, reference: list[np.ndarray]) -> tuple[float, float]:
    """Images per second once warm, and the largest error relative to the largest feature of its layer."""
    rows = forward(job.example)
    error = max(
        float(np.abs(mine - plain).max() / max(np.abs(plain).max(), 1e-12))
        for mine, plain in zip(rows, reference, strict=True)
    )
    # Several batches, if several are to come: some engines compute more than one at a time.
    batches = 1 if job.images <= len(job.example) else 2 if job.kind != "cpu" else torch.get_num_threads()
    pixels = np.concatenate([job.example] * batches)
    started = time.perf_counter()
    forward(pixels)
    return len(pixels) / (time.perf_counter() - started), error
