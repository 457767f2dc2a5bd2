"""The last layer of a network that still knows places, found while one forward pass runs."""

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

TRIED = 4  # a transformer that reads its class token alone ends in layers whose other tokens count for nothing
ELONGATED = 2.5  # times as long in one direction as the image: heads and tokens, not height and width


@dataclass(frozen=True)
class Spatial:
    """What the last spatial layer gave, and the scores' slope there; nothing of it carries a graph.

    Attributes:
        activation: (N, C, h, w).
        gradient: (N, C, h, w).
    """

    activation: Tensor
    gradient: Tensor


@contextmanager
def watched(backbone: Backbone) -> Iterator[list[Tensor]]:
    """Fills a list with the outputs that may be spatial, in their order, while the network runs; leaves no hook.

    Of a classifier made of several networks the first one counts, of a module that runs several times the
    first run.
    An output that the network overwrites in place later on (a ReLU) is kept as what it becomes.
    """
    owner = first_network(backbone)
    seen: dict[nn.Module, Tensor] = {}
    found: list[Tensor] = []
    note = partial(_note, seen, found, len(owner.classes))
    handles = [part.register_forward_hook(note) for part in owner.network.modules()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def first_network(backbone: Backbone) -> Backbone:
    """The first network of a classifier made of some; any other one itself."""
    return next((part for part in backbone.modules() if isinstance(part, Backbone) and part is not backbone), backbone)


def share_seen(backbone: Backbone) -> float:
    """Of an image's sides, what the network that counts is shown; beside networks that see more it is its middle."""
    its = first_network(backbone).preprocessing
    return 1.0 if backbone.preprocessing.size == its.size else its.size / its.short_side


def _note(
    seen: dict[nn.Module, Tensor], found: list[Tensor], classes: int, module: nn.Module, _inputs: Any, output: Any
) -> None:
    if module in seen or not isinstance(output, Tensor):
        return
    seen[module] = output
    # Pooling to a set size belongs to the head, a map of the classes' scores, too (SqueezeNet).
    map_like = output.ndim == 4 and output.shape[1] != classes and output.shape[2:].numel() > 1
    pooled = isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d)
    tokens = output.ndim == 3 and isinstance(module, nn.LayerNorm | nn.RMSNorm) and _side(output) > 1
    if (map_like and not pooled) or tokens:
        found.append(output)


def slopes(found: list[Tensor], scores: Scores, images: Tensor) -> tuple[Tensor, Spatial | None]:
    """The scores' gradient with respect to the images, and to the last of the outputs `found` that counts for them."""
    graph = _nodes(scores)
    counting = [output for output in found if output.grad_fn in graph and _is_map_of(output, images)][-TRIED:]
    gradient, *inner = torch.autograd.grad(scores.sum(), [images, *counting])
    if not counting:
        return gradient, None
    parts = [
        Spatial(_grid(output.detach()), _grid(gradient_)) for output, gradient_ in zip(counting, inner, strict=True)
    ]
    if counting[-1].ndim == 4:
        return gradient, parts[-1]
    return gradient, next((part for part in reversed(parts) if part.gradient.any()), parts[-1])


def _nodes(scores: Tensor) -> set[Any]:
    """What the scores were computed from, as autograd knows it."""
    waiting: list[Any] = [scores.grad_fn]
    met: set[Any] = set(waiting)
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is not None and node not in met:
                met.add(node)
                waiting.append(node)
    return met


def _is_map_of(output: Tensor, images: Tensor) -> bool:
    """Whether height and width of an output (N, C, h, w) are about as those of the images; tokens say nothing."""
    if output.ndim == 3:
        return True
    stretch = (output.shape[2] * images.shape[3]) / (output.shape[3] * images.shape[2])
    return 1 / ELONGATED < stretch < ELONGATED


def _side(tokens: Tensor) -> int:
    return isqrt(tokens.shape[1])


def _grid(output: Tensor) -> Tensor:
    """(N, T, C) as (N, C, h, w), leaving out what comes before the places (the class token); (N, C, h, w) as it is."""
    if output.ndim == 4:
        return output
    side = _side(output)
    return output[:, -side * side :].transpose(1, 2).reshape(len(output), -1, side, side)
