"""The images of a training: opened once, and described so that the run's generator can find them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vitrail.datasets.changes import Row, changes, recorded_rows
from vitrail.datasets.moved import found
from vitrail.datasets.pixel_data import MIN_TRAIN, PixelOptions, TrainAndHeldOut, load_pixel_sets
from vitrail.datasets.pixels import PixelSet
from vitrail.distributed import barrier, rank_and_world_size
from vitrail.errors import BadRun, BadSetting
from vitrail.gan.description import MAX_SIZE
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan_training.arguments import check_flag, check_kind, check_optional_path
from vitrail.runs import read_run
from vitrail.settings import parse_model
from vitrail.validation import LARGEST_SAMPLE_SEED, check_count, check_number, check_path, check_seed, describe

OF_THE_MACHINE = ("home", "download")  # options that do not select images
MOST_HELD_OUT = 0.9  # of the images
USE_OPTIONS = "vitrail.datasets.pixel_data.PixelOptions(size=32)"


@dataclass(frozen=True)
class TrainingData:
    """Training and held-out images, with where they came from.

    Attributes:
        source: a folder, or the name of a data set.
        options: that it was opened with.
        opened: the images.
    Raises:
        BadSetting: options or images of another type.
    """

    source: str
    options: PixelOptions
    opened: TrainAndHeldOut = field(repr=False)

    def __post_init__(self) -> None:
        check_kind("options", self.options, PixelOptions, USE_OPTIONS)
        check_kind("opened", self.opened, TrainAndHeldOut, "gan.open_training_data(folder, options)")

    @property
    def train(self) -> PixelSet:
        """The training images."""
        return self.opened.train

    @property
    def held_out(self) -> PixelSet:
        """The held-out images."""
        return self.opened.held_out

    @cached_property
    def description(self) -> dict[str, Any]:
        """Source, options and SHA-256 of the training images, in JSON values; `read_data_options` reads it."""
        options = {name: value for name, value in asdict(self.options).items() if name not in OF_THE_MACHINE}
        labels = None if self.options.labels is None else str(self.options.labels)
        options |= {"labels": labels, "attributes": list(self.options.attributes)}
        return {"source": self.source, "options": options, "sha256": self.train.sha256}

    def coloured(self) -> TrainingData:
        """Grey images as colour ones of three equal channels."""
        opened = replace(self.opened, train=self.train.to_rgb(), held_out=self.held_out.to_rgb())
        return replace(self, opened=opened)

    @cached_property
    def rows(self) -> list[Row]:
        """File, class, part and content of each image."""
        return [*self.train.rows("train"), *self.held_out.rows("held out")]


def default_size(source: str) -> int:
    """Default side of the images in pixels: 16 for digits, otherwise 32."""
    return 16 if source == "digits" else 32


def open_training_data(source: str | Path, options: PixelOptions) -> TrainingData:
    """Opens a folder of images or a named data set. Of several ranks, the first one downloads or unpacks it.

    Raises:
        BadSetting: an option out of range.
        UnknownName, BadFolder, BadImage, BadSetting, MissingWeights: as `datasets.load_pixel_sets`.
    """
    check_path("data", source)
    _check_options(options)
    labels = None if options.labels is None else Path(options.labels)
    source, options = str(source), replace(options, labels=labels, home=Path(options.home))
    opened = load_pixel_sets(source, options) if rank_and_world_size()[0] == 0 else None
    barrier()
    return TrainingData(source, options, opened or load_pixel_sets(source, options))


def _check_options(options: PixelOptions) -> None:
    check_kind("options", options, PixelOptions, USE_OPTIONS)
    check_count("size", options.size, most=MAX_SIZE)
    check_optional_path("labels", options.labels)
    attributes: Any = options.attributes
    if not isinstance(attributes, tuple) or not all(isinstance(name, str) for name in attributes):
        raise BadSetting(f"attributes must be a tuple of names; got {describe(attributes)}. Use ('Male', 'Young').")
    if options.images is not None:
        check_count("images", options.images, least=MIN_TRAIN)
    if options.held_out is not None:
        check_number("held_out", options.held_out, above=0, below=MOST_HELD_OUT)
    check_seed("seed", options.seed, most=LARGEST_SAMPLE_SEED)
    check_path("home", options.home)
    check_flag("download", options.download)


class _Options(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    size: int = Field(ge=1, le=MAX_SIZE)
    labels: str | None
    attributes: list[str]
    images: int | None
    held_out: float | None
    seed: int


class _Data(BaseModel):
    model_config = ConfigDict(strict=True)

    source: str
    options: _Options


def read_data_options(description: Mapping[str, Any], *, home: Path, download: bool) -> tuple[str, PixelOptions]:
    """Source and options of the images that a generator was trained on, from its description.

    Args:
        home: folder of downloaded and unpacked data sets.
        download: whether a data set may be downloaded.
    Raises:
        BadRun: the description has none, or a damaged one.
    """
    try:
        data = parse_model(_Data, description.get("data"))
    except ValueError as error:
        raise BadRun(
            f"The generator does not say what it was trained on ({error}). Use a run folder of `vitrail gan train`."
        ) from None
    values = data.options.model_dump()
    labels = None if values["labels"] is None else Path(values["labels"])
    values |= {"labels": labels, "attributes": tuple(values["attributes"])}
    return data.source, PixelOptions(**values, home=home, download=download)


def differences(run: Path | None, data: TrainingData, trained_on: Any) -> str | None:
    """How images differ from those of a run, as the end of a sentence; None: they do not.

    Args:
        run: the run folder, whose table of files is asked for numbers; None: there is none.
        trained_on: the SHA-256 of the run's training images.
    """
    rows = None if run is None else recorded_rows(run)
    counts = None if rows is None else changes(rows, data.rows)
    if data.description["sha256"] == trained_on and not counts:
        return None
    return "" if counts is None else f": {counts.line()}"


def find_training_data(generator: GeneratorNetwork, *, home: Path, download: bool) -> tuple[str, PixelOptions]:
    """As `read_data_options`, of the generator of a run: paths are looked for where its command was typed, too."""
    source, options = read_data_options(generator.description, home=home, download=download)
    folder = getattr(generator, "run", None)
    if folder is None:
        return source, options
    run = read_run(folder)
    labels = options.labels and Path(found(str(options.labels), run))
    return found(source, run), replace(options, labels=labels)
