"""Which images are made, and their making: as many in one batch as memory allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from vitrail.class_names import class_index
from vitrail.errors import BadSetting
from vitrail.image_ascent import max_batch_size
from vitrail.image_files import find_images
from vitrail.images import read_pixels, to_unit
from vitrail.visualisation import (
    Ascent,
    Frame,
    Goal,
    LabRule,
    Parametrisation,
    Spectrum,
    Views,
    distinct_scores,
    fourier,
    goal_scores,
    lab,
    maco,
    natural_spectrum,
    noise,
    render,
    spectrum_of,
)

if TYPE_CHECKING:
    from vitrail.backbones.backbone import Backbone
    from vitrail.backbones.network import Network
    from vitrail.tasks.visualise import Visualise

GREY = 0.05  # spread of the noise that fourier starts from, in units of the sigmoid
RATES = {"lab": 5.0, "fourier": 0.05, "maco": 0.2}
VIEWS = {
    "fourier": Views(part=(0.4, 1.0), degrees=10, size=(0.43, 1.0)),
    "maco": Views(part=(0.3, 0.9), noise=0.1),
}


@dataclass(frozen=True)
class Row:
    """One image of a batch.

    Attributes:
        name: of its class or unit.
        steps: after which of them it is kept; the last one ends it.
    """

    goal: Goal
    name: str
    rate: float
    l2: float
    steps: tuple[int, ...]


def rows_of(task: Visualise, network: Network) -> list[Row]:
    """A row for each class and unit, and for each pair of rate and l2 where several are compared.

    Raises:
        UnknownName: no class or layer is called so.
        BadSetting: several classes are, or an index is out of range.
    """
    classes = network.classes
    indices = dict.fromkeys(class_index(classes, name) for name in task.names)
    goals = [(Goal(index), classes[index]) for index in indices]
    goals += [(_unit(unit, network), unit) for unit in task.unit]
    swept = task.swept
    rates = swept.get("rate", (task.rate or RATES[task.chosen],))
    steps = tuple(sorted({int(value) for value in swept.get("steps", (task.steps,))}))
    settings = product(goals, rates, swept.get("l2", (task.l2,)))
    return [Row(goal, name, rate, l2, steps) for (goal, name), rate, l2 in settings]


def _unit(unit: str, network: Network) -> Goal:
    layer, _, index = unit.rpartition(":")
    if not layer or not index.isdecimal():
        raise BadSetting(f"--unit takes LAYER:INDEX; got {unit!r}; '{network.reference.layers[0]}:0' would work.")
    size = network.reference.size
    with torch.no_grad():
        black = torch.zeros(1, 3, size, size, device=network.device)
        channels = network.reference.activations(black, (layer,))[layer].shape[1]
    if int(index) >= channels:
        raise BadSetting(f"Layer {layer!r} has no channel {index}; 0 to {channels - 1} would work.")
    return Goal(int(index), layer)


def _takes(backbone: Backbone, share: float) -> bool:
    """Whether a network takes images of that share of its own size; vision transformers do not."""
    side = round(share * backbone.size)
    try:
        with torch.no_grad():
            backbone(torch.zeros(1, 3, side, side, device=backbone.mean.device))
    except Exception:  # a network of anybody's raises what it likes
        return False
    return True


class Making:
    """The frames of rows of images."""

    def __init__(self, task: Visualise, network: Network) -> None:
        self._task, self._network = task, network
        side = task.size or network.reference.size
        self._size = (side, side)

    def batches(self, rows: Sequence[Row]) -> Iterator[tuple[Sequence[Row], Iterator[Frame]]]:
        """Rows that fit into memory together, and the frames of each step of theirs."""
        size = self._network.reference.size
        black = torch.zeros(1, 3, size, size, device=self._network.device)
        most = max_batch_size(self._network.fast, black)
        for first in range(0, len(rows), most):
            part = rows[first : first + most]
            yield part, islice(self._frames(part), part[0].steps[-1])

    def _frames(self, rows: Sequence[Row]) -> Iterator[Frame]:
        task, network = self._task, self._network
        fast = network.fast
        # The same draws for every batch: an image comes out alike, whatever is made along with it.
        generator = torch.Generator().manual_seed(task.seed)
        goals = [row.goal for row in rows]
        if task.chosen == "lab":
            rate, l2 = (torch.tensor(values) for values in ([row.rate for row in rows], [row.l2 for row in rows]))
            rule = LabRule(rate, l2, task.jitter, task.blur_every)
            start = self._start(len(rows), generator)
            return lab(fast, goal_scores(goals), start, rule=rule, generator=generator)
        views = VIEWS[task.chosen]
        if not _takes(fast, views.size[0]):
            views = replace(views, size=(1.0, 1.0))
        ascent = Ascent(rows[0].rate, views)
        if task.chosen == "maco":
            canvas: Parametrisation = maco(len(rows), self._size, self._spectrum(), generator).to(network.device)
        else:
            canvas = fourier(self._start(len(rows), generator))
        return render(fast, distinct_scores(goals), canvas, ascent=ascent, generator=generator)

    def _start(self, count: int, generator: Generator) -> Tensor:
        device = self._network.device
        if self._task.start != "noise":
            side, kind = self._size[0], self._network.reference.preprocessing.interpolation
            pixels = read_pixels(self._task.start, short_side=side, crop=side, interpolation=kind)
            return to_unit(pixels)[None].repeat(count, 1, 1, 1).to(device)
        if self._task.chosen == "lab":
            return noise(count, self._size, generator).to(device)
        drawn = GREY * torch.randn(1, 3, *self._size, generator=generator)
        return drawn.sigmoid().repeat(count, 1, 1, 1).to(device)

    def _spectrum(self) -> Spectrum:
        if not self._task.spectrum:
            return natural_spectrum()
        files = find_images(self._task.spectrum)
        return spectrum_of(to_unit(read_pixels(file, short_side=256))[None] for file in files)
