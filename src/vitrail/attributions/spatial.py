"""The last spatial layer of a network, recorded while one forward pass runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Scores

TOKEN_LAYERS = 4  # a transformer that reads its class token alone ends in layers whose other tokens have no gradient
MAX_STRETCH = 2.5  # beyond, an output's sides are not the image's height and width but heads and tokens


@dataclass(frozen=True)
class SpatialOutput:
    """The output of a spatial layer and the gradient of the scores there; no tensor carries a graph.

    Attributes:
        activation: (N, C, h, w).
        gradient: (N, C, h, w).
    """

    activation: Tensor
    gradient: Tensor


@contextmanager
def record_spatial_outputs(model: Backbone) -> Iterator[list[Tensor]]:
    """A list that fills with outputs that may be spatial, in their order, while the network runs; leaves no hook.

    Of a classifier made of several networks only the first is recorded, of a module that runs several times the
    first run. An output that a later layer overwrites in place (a ReLU) is recorded as overwritten.
    """
    owner = first_network(model)
    modules: set[nn.Module] = set()
    outputs: list[Tensor] = []
    record = partial(_record, modules, outputs, len(owner.classes))
    handles = [part.register_forward_hook(record) for part in owner.network.modules()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def first_network(model: Backbone) -> Backbone:
    """The first network of a classifier made of several; any other network itself."""
    return next((part for part in model.modules() if isinstance(part, Backbone) and part is not model), model)


def input_crop_share(model: Backbone) -> float:
    """The share of an image's sides that reaches the first network: beside networks with larger inputs its centre."""
    own = first_network(model).preprocessing
    return 1.0 if model.preprocessing.size == own.size else own.size / own.short_side


def _record(
    modules: set[nn.Module], outputs: list[Tensor], classes: int, module: nn.Module, _inputs: Any, output: Any
) -> None:
    if module in modules or not isinstance(output, Tensor):
        return
    modules.add(module)
    # Pooling to a set size belongs to the head, and so does a map of the classes' scores (SqueezeNet).
    map_like = output.ndim == 4 and output.shape[1] != classes and output.shape[2:].numel() > 1
    pooled = isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d)
    tokens = output.ndim == 3 and isinstance(module, nn.LayerNorm | nn.RMSNorm) and _side(output) > 1
    if (map_like and not pooled) or tokens:
        outputs.append(output)


def layer_gradients(outputs: list[Tensor], scores: Scores, images: Tensor) -> tuple[Tensor, SpatialOutput | None]:
    """The gradient of the scores at the images, and at the last of the `outputs` that they depend on."""
    graph = _graph_nodes(scores)
    relevant = [output for output in outputs if output.grad_fn in graph and _is_map_of(output, images)][-TOKEN_LAYERS:]
    gradient, *inner = torch.autograd.grad(scores.sum(), [images, *relevant])
    if not relevant:
        return gradient, None
    layers = [
        SpatialOutput(_grid(output.detach()), _grid(gradient_))
        for output, gradient_ in zip(relevant, inner, strict=True)
    ]
    if relevant[-1].ndim == 4:
        return gradient, layers[-1]
    return gradient, next((layer for layer in reversed(layers) if layer.gradient.any()), layers[-1])


def _graph_nodes(scores: Tensor) -> set[Any]:
    """The autograd nodes that the scores were computed from."""
    waiting: list[Any] = [scores.grad_fn]
    nodes: set[Any] = set(waiting)
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is not None and node not in nodes:
                nodes.add(node)
                waiting.append(node)
    return nodes


def _is_map_of(output: Tensor, images: Tensor) -> bool:
    """Whether height and width of an output (N, C, h, w) are about in the images' proportion; tokens have neither."""
    if output.ndim == 3:
        return True
    stretch = (output.shape[2] * images.shape[3]) / (output.shape[3] * images.shape[2])
    return 1 / MAX_STRETCH < stretch < MAX_STRETCH


def _side(tokens: Tensor) -> int:
    return isqrt(tokens.shape[1])


def _grid(output: Tensor) -> Tensor:
    """(N, T, C) as (N, C, h, w), without the tokens before the places (the class token); (N, C, h, w) as it is."""
    if output.ndim == 4:
        return output
    side = _side(output)
    return output[:, -side * side :].transpose(1, 2).reshape(len(output), -1, side, side)
