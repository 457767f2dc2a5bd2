"""Certificates, made once for the same images and network."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from vitrail import files
from vitrail.datasets.pixels import PixelSet
from vitrail.events import Progress
from vitrail.metrics.certificate import Certificate, certify
from vitrail.metrics.degradations import LEVELS
from vitrail.metrics.distances import METRICS
from vitrail.metrics.feature_extractors import FeatureExtractor
from vitrail.reading import read_json

RECIPE = 1  # part of the key: raised when a certificate of the same images would be another


def open_certificate(
    extractor: FeatureExtractor, train: PixelSet, held_out: PixelSet, *, cache: Path | None
) -> Generator[Progress, None, Certificate]:
    """The certificate of a network on these images, made or from the cache; yields progress.

    Args:
        cache: folder of certificates; None: it is made in any case.
    """
    file = None
    if cache is not None:
        about = (RECIPE, *METRICS, train.sha256, held_out.sha256, extractor.name, extractor.weights_sha256)
        file = cache / f"{sha256(repr(about).encode()).hexdigest()[:32]}.json"
    stored = None if file is None else _stored(file)
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
        files.write_bytes(file, json.dumps(asdict(certificate)).encode(), within=file.parent)
    return certificate


def _stored(file: Path) -> Certificate | None:
    """None: there is none, or it is damaged."""
    try:
        values = read_json(file, within=file.parent)
        certificate = Certificate(**values)
        if not (_is_count(certificate.n) and _is_count(certificate.size) and certificate.undefined == ""):
            return None
        _check(certificate.real, None)
        for levels in certificate.degraded.values():
            _check(levels, LEVELS)
        certificate.entries()
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None
    return certificate


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _check(values: Any, length: int | None) -> None:
    """Raises `ValueError` unless each metric has so many numbers."""
    for numbers in values.values():
        if not numbers or (length is not None and len(numbers) != length):
            raise ValueError("another number of levels")
        if not all(isinstance(number, int | float) for number in numbers):
            raise ValueError("no number")
