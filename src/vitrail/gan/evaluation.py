"""Evaluation of a trained generator: other metrics than those of its training, on other or on more images."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitrail.datasets.moved import check_there, rebased
from vitrail.devices import choose_device
from vitrail.errors import BadSetting
from vitrail.events import Event, Note
from vitrail.gan.evaluation_values import evaluation_values
from vitrail.gan.extractors import open_extractors
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.training import FEWEST_SAMPLES
from vitrail.gan.training_data import TrainingData, differences, find_training_data, open_training_data
from vitrail.gan_training.arguments import check_device, check_flag, check_kind, check_optional_path
from vitrail.images import to_rgb
from vitrail.metrics.sample_evaluation import gan_train_score
from vitrail.settings import cache_folder
from vitrail.validation import LARGEST_SAMPLE_SEED, check_count, check_seed


@dataclass(frozen=True)
class EvaluationEnd:
    """The evaluation has ended.

    Attributes:
        metrics: each with `name`, `label`, `value`, `baseline`, `n` and `extractor`; without those that the certificate
            of these images refuses.
        label_agreement: fraction of images in which the judge sees their label; None without labels or judge.
        gan_train: GAN-train score with its baseline, if it was computed.
        values: everything, as in `result.json`.
    """

    metrics: Sequence[Mapping[str, Any]]
    label_agreement: float | None
    gan_train: Mapping[str, Any] | None
    values: Mapping[str, Any] = field(repr=False)


def evaluate(
    generator: GeneratorNetwork,
    data: str | Path | TrainingData | None = None,
    *,
    extractor: str = "auto",
    samples: int = 10_000,
    gan_train: bool = True,
    seed: int = 0,
    device: str = "auto",
    download: bool = False,
    cache: str | Path | None = None,
) -> Iterator[Event | EvaluationEnd]:
    """Measures the images of a generator against real ones; yields notes and progress, and `EvaluationEnd` last.

    Args:
        generator: a trained one, see `load`.
        data: a folder of real images or the name of a data set; None: the images that it was trained on.
        extractor: feature extractor, see `gan.extractors.open_extractors`.
        samples: images on each side, at most as many as there are.
        gan_train: compute the GAN-train score of a conditional generator, too.
        seed: of the generated images.
        device: "auto", "cpu", "cuda" or "cuda:N".
        download: whether a data set may be downloaded.
        cache: folder of trained judges and downloaded data; None: the user's cache.
    Raises:
        BadRun: the generator does not say what it was trained on.
        BadSetting: a value out of range, or real images of another size, or with other names, than the generator's.
    """
    check_kind("generator", generator, GeneratorNetwork, "gan.load(folder)")
    check_kind("extractor", extractor, str, "auto")
    check_count("samples", samples, least=FEWEST_SAMPLES)
    check_flag("gan_train", gan_train)
    check_seed("seed", seed, most=LARGEST_SAMPLE_SEED)
    check_device("device", device)
    check_flag("download", download)
    check_optional_path("cache", cache)
    started, device = time.perf_counter(), choose_device(device)
    cache = Path(cache or cache_folder().parent)
    if not isinstance(data, TrainingData):
        data = open_evaluation_data(generator, data, home=cache / "datasets", download=download)
    yield from data.opened.events()
    yield from _notes(generator, data)
    if data.train.size != generator.size:
        raise BadSetting(
            f"The generator's images have {generator.size} pixels a side, the real ones {data.train.size}. "
            f"Use PixelOptions(size={generator.size})."
        )
    if generator.names and data.train.names != generator.names:
        raise BadSetting(
            f"The generator's condition is {', '.join(generator.names)}; these images have "
            f"{', '.join(data.train.names) or 'no labels'}. Use images with the same classes or attributes."
        )
    if generator.channels > data.train.channels:
        yield Note(
            "Generated images are in colour, real ones are grey: what is measured is the colour, too.", "warning"
        )
        data = data.coloured()
    extractors = yield from open_extractors(
        extractor,
        data.train,
        data.held_out,
        seed=int(generator.description.get("seed", 0)),
        device=device,
        cache=cache,
        seen=generator.description["arguments"].get("backbone"),
        labelled=bool(generator.names),
    )
    options: dict[str, Any] = {"count": samples, "seed": seed, "by_class": bool(generator.names)}
    evaluation = extractors.evaluation(data.train, data.held_out, **options)
    others = extractors.further(data.train, data.held_out, **options)
    labels = evaluation.labels if generator.names else evaluation.labels.new_zeros(evaluation.count).long()
    pixels = generator.images(generator.latents(seed, evaluation.count), labels)
    if data.train.channels == 3:
        pixels = to_rgb(pixels).contiguous()
    metrics = evaluation.measure(pixels, labels, conditional=bool(generator.names))
    measured = [(evaluation, metrics), *((each, each.measure(pixels, labels, conditional=False)) for each in others)]
    score = None
    if gan_train and generator.names:
        score = yield from gan_train_score(pixels, labels, data.train, data.held_out, seed=seed, device=device)
    values = {
        **evaluation_values(measured, device),
        **({} if score is None else {"gan_train": score}),
        "seconds": {"total": time.perf_counter() - started},
    }
    yield EvaluationEnd(values["metrics"], metrics.label_agreement, score, values)


def open_evaluation_data(
    generator: GeneratorNetwork, source: str | Path | None, *, home: Path, download: bool
) -> TrainingData:
    """The real images to compare with: those of `source`, by default those that the generator was trained on.

    Raises:
        BadRun: the generator does not say what it was trained on, or its images are not where they were.
    """
    own, options = find_training_data(generator, home=home, download=download)
    if source:
        attributes = generator.names if generator.description["attributes"] else ()
        beside = rebased(str(options.labels), own, str(source)) if options.labels else None
        labels = Path(beside) if beside else options.labels  # a table outside the folder has not moved with it
        labels = labels if labels and labels.is_file() else None
        options = replace(options, labels=labels, attributes=attributes)
    elif run := getattr(generator, "run", None):
        check_there(own, run)
    return open_training_data(source or own, options)


def _notes(generator: GeneratorNetwork, data: TrainingData) -> Iterator[Note]:
    """A warning where the real images are not those of the training."""
    trained_on = generator.description.get("data")
    sha256 = trained_on.get("sha256") if isinstance(trained_on, Mapping) else None
    differ = differences(getattr(generator, "run", None), data, sha256) if sha256 else None
    if differ is not None:
        yield Note(f"The real images are not those of the training{differ}.", "warning")
