"""Images of any size through an attack, into files, and back through the ordinary path that has the last word."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vitrail.attacks import ATTACKS
from vitrail.attacks.attacked import Attacked
from vitrail.attacks.eight_bits import to_eight_bits
from vitrail.attacks.goal import Goal
from vitrail.attacks.gradient_ascent import UNIT
from vitrail.attacks.prepared import judge, prepared
from vitrail.backbones.network import Network
from vitrail.class_names import class_index
from vitrail.datasets.batches import BATCH
from vitrail.errors import BadImage, BadSetting
from vitrail.events import Preview
from vitrail.image_ascent import max_batch_size
from vitrail.image_ascent.input_gradient import check_finite
from vitrail.image_ascent.monitor import NetworkTraffic, monitored
from vitrail.image_files import display_name
from vitrail.images import read_pixels, to_bytes, to_unit
from vitrail.metrics.similarity import structural_similarity
from vitrail.plots import magnified_difference
from vitrail.plots.encode import encode_png
from vitrail.tensors import Images, Labels, Logits, Pixels

if TYPE_CHECKING:
    from vitrail.tasks.fool import Fool

MIB = 2**20
HALF_A_STEP = 0.5 / 255  # by which rounding may take a pixel beyond the radius


@dataclass(frozen=True)
class Sized:
    """Images of one size, as decoded.

    Attributes:
        pixels: (N, 3, H, W) uint8.
    """

    files: list[Path]
    pixels: Tensor = field(repr=False)
    skipped: list[dict[str, str]]


@dataclass(frozen=True)
class Fooled:
    """One image and what became of it.

    Attributes:
        before, after: (3, H, W) uint8.
        entry: as in `result.json`, but for what only the saved file can tell.
        path: the goal's score at each step.
    """

    file: Path
    before: Tensor = field(repr=False)
    after: Tensor = field(repr=False)
    entry: dict[str, Any]
    path: list[float] = field(repr=False)


def sized_batches(files: Sequence[Path]) -> Iterator[Sized]:
    """Images as decoded, as many together as follow each other in the same size."""
    waiting: list[tuple[Path, Tensor]] = []
    for file in files:
        try:
            image = read_pixels(file)
        except BadImage as error:
            yield Sized([], torch.empty(0), [{"file": display_name(file), "reason": str(error)}])
            continue
        if waiting and (len(waiting) == BATCH or image.shape != waiting[0][1].shape):
            yield _together(waiting)
            waiting = []
        waiting.append((file, image))
    if waiting:
        yield _together(waiting)


def _together(images: Sequence[tuple[Path, Tensor]]) -> Sized:
    return Sized([file for file, _ in images], torch.stack([image for _, image in images]), [])


class Fooling:
    """Runs the attack that a task asks for.

    Raises:
        UnknownName, BadSetting: a target is no class of the network, or there is another number of them than images.
    """

    def __init__(self, task: Fool, network: Network, files: Sequence[Path]) -> None:
        self.task, self.network = task, network
        targets = [None if name == "any" else class_index(network.classes, name) for name in task.target]
        if len(targets) not in (1, len(files)):
            raise BadSetting(f"{len(targets)} targets were given for {len(files)} images; one, or as many, would work.")
        if None in targets and len(targets) > 1:
            raise BadSetting("'any' stands alone; give classes for all images, or 'any' only.")
        self.target = dict(zip(files, targets if len(targets) > 1 else targets * len(files), strict=True))
        self.fast = prepared(network.fast)

    def run(self, batch: Sized) -> Iterator[Fooled | Preview]:
        """What becomes of each image of the batch; as many at once as memory allows.

        With `live`, also how an image that is alone stands meanwhile, and what was changed of it.
        """
        if not batch.files:
            return
        size = max_batch_size(self.fast, to_unit(batch.pixels[:1]), memory=self.task.memory * MIB)
        for start in range(0, len(batch.files), size):
            rows = slice(start, start + size)
            yield from self._chunk(batch.files[rows], batch.pixels[rows].to(self.network.device))

    def verdict(self, pixels: Pixels) -> Logits:
        """What the network says of pixels as of the file that they are saved as."""
        logits = judge(self.network.reference, pixels)
        check_finite(logits, self.network.reference)
        return logits

    def _chunk(self, files: Sequence[Path], pixels: Pixels) -> Iterator[Fooled | Preview]:
        sources = self.verdict(pixels)
        labels = sources.argmax(dim=1)
        wanted = [self.target[file] for file in files]
        already = [index for index, target in enumerate(wanted) if target == int(labels[index])]
        for index in already:
            yield self._nothing_to_do(files[index], pixels[index], sources[index])
        rows = torch.tensor([index for index in range(len(files)) if index not in already], dtype=torch.int64)
        if len(rows):
            targets = None if wanted[0] is None else torch.tensor(wanted, device=pixels.device)[rows]
            yield from self._fooled([files[index] for index in rows], pixels[rows], sources[rows], targets)

    def _fooled(
        self, files: Sequence[Path], pixels: Pixels, sources: Logits, targets: Labels | None
    ) -> Iterator[Fooled | Preview]:
        images = to_unit(pixels)
        goal = Goal(sources.argmax(dim=1), targets, self.task.confidence)
        found = yield from self._attacked(images, goal)
        after, cost = self._in_whole_steps(images, found, goal)
        l2, linf, similar = distances(images, to_unit(after))
        for row, file in enumerate(files):
            path = [value for value in found.path[:, row].tolist() if value == value]  # NaN: the image was done
            entry = {
                "file": display_name(file),
                "source": self._said(sources[row]),
                "target": None if targets is None else self._class(int(targets[row])),
                "l2": l2[row],
                "linf": linf[row],
                "ssim": similar[row],
                "steps": int(found.steps[row]),
                "forwards": int(found.forwards[row] + cost[0][row]) + 1,  # and one for the source's verdict
                "backwards": int(found.backwards[row] + cost[1][row]),
            }
            yield Fooled(file, pixels[row].cpu(), after[row].cpu(), entry, path)

    def _attacked(self, images: Images, goal: Goal) -> Generator[Preview, None, Attacked]:
        attack = partial(ATTACKS[self.task.method], self.fast, images, goal, **self._options())
        if self.task.live is None or len(images) > 1:
            return attack()  # type: ignore[no-any-return]
        kind = "probability" if goal.targets is not None else "probability_of_old_class"
        wanted = int(goal.labels[0] if goal.targets is None else goal.targets[0])
        before = _upright(images[0])

        def shown(seen: NetworkTraffic) -> Iterator[Preview]:
            after = _upright(seen.images[0])
            figures = {"forwards": float(seen.passes), kind: float(seen.logits[0].softmax(dim=0)[wanted])}
            yield Preview("fooled", encode_png(after), figures)
            yield Preview("difference", encode_png(magnified_difference(before, after, self.task.magnify)), figures)

        found: Attacked = yield from monitored(self.fast, attack, self.task.live, shown)
        return found

    def _in_whole_steps(self, images: Images, found: Attacked, goal: Goal) -> tuple[Pixels, tuple[Tensor, Tensor]]:
        """What was found in whole 255ths, and what it cost in passes forward and back.

        Where nothing was found, or what stays fooled in 255ths lies beyond the radius, it is rounded as it is.
        """
        after = to_bytes(found.images)
        forwards, backwards = torch.zeros_like(found.forwards), torch.zeros_like(found.backwards)
        rows = found.reached.nonzero()[:, 0]
        if not len(rows):
            return after, (forwards, backwards)
        whole = to_eight_bits(self.fast, images[rows], found.images[rows], goal.take(rows), judge=self.verdict)
        forwards[rows], backwards[rows] = whole.forwards, whole.backwards
        length = whole.linf() if self.task.norm == "linf" else whole.l2()
        within = length <= (torch.inf if self.task.radius is None else self.task.radius + HALF_A_STEP)
        after[rows[within]] = to_bytes(whole.images[within])
        return after, (forwards, backwards)

    def _options(self) -> dict[str, Any]:
        attack = ATTACKS[self.task.method]
        said = {name: getattr(self.task, name) for name in ("radius", "norm", "steps", "seed")}
        said["step"] = None if self.task.rate is None else self.task.rate * UNIT
        heard = signature(attack).parameters
        return {name: value for name, value in said.items() if name in heard and value is not None}

    def _nothing_to_do(self, file: Path, image: Tensor, logits: Tensor) -> Fooled:
        said = self._said(logits)
        entry = {"file": display_name(file), "source": said, "target": self._class(said["index"]), "already": True}
        nothing = {"l2": 0.0, "linf": 0.0, "ssim": 1.0, "steps": 0, "forwards": 1, "backwards": 0}
        return Fooled(file, image.cpu(), image.cpu(), {**entry, **nothing}, [])

    def read_back(self, png: bytes) -> dict[str, Any]:
        """What the network says of a file of these bytes: read, resized and classified in the ordinary way."""
        preprocessing = self.network.reference.preprocessing
        pixels = read_pixels(
            png, short_side=preprocessing.short_side, crop=preprocessing.size, interpolation=preprocessing.interpolation
        )
        with torch.no_grad():
            return self._said(self.network.reference(to_unit(pixels)[None].to(self.network.device))[0])

    def _said(self, logits: Tensor) -> dict[str, Any]:
        index = int(logits.argmax())
        return {**self._class(index), "probability": float(logits.double().softmax(dim=0)[index])}

    def _class(self, index: int) -> dict[str, Any]:
        return {"index": index, "name": self.network.classes[index]}


def _upright(image: Tensor) -> np.ndarray:
    pixels: np.ndarray = to_bytes(image).permute(1, 2, 0).cpu().numpy()
    return pixels


def distances(before: Tensor, after: Tensor) -> tuple[list[float], list[float], list[float]]:
    """L2 and L-infinity in pixel intensity, and the structural similarity, of each pair."""
    change = (after - before).flatten(1).double()
    similar = structural_similarity(before, after)
    return change.norm(dim=1).tolist(), change.abs().amax(dim=1).tolist(), similar.tolist()
