"""A generator as a self-describing ONNX model, and its images through ONNX Runtime.

Inputs: `latents` (N, L) from N(0, 1), and, if the generator is conditional, `condition` (N, A): classes one-hot, or -1
(without) and 1 (with) for each attribute. Output: `images` (N, C, S, S) in [0, 1]. N is any number.
"""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vitrail.errors import MissingExtra
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.images import from_signed_range
from vitrail.version import __version__

OPSET = 18  # that of torch's exporter: for any other the model would have to be converted


def require_onnx() -> None:
    """Returns if a model can be made.

    Raises:
        MissingExtra: onnx or onnxscript is not installed.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise MissingExtra("An ONNX file needs onnx and onnxscript. Use `pip install 'vitrail[onnx]'`.")


def to_onnx(generator: GeneratorNetwork) -> bytes:
    """The content of an .onnx file with descriptions of its inputs and names; the generator is on the CPU."""
    count = len(generator.names)
    inputs = (torch.zeros(2, generator.latent_size), *((torch.zeros(2, count),) if count else ()))
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself: nothing that a user could act on
        program: Any = torch.onnx.export(
            _UnitRange(generator.network).eval(),
            inputs,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["latents", "condition"][: len(inputs)],
            output_names=["images"],
            dynamic_shapes=tuple({0: batch} for _ in inputs),
        )
    model = program.model_proto
    _describe(model, generator)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def onnx_images(data: bytes, latents: Tensor, condition: Tensor | None) -> np.ndarray | None:
    """Images of a model through ONNX Runtime, (N, C, S, S) in [0, 1]; None if that is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    inputs = {"latents": latents.numpy()} | ({} if condition is None else {"condition": condition.numpy()})
    images: np.ndarray = session.run(["images"], inputs)[0]
    return images


class _UnitRange(nn.Module):
    """A generator with images in [0, 1], which needs no labels if it is unconditional."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        """(N, L) and (N, A) to (N, C, S, S)."""
        labels = latents.new_zeros(latents.shape[0], dtype=torch.long) if condition is None else condition
        return from_signed_range(self.network(latents, labels))


def _describe(model: Any, generator: GeneratorNetwork) -> None:
    """Adds metadata to a model, and removes the paths of the source code that each node comes from."""
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    metadata = {
        "producer": f"vitrail {__version__}",
        "architecture": generator.description["architecture"],
        "latents": "random numbers from N(0, 1)",
    }
    if generator.names:
        metadata["condition"] = (
            "-1 (without) or 1 (with) for each of the names"
            if generator.has_attributes
            else "one-hot, in the order of the names"
        )
        metadata["names"] = json.dumps(list(generator.names), ensure_ascii=False)
    metadata["images"] = f"{'grey' if generator.channels == 1 else 'RGB'}, in [0, 1]"
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = "GAN generator; " + "; ".join(f"{key}: {value}" for key, value in metadata.items())
    for each in (*model.graph.input, *model.graph.output):
        each.doc_string = metadata[each.name]
