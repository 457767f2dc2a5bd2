"""What a network is made of: parameters and multiply-adds, layer by layer, without its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.backbones.spec import BackboneSpec


@dataclass(frozen=True)
class LayerFacts:
    """One layer: its output for one image of the input size, and what it costs."""

    name: str
    shape: tuple[int, ...]
    parameters: int
    share: float
    multiply_adds: int


def layer_facts(spec: BackboneSpec) -> list[LayerFacts]:
    """The layers without children, in the order in which they run.

    Convolutions and dense layers count multiply-adds; attention inside `MultiheadAttention` is counted by its
    projections and its two products.
    """
    with torch.device("meta"):
        network = spec.build().eval()
        total = sum(parameter.numel() for parameter in network.parameters())
        names = {path: name for name, path in spec.layer_names.items()}
        facts: list[LayerFacts] = []
        handles = [
            module.register_forward_hook(partial(_note, facts, names.get(path, path), total))
            for path, module in network.named_modules()
            if isinstance(module, nn.MultiheadAttention) or (path and not list(module.children()))
        ]
        network(torch.empty(1, 3, spec.preprocessing.size, spec.preprocessing.size))
        for handle in handles:
            handle.remove()
    return facts


def backbone_facts(name: str, spec: BackboneSpec, facts: Sequence[LayerFacts]) -> dict[str, Any]:
    """Size, cost and licence of a whole backbone, as in `result.json` of `vitrail models`.

    Args:
        name: of the backbone in the results.
        facts: of its layers, see `layer_facts`.
    """
    return {
        "name": name,
        "parameters": sum(fact.parameters for fact in facts),
        "multiply_adds": sum(fact.multiply_adds for fact in facts),
        "size": spec.preprocessing.size,
        "weights_here": spec.weights_path() is not None,
        "licence": spec.licence,
    }


def _note(facts: list[LayerFacts], name: str, total: int, module: nn.Module, inputs: Any, output: Any) -> None:
    result: Tensor = output[0] if isinstance(output, tuple) else output
    parameters = sum(parameter.numel() for parameter in module.parameters())
    facts.append(LayerFacts(name, tuple(result.shape), parameters, parameters / total, _cost(module, result)))


def _cost(module: nn.Module, output: Tensor) -> int:
    if isinstance(module, nn.Conv2d):
        return output.numel() * (module.in_channels // module.groups) * math.prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    if isinstance(module, nn.MultiheadAttention):
        tokens, width = int(output.shape[-2]), int(module.embed_dim)
        return 4 * tokens * width * width + 2 * tokens * tokens * width
    return 0
