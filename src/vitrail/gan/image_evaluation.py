"""Evaluation of generated images that lie in a folder, whatever program made them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from vitrail.datasets.pixel_data import PixelOptions
from vitrail.datasets.square_images import read_square_images
from vitrail.decoding import decode
from vitrail.devices import choose_device
from vitrail.errors import BadFolder, BadImage
from vitrail.events import Event, Note, skipped_notes
from vitrail.formatting import count, display_name
from vitrail.gan.evaluation import EvaluationEnd
from vitrail.gan.evaluation_values import evaluation_values
from vitrail.gan.extractors import open_extractors
from vitrail.gan.training import FEWEST_SAMPLES
from vitrail.gan.training_data import TrainingData, open_training_data
from vitrail.image_files import find_images
from vitrail.images import to_rgb

SIZED = 50  # files whose sizes are looked at
SMALLEST_SIDE, LARGEST_SIDE = 8, 256  # pixels to which samples are reduced: no network here looks closer
HELD_OUT = 0.5  # of real images that have no test part: as many to compare with as to be compared


@dataclass(frozen=True)
class Compared:
    """What is compared: generated images and real ones, of one size and of equally many channels.

    Attributes:
        samples: (N, C, S, S) uint8.
        data: the real images.
        skipped: samples that could not be read.
        notes: sentences on their sizes.
    """

    samples: Tensor = field(repr=False)
    data: TrainingData
    skipped: tuple[dict[str, str], ...]
    notes: tuple[str, ...] = ()


def open_compared(
    samples: str | Path, against: str | Path, *, size: int | None, seed: int, cache: Path, download: bool
) -> Compared:
    """Opens generated and real images at one size: by default the median of the samples, `LARGEST_SIDE` at most.

    Raises:
        BadFolder, BadImage, UnknownName: images that cannot be read, or too few.
    """
    files = sample_files(samples)
    sides, notes = _sides(files), []
    size = size or min(LARGEST_SIDE, max(SMALLEST_SIDE, int(median(sides))))
    read = read_square_images(files, torch.zeros(len(files), dtype=torch.long), (), size)
    generated, skipped = read.images, read.skipped
    if min(sides) != max(sides):
        notes.append(
            f"Samples have short sides of {min(sides)} to {max(sides)} pixels; all are read at {size} x {size}."
        )
    if len(generated) < FEWEST_SAMPLES:
        raise BadFolder(
            f"'{display_name(samples)}' holds {count(len(generated), 'readable image')}, too few to be measured. "
            f"Use at least {FEWEST_SAMPLES}."
        )
    options = PixelOptions(size=size, held_out=HELD_OUT, seed=seed, home=cache / "datasets", download=download)
    data = open_training_data(against, options)
    real = int(median(_sides(data.train.files))) if data.train.files else size
    if real > size:
        notes.append(
            f"Real images have {real} pixels and are reduced to {size}: what only larger ones show is not measured."
        )
    pixels = generated.to_grayscale().images
    if pixels.shape[1] != data.train.channels:
        colour, grey = ("samples", "real images") if data.train.channels == 1 else ("real images", "samples")
        notes.append(f"The {colour} are in colour, the {grey} are grey: what is measured is the colour, too.")
        pixels = to_rgb(pixels).contiguous()
        data = data.coloured()
    return Compared(pixels, data, skipped, tuple(notes))


def sample_files(samples: str | Path) -> list[Path]:
    """The images in a folder of samples, or in a run of `gan sample`: without its sheet, which shows them once more."""
    folder = Path(samples)
    files = list(find_images(folder / "images" if (folder / "settings.json").is_file() else samples))
    with_samples = {file.parent for file in files if file.name.startswith("sample_")}
    return [file for file in files if not (file.name == "samples.png" and file.parent in with_samples)]


def evaluate_images(
    compared: Compared, *, extractor: str = "auto", most: int = 10_000, seed: int = 0, device: str = "auto", cache: Path
) -> Iterator[Event | EvaluationEnd]:
    """Measures generated images against real ones; yields notes and progress, and `EvaluationEnd` last.

    Args:
        extractor: feature extractor, see `gan.extractors.open_extractors`.
        most: images on each side, at most as many as there are.
        seed: of the choice of images, where there are more than are compared.
        cache: folder of judges and certificates.
    """
    started, device, data = time.perf_counter(), choose_device(device), compared.data
    yield from data.opened.events()
    yield from (Note(text, "warning") for text in compared.notes)
    yield from skipped_notes(compared.skipped)
    extractors = yield from open_extractors(
        extractor, data.train, data.held_out, seed=seed, device=device, cache=cache, labelled=False
    )
    most = min(most, len(compared.samples))
    evaluation = extractors.evaluation(data.train, data.held_out, count=most, seed=seed, by_class=False)
    # Another order than that of the real images: of a copy of their folder, it would choose those that are held out.
    draws = torch.Generator().manual_seed(seed + 1)
    chosen = torch.randperm(len(compared.samples), generator=draws)[: evaluation.count]
    no_class = torch.zeros(evaluation.count, dtype=torch.long)
    metrics = evaluation.measure(compared.samples[chosen], no_class, conditional=False, detailed=True)
    copies = _equal_images(compared.samples, data)
    if copies:
        text = f"{copies:,} of {count(len(compared.samples), 'sample')} are equal to real images, pixel by pixel."
        yield Note(text, "warning")
    if near := metrics.near_copies:
        yield Note(
            f"{near:,} of {count(evaluation.count, 'sample')} may be copies: they lie nearer to one of "
            f"{count(metrics.near_copies_among or 0, 'real image')} than half of what other real images do, in "
            f"features of {evaluation.extractor.name}.",
            "warning",
        )
    values = {
        **evaluation_values([(evaluation, metrics)], device),
        "samples": len(compared.samples),
        "equal_to_real_images": copies,
        "near_copies": metrics.near_copies,
        "near_copies_among": metrics.near_copies_among,
        "coverage_per_class": dict(metrics.coverage_per_class),
        "seconds": {"total": time.perf_counter() - started},
    }
    yield EvaluationEnd(values["metrics"], None, None, values)


def _sides(files: Sequence[Path]) -> list[int]:
    """Short sides of some of the files that can be read; one at least."""
    found = []
    for file in files[:: max(1, len(files) // SIZED)]:
        with suppress(BadImage):
            found.append(min(decode(file)[0]))
    return found or [min(decode(files[0])[0])]


def _equal_images(samples: Tensor, data: TrainingData) -> int:
    """Number of samples whose pixels are those of a real image."""
    real = {image.numpy().tobytes() for each in (data.train, data.held_out) for image in each.images}
    return sum(image.numpy().tobytes() in real for image in samples)
