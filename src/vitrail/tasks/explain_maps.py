"""What one network sees in images: its verdict, the maps of several methods, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.integrated_gradients import completeness_error
from vitrail.attributions.look import FROM_LOOK, look
from vitrail.backbones.network import Network
from vitrail.class_names import class_index
from vitrail.image_ascent import max_batch_size
from vitrail.image_ascent.input_gradient import check_finite
from vitrail.images import to_unit
from vitrail.metrics.faithfulness import deletion_insertion, random_maps
from vitrail.metrics.randomisation import randomisation_check
from vitrail.tensors import Images, Labels, Maps, Pixels

if TYPE_CHECKING:
    from vitrail.backbones.backbone import Backbone
    from vitrail.tasks.explain import Explain

MIB = 2**20

Method = Callable[["Backbone", Images, Labels], Maps]


@dataclass(frozen=True)
class View:
    """One image as one network sees it.

    Attributes:
        pixels: (S, S, 3), what the network was shown.
        target: the class explained: `index`, `name`, `probability`.
        maps: method -> (S, S).
        figures: method -> what was measured of the map, as `result.json` names it.
    """

    network: str
    pixels: np.ndarray = field(repr=False)
    target: dict[str, Any]
    maps: dict[str, np.ndarray] = field(repr=False)
    figures: dict[str, dict[str, Any]]


class Explainer:
    """Makes the maps that a task asks for."""

    def __init__(self, task: Explain, network: Network) -> None:
        self.task, self.network = task, network
        self.index = None if task.target == "top" else class_index(network.classes, task.target)

    def run(self, pixels: Pixels) -> Iterator[View]:
        """A view of each image; as many at once as memory allows."""
        if not len(pixels):
            return
        images = to_unit(pixels).to(self.network.device)
        size = max_batch_size(self.network.fast, images, memory=self.task.memory * MIB)
        for part in torch.split(images, size):
            yield from self._views(part)

    def _views(self, images: Images) -> Iterator[View]:
        wanted = None if self.index is None else torch.full((len(images),), self.index, device=images.device)
        seen = look(self.network.fast, images, wanted)  # serves the verdict and every map that needs no more
        check_finite(seen.logits, self.network.reference)
        probabilities = seen.logits.softmax(dim=1).gather(1, seen.targets[:, None])[:, 0].tolist()
        maps = {
            name: FROM_LOOK[name](seen)
            if name in FROM_LOOK
            else self._method(name)(self.network.fast, images, seen.targets)
            for name in self.task.method
        }
        figures = self._figures(images, seen.targets, maps)
        shown = (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()
        for row, (index, probability) in enumerate(zip(seen.targets.tolist(), probabilities, strict=True)):
            yield View(
                self.network.name,
                shown[row],
                {"index": index, "name": self.network.classes[index], "probability": probability},
                {name: each[row].cpu().numpy() for name, each in maps.items()},
                {name: {key: float(value[row]) for key, value in found.items()} for name, found in figures.items()},
            )

    def _method(self, name: str) -> Method:
        task = self.task
        said = {"samples": task.samples, "noise": task.noise, "seed": task.seed, "memory": task.memory * MIB}
        return method_of(name, **{key: value for key, value in said.items() if value is not None})

    def _figures(self, images: Images, targets: Labels, maps: dict[str, Maps]) -> dict[str, dict[str, Any]]:
        figures: dict[str, dict[str, Any]] = {name: {} for name in maps}
        fast, memory = self.network.fast, self.task.memory * MIB
        if self.task.faithfulness:
            floor = deletion_insertion(fast, images, targets, random_maps(images, self.task.seed), memory=memory)
            for name, each in maps.items():
                found = deletion_insertion(fast, images, targets, each, memory=memory)
                figures[name] |= {"deletion_auc": found.deletion_auc, "insertion_auc": found.insertion_auc}
                figures[name] |= {f"random_{key}": getattr(floor, key) for key in ("deletion_auc", "insertion_auc")}
        if "integrated-gradients" in maps:
            error = completeness_error(fast, images, targets, maps["integrated-gradients"])
            figures["integrated-gradients"]["completeness_error"] = error
        if self.task.check:
            for name in maps:
                similarity = randomisation_check(fast, self._method(name), images, targets, seed=self.task.seed)
                figures[name]["random_weights_correlation"] = similarity
        return figures


def method_of(name: str, **said: Any) -> Method:
    """A method that was told what was `said`, as far as it listens."""
    method = ATTRIBUTIONS[name]
    heard = signature(method).parameters
    return partial(method, **{key: value for key, value in said.items() if key in heard})
