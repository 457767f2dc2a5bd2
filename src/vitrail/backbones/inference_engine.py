"""The forward pass for many images: the fastest one that gives what the plain one gives.

Every candidate is compared with the eager float32 network on a real batch before it is trusted.
"""

import copy
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting, MissingExtra

Engine = Literal["auto", "eager", "channels-last", "openvino"]

LARGE_BATCH = 200  # images from which a conversion of some seconds is worth its time
TOLERANCE = 1e-3  # largest error relative to the largest feature at which two engines agree

Forward = Callable[[np.ndarray], list[np.ndarray]]


class PooledFeatures(nn.Module):
    """Pixels of 8 bits in, one row per layer out: the whole pass as one module that can be traced."""

    def __init__(self, backbone: Backbone, layers: Sequence[str]) -> None:
        super().__init__()
        self.backbone = backbone
        self.layers = tuple(layers)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) uint8 to one (N, D) per layer."""
        features = self.backbone.features(pixels.float() / 255, self.layers)
        return tuple(features[layer] for layer in self.layers)


class Trunk(nn.Module):
    """Pixels of 8 bits in, what one layer gives out, as it is."""

    def __init__(self, backbone: Backbone, cut: str) -> None:
        super().__init__()
        self.backbone, self.cut = backbone, cut

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """(N, 3, H, W) uint8 to one (N, ...)."""
        return (self.backbone.trunk(pixels.float() / 255, self.cut),)


@dataclass(frozen=True)
class InferenceEngine:
    """A forward pass chosen by a probe.

    Attributes:
        forward: (B, 3, S, S) uint8 to float32 arrays (B, ...), B always the same.
        choice: `engine`, what was `tried` (images per second, relative error), and `why`; for `result.json`.
    """

    forward: Forward = field(repr=False)
    choice: dict[str, Any]
    batch_size: int

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Features of up to `batch_size` images; a smaller batch is filled up, so that bits do not depend on it."""
        count = len(pixels)
        if count < self.batch_size:
            empty = np.zeros((self.batch_size - count, *pixels.shape[1:]), np.uint8)
            pixels = np.concatenate([pixels, empty])
        return [rows[:count].copy() for rows in self.forward(pixels)]


def choose_engine(module: nn.Module, example: np.ndarray, *, engine: str, device: str, images: int) -> InferenceEngine:
    """The fastest forward pass of `module` that agrees with the plain one on `example`.

    Args:
        module: pixels of 8 bits to a tuple of float32 tensors (`PooledFeatures`, `Trunk`); it moves to `device`.
        example: (B, 3, S, S) uint8, a real batch; later batches are as large.
        engine: "auto" to probe, or the one to take.
        images: how many there are to do: for a few, nothing is converted.
    Raises:
        MissingExtra: OpenVINO was asked for and is not installed.
        BadSetting: the engine asked for does not agree with the plain network, or there is no such engine.
    """
    module = module.eval()
    if device != "cpu":
        only = {"engine": "eager", "device": device, "why": "the only one off the processor"}
        return InferenceEngine(_torch_forward(module.to(device), device), only, len(example))
    names = {"auto": _candidates(images)}.get(engine, (engine,))
    reference = _torch_forward(module, device)(example)
    tried: list[dict[str, Any]] = []
    passes: list[Forward] = []
    for name in names:
        forward = build_engine(name, module, example)
        seconds, relative = _probe(forward, example, reference)
        passes.append(forward)
        tried.append({"engine": name, "images_per_second": len(example) / seconds, "relative_error": relative})
    agreeing = [index for index, entry in enumerate(tried) if entry["relative_error"] <= TOLERANCE]
    if not agreeing:
        raise BadSetting(f"The engine {engine!r} does not agree with the plain network; Use --inference-engine eager.")
    best = max(agreeing, key=lambda index: tried[index]["images_per_second"])
    why = f"fastest of those that agree within {TOLERANCE:g}" if engine == "auto" else "asked for"
    choice = {"engine": names[best], "device": device, "tried": tried, "why": why}
    return InferenceEngine(passes[best], choice, len(example))


def _candidates(images: int) -> tuple[str, ...]:
    converted = ("openvino",) if images >= LARGE_BATCH and _has_openvino() else ()
    return ("channels-last", *converted)


def default_engine() -> str:
    """The engine that is the fastest for many images nearly everywhere, without a probe."""
    return "openvino" if _has_openvino() else "channels-last"


def _has_openvino() -> bool:
    from importlib.util import find_spec

    return find_spec("openvino") is not None


def build_engine(name: str, module: nn.Module, example: np.ndarray) -> Forward:
    """The forward pass of a module by one engine.

    Args:
        example: (n, 3, H, W) of the batches that follow.
    """
    match name:
        case "eager":
            return _torch_forward(module, "cpu")
        case "channels-last":
            return _torch_forward(fold_batch_norms(copy.deepcopy(module)).to(memory_format=torch.channels_last), "cpu")
        case "openvino":
            return _openvino_forward(module, example)
        case _:
            raise BadSetting(f"There is no engine {name!r}. Known: auto, eager, channels-last, openvino.")


def _torch_forward(module: nn.Module, device: str) -> Forward:
    def forward(pixels: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            tensor = torch.from_numpy(pixels).to(device).contiguous(memory_format=torch.channels_last)
            return [rows.float().cpu().numpy() for rows in module(tensor)]

    return forward


def _openvino_forward(module: nn.Module, example: np.ndarray) -> Forward:
    # OpenVINO reports its use over the network unless this package is absent; None makes it so.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise MissingExtra("OpenVINO is not installed; run `pip install 'vitrail[fast]'`.") from None
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit warns of its age, and of every branch that Python takes
        example_tensor = torch.from_numpy(example)
        folded = fold_batch_norms(copy.deepcopy(module))
        traced = torch.jit.freeze(torch.jit.trace(folded, example_tensor, check_trace=False))  # type: ignore[no-untyped-call]
        model = openvino.convert_model(traced, example_input=example_tensor)
    model.reshape(list(example.shape))
    threads = torch.get_num_threads()  # as many threads as torch uses: other programs may need the rest
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    outputs = range(len(model.outputs))

    def forward(pixels: np.ndarray) -> list[np.ndarray]:
        result = compiled(pixels)
        return [result[index] for index in outputs]

    return forward


def _probe(forward: Forward, example: np.ndarray, reference: list[np.ndarray]) -> tuple[float, float]:
    """Seconds for the batch once warm, and the largest error relative to the largest feature of its layer."""
    rows = forward(example)
    error = max(
        float(np.abs(mine - plain).max() / max(np.abs(plain).max(), 1e-12))
        for mine, plain in zip(rows, reference, strict=True)
    )
    started = time.perf_counter()
    forward(example)
    return time.perf_counter() - started, error


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Puts every batch normalisation that follows a convolution into it; changes `module` and returns it.

    Only inside `nn.Sequential`, where what follows what is certain.
    """
    for parent in module.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        names = list(parent._modules)
        for first, second in zip(names, names[1:], strict=False):
            convolution, norm = parent._modules[first], parent._modules[second]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = fuse_conv_bn_eval(convolution, norm)
                parent._modules[second] = nn.Identity()
    return module


def optimised_copy(backbone: Backbone) -> Backbone:
    """Batch normalisations folded into the convolutions before them, kernels stored channels-last; float32 as before.

    Layers keep their names, classes and weights' checksum; the backbone given is not touched.
    """
    fast = copy.deepcopy(backbone)
    fold_batch_norms(fast)
    return fast.to(memory_format=torch.channels_last)
