"""Certificates, made once for the same images and network."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from vitrail import files
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import CannotWrite
from vitrail.events import Note, Progress
from vitrail.metrics.arguments import LARGEST
from vitrail.metrics.certificate import FEWEST_CERTIFIED, MOST, SPLITS, Certificate, certify
from vitrail.metrics.degradations import DEGRADATIONS, LEVELS
from vitrail.metrics.distances import METRICS
from vitrail.metrics.feature_extractors import FeatureExtractor
from vitrail.reading import read_json

RECIPE = 1  # part of the key: raised when a certificate of the same images would be another


def open_certificate(
    extractor: FeatureExtractor, train: PixelSet, held_out: PixelSet, *, cache: Path | None
) -> Generator[Progress | Note, None, Certificate]:
    """The certificate of a network on these images, made or from the cache; yields progress, and a note if it is lost.

    Args:
        cache: folder of certificates; None: it is made in any case.
    """
    file = None
    if cache is not None:
        about = (RECIPE, *METRICS, train.sha256, held_out.sha256, extractor.name, extractor.weights_sha256)
        file = cache / f"{sha256(repr(about).encode()).hexdigest()[:32]}.json"
    stored = None if file is None else _stored(file, train.size)
    if stored is not None:
        return stored
    made = certify(extractor, train, held_out)
    while True:
        try:
            yield Progress("certificate", round(100 * next(made)), 100, unit="%")
        except StopIteration as ended:
            certificate: Certificate = ended.value
            break
    if file is not None and not certificate.undefined:
        try:
            files.write_bytes(file, json.dumps(asdict(certificate)).encode(), within=file.parent)
        except CannotWrite as problem:
            yield Note(f"{problem} The run continues without it.", "warning")
    return certificate


def _stored(file: Path, size: int) -> Certificate | None:
    """None: there is none, or it is damaged."""
    try:
        certificate = Certificate(**read_json(file, within=file.parent))
        metrics, kinds = set(certificate.real), {*DEGRADATIONS, "repeats", "copies"}
        whole = (
            type(certificate.n) is int
            and FEWEST_CERTIFIED <= certificate.n <= MOST
            and certificate.size == size
            and certificate.undefined == ""
            and metrics >= set(METRICS)
            and certificate.degraded.keys() == kinds
            and _are_numbers(certificate.real, SPLITS)
            and all(levels.keys() == metrics for levels in certificate.degraded.values())
            and all(_are_numbers(levels, LEVELS) for levels in certificate.degraded.values())
        )
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return certificate if whole else None


def _are_numbers(values: Mapping[str, Any], length: int) -> bool:
    """Whether each metric has so many numbers, none of which could be of another kind."""
    return all(
        len(numbers) == length and all(type(number) is float and abs(number) < LARGEST for number in numbers)
        for numbers in values.values()
    )
