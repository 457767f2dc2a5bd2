"""Class visualisation by method name: batches of images that fit into memory, and the frames of their ascent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product
from queue import Empty, Queue
from threading import Event
from typing import Literal

import torch
from torch import Generator, Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.errors import BadSetting
from vitrail.files import AnyPath
from vitrail.image_ascent import (
    MEMORY,
    check_network,
    max_batch_size,
    shared_copy,
    worker_count,
    worker_threads,
)
from vitrail.image_files import find_images
from vitrail.images import read_pixels, to_unit
from vitrail.validation import check_count, check_seed
from vitrail.visualisation.parametrisations import Parametrisation, fourier, maco
from vitrail.visualisation.pixel_ascent import PixelAscentOptions, gaussian_noise, pixel_ascent
from vitrail.visualisation.render import AscentOptions, Frame, render
from vitrail.visualisation.spectrum import SAMPLE, Spectrum, measure_spectrum, natural_spectrum
from vitrail.visualisation.targets import VisualisationTarget, class_target, relative_logits, target_scores
from vitrail.visualisation.transforms import RandomTransforms

Method = Literal["fourier", "maco", "pixels"]

DEFAULT_METHOD: Method = "fourier"
STEP_SIZES: dict[Method, float] = {"fourier": 0.05, "maco": 0.2, "pixels": 5.0}
TRANSFORMS: dict[Method, RandomTransforms] = {
    "fourier": RandomTransforms(crop=(0.4, 1.0), degrees=10, resize=(0.43, 1.0)),
    "maco": RandomTransforms(crop=(0.3, 0.9), noise=0.1),
}
AHEAD = 2  # frames that a thread may be ahead of the slowest
START_NOISE = 0.05  # standard deviation of the noise that `fourier` starts from, before the sigmoid


@dataclass(frozen=True)
class Variant:
    """One image of a batch: a target, and the options of its ascent.

    Attributes:
        step_size: see `STEP_SIZES`.
        l2: weight of the L2 penalty of `pixels`.
        steps: those after which the image is saved, ascending; the last one ends the ascent.
    """

    target: VisualisationTarget
    step_size: float
    l2: float
    steps: tuple[int, ...]


def variants(
    targets: Sequence[VisualisationTarget], step_sizes: Sequence[float], l2: Sequence[float], steps: Sequence[int]
) -> list[Variant]:
    """A variant for each combination of a target, a step size and an L2 weight; each is saved after all `steps`."""
    stops = tuple(sorted(set(steps)))
    return [Variant(*values, stops) for values in product(targets, step_sizes, l2)]


class Renderer:
    """Makes the frames of variants, by one method.

    Args:
        backbone: a network, e.g. an `optimised_copy`; not changed.
        method: "fourier", "maco" or "pixels".
        size: side of the images in pixels, of `fourier` and `maco`; default: the network's input size.
        start: image file to start from, not for `maco`; default: noise.
        spectrum: image files or folders whose spectrum `maco` takes; default: the packaged spectrum.
        jitter, blur_every: see `PixelAscentOptions`.
        seed: of the start and the random transformations; the same for every batch.
        memory: limit in bytes on the activations of one batch.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        method: Method = DEFAULT_METHOD,
        size: int | None = None,
        start: AnyPath | None = None,
        spectrum: Sequence[AnyPath] = (),
        jitter: int = 16,
        blur_every: int = 10,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> None:
        self._backbone, self._method = backbone, method
        self._size = (size or backbone.size,) * 2
        self._start, self._spectrum = start, spectrum
        self._jitter, self._blur_every = jitter, blur_every
        self._seed, self._memory = seed, memory

    def batches(self, rows: Sequence[Variant]) -> list[Sequence[Variant]]:
        """The variants in batches that fit into memory, a part of each for every worker."""
        black = self._black(1.0)
        workers = worker_count(self._backbone, black, len(rows), memory=self._memory)
        most = workers * max_batch_size(self._backbone, black, memory=self._memory // workers)
        return [rows[first : first + most] for first in range(0, len(rows), most)]

    def frames(self, rows: Sequence[Variant]) -> Iterator[Frame]:
        """The frames of one batch; row i of each tensor belongs to variant i.

        Each worker (`worker_threads`) makes the images of some rows, which do not depend on the others.
        """
        workers = worker_count(self._backbone, self._black(1.0), len(rows), memory=self._memory)
        steps = rows[0].steps[-1]
        if workers == 1:
            return islice(self._ascent(self._backbone, rows), steps)
        ends = [part * len(rows) // workers for part in range(workers + 1)]
        networks = [shared_copy(self._backbone) for _ in range(workers)]

        def ascent(network: Backbone, start: int, end: int) -> Iterator[Frame]:
            return islice(self._ascent(network, rows[start:end]), steps)

        return _side_by_side([partial(ascent, *each) for each in zip(networks, ends, ends[1:], strict=False)])

    def _ascent(self, backbone: Backbone, rows: Sequence[Variant]) -> Iterator[Frame]:
        # Every batch draws the same numbers, so that an image does not depend on the others made with it.
        generator = torch.Generator().manual_seed(self._seed)
        targets = [row.target for row in rows]
        if self._method == "pixels":
            step_size, l2 = (
                torch.tensor(values) for values in ([row.step_size for row in rows], [row.l2 for row in rows])
            )
            pixel_options = PixelAscentOptions(step_size, l2, self._jitter, self._blur_every)
            start = self._start_images(len(rows), generator)
            return pixel_ascent(backbone, target_scores(targets), start, options=pixel_options, generator=generator)
        options = AscentOptions(rows[0].step_size, self._transforms())
        parametrisation = self._parametrisation(len(rows), generator)
        return render(backbone, relative_logits(targets), parametrisation, options=options, generator=generator)

    def _transforms(self) -> RandomTransforms:
        """Those of the method, at the network's full input size where it takes no other, e.g. a vision transformer."""
        transforms = TRANSFORMS[self._method]
        try:
            with torch.no_grad():
                self._backbone(self._black(transforms.resize[0]))
        except Exception:  # the user's own network may raise anything
            return replace(transforms, resize=(1.0, 1.0))
        return transforms

    def _black(self, share: float) -> Tensor:
        """A black image (1, 3, S, S), S a share of the network's input size."""
        side = round(share * self._backbone.size)
        return torch.zeros(1, 3, side, side, device=self._backbone.mean.device)

    def _parametrisation(self, count: int, generator: Generator) -> Parametrisation:
        if self._method == "maco":
            return maco(count, self._size, self._magnitudes(), generator).to(str(self._backbone.mean.device))
        return fourier(self._start_images(count, generator))

    def _start_images(self, count: int, generator: Generator) -> Tensor:
        device = self._backbone.mean.device
        if self._start is not None:
            side, interpolation = self._size[0], self._backbone.preprocessing.interpolation
            pixels = read_pixels(self._start, short_side=side, crop=side, interpolation=interpolation)
            return to_unit(pixels)[None].repeat(count, 1, 1, 1).to(device)
        if self._method == "pixels":
            return gaussian_noise(count, self._size, generator).to(device)
        draw = START_NOISE * torch.randn(1, 3, *self._size, generator=generator)
        return draw.sigmoid().repeat(count, 1, 1, 1).to(device)

    def _magnitudes(self) -> Spectrum:
        if not self._spectrum:
            return natural_spectrum()
        files = find_images(self._spectrum)
        return measure_spectrum(to_unit(read_pixels(file, short_side=SAMPLE))[None] for file in files)


def _side_by_side(ascents: Sequence[Callable[[], Iterator[Frame]]]) -> Iterator[Frame]:
    """The frames of several ascents as one, each ascent in a thread of its own, which is a few steps ahead.

    So none waits for the others at every step, and what an ascent holds stays with its thread.
    """
    stopped = Event()
    queues: list[Queue[Frame | BaseException | None]] = [Queue(AHEAD) for _ in ascents]

    def ascend(ascent: Callable[[], Iterator[Frame]], queue: Queue[Frame | BaseException | None]) -> None:
        try:
            for frame in ascent():
                queue.put(frame)
                if stopped.is_set():
                    return
            queue.put(None)
        except BaseException as error:
            queue.put(error)

    with worker_threads(len(ascents)) as pool:
        for ascent, queue in zip(ascents, queues, strict=True):
            pool.submit(ascend, ascent, queue)
        try:
            while (frames := [queue.get() for queue in queues])[0] is not None:
                yield _joined(frames)
        finally:
            stopped.set()
            for queue in queues:  # who waits for a place finds one
                with suppress(Empty):
                    while True:
                        queue.get_nowait()


def _joined(frames: Sequence[Frame | BaseException | None]) -> Frame:
    """One frame of the rows of all."""
    whole = [frame for frame in frames if isinstance(frame, Frame)]
    for error in frames:
        if isinstance(error, BaseException):
            raise error
    images, scores, logits = (
        torch.cat([getattr(frame, name) for frame in whole]) for name in ("images", "scores", "logits")
    )
    return Frame(whole[0].step, images, scores, logits)


def visualise(
    model: Backbone,
    classes: str | int | Sequence[str | int],
    *,
    method: Method = DEFAULT_METHOD,
    steps: int = 200,
    seed: int = 0,
) -> Iterator[Frame]:
    """Makes an image of each class by gradient ascent; all classes are computed together.

    Args:
        model: a network, e.g. `vitrail.load("efficientnet-lite0")`; not changed.
        classes: names or indices; one or several.
        method: "fourier" (Olah et al., 2017, https://distill.pub/2017/feature-visualization), "maco" (Fel et al.,
            2023, https://arxiv.org/abs/2306.06805) or "pixels" (Simonyan et al., 2014,
            https://arxiv.org/abs/1312.6034).
        steps: number of frames; each costs as much as two forward passes.
        seed: of the start and the random transformations.

    Returns:
        An iterator over `Frame`: `images` (N, 3, S, S) in [0, 1], in the order of `classes`.

    Raises:
        UnknownName: there is no such class.
        BadSetting: several classes match a name, an index is out of range, or another argument is.
    """
    if method not in STEP_SIZES:
        raise BadSetting(f"method must be one of {', '.join(STEP_SIZES)}; got {method!r}.")
    check_count("steps", steps)
    check_seed("seed", seed)
    check_network(model)
    names = [classes] if isinstance(classes, (str, int)) else classes
    if not names:
        raise BadSetting("classes is empty. Use at least one class name or index.")
    rows = variants([class_target(model, name) for name in names], [STEP_SIZES[method]], [1e-3], [steps])
    return Renderer(optimised_copy(model), method=method, seed=seed).frames(rows)
