"""A generator as an ONNX model that explains itself, and its images through another library than torch.

In: `latents` (N, L), from N(0, 1), and, if the generator is told something, `condition` (N, A): classes one-hot, or -1
(not so) and 1 (so) for each attribute. Out: `images` (N, C, S, S) in [0, 1]. N is any number.
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

OPSET = 18  # the one that torch's exporter is written in: of any other the model would have to be converted


def need_onnx() -> None:
    """Checks that a model can be made.

    Raises:
        MissingExtra: onnx or onnxscript is not installed.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise MissingExtra("An ONNX file needs `pip install 'vitrail[onnx]'`.")


def to_onnx(generator: GeneratorNetwork) -> bytes:
    """The content of an .onnx file, its inputs and names described in it."""
    count = len(generator.names)
    inputs = (torch.zeros(2, generator.latent_size), *((torch.zeros(2, count),) if count else ()))
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own insides: nothing that a user could do
        program: Any = torch.onnx.export(
            _Unit(generator.network).eval(),
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


def onnx_images(data: bytes, latents: Tensor, told: Tensor | None) -> np.ndarray | None:
    """What the model makes of latents, through onnxruntime: (N, C, S, S) in [0, 1]; None if that is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, quiet, providers=["CPUExecutionProvider"])
    given = {"latents": latents.numpy()} | ({} if told is None else {"condition": told.numpy()})
    images: np.ndarray = session.run(["images"], given)[0]
    return images


class _Unit(nn.Module):
    """A generator whose images are in [0, 1], and which needs no labels if it is told nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        """(N, L) and (N, A) to (N, C, S, S)."""
        labels = latents.new_zeros(latents.shape[0], dtype=torch.long) if condition is None else condition
        return from_signed_range(self.network(latents, labels))


def _describe(model: Any, generator: GeneratorNetwork) -> None:
    """Says in the model what it is; takes out where in whose source code each node comes from."""
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    told = {
        "condition": "-1 (not so) or 1 (so) for each of the names"
        if generator.has_attributes
        else "one-hot, in the order of the names"
    }
    said = {
        "made by": f"vitrail {__version__}",
        "architecture": generator.description["architecture"],
        "latents": "random numbers from N(0, 1)",
        **(told | {"names": json.dumps(list(generator.names), ensure_ascii=False)} if generator.names else {}),
        "images": f"{'grey' if generator.description['arguments']['channels'] == 1 else 'RGB'}, in [0, 1]",
    }
    del model.metadata_props[:]
    for key, value in said.items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = "A generator of images: " + "; ".join(f"{key}: {value}" for key, value in said.items())
    for each in (*model.graph.input, *model.graph.output):
        each.doc_string = said[each.name]
