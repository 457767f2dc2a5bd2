"""What metrics can tell in the features of a network: the certificate of a data set, and a scale that is asked back.

    python benchmarks/certificate.py FOLDER [--size 64] [--extractor efficientnet-lite0 judge] [--cache FOLDER]

FOLDER is whatever `gan train` takes. For each extractor: which metrics fail and why, how many of the five levels of
each degradation each metric distinguishes, and the seconds of the certificate and of an evaluation. Half of the
held-out images are kept from the certificate: blurred by strengths between its levels, they are given to the scale,
which is to say how much. One JSON document on stdout.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vitrail.datasets.pixel_data import PixelOptions, load_pixel_sets
from vitrail.datasets.pixels import PixelSet
from vitrail.gan.extractors import open_feature_extractor
from vitrail.metrics import SampleEvaluation
from vitrail.metrics.certificate import certify
from vitrail.metrics.degradations import blur
from vitrail.metrics.feature_extractors import FeatureExtractor

SHARES = (0.012, 0.025, 0.04)  # blur to be found, of the side


def last(steps: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value


def measured(extractor: FeatureExtractor, train: PixelSet, held_out: PixelSet, others: PixelSet) -> dict[str, Any]:
    started = time.perf_counter()
    certificate = last(certify(extractor, train, held_out))
    seconds = time.perf_counter() - started
    metrics = {
        metric: {
            "real": [round(min(values), 4), round(max(values), 4)],
            "refused": certificate.refusal(metric),
            "distinguished": {found.degradation: found.distinguished for found in certificate.findings(metric)},
        }
        for metric, values in certificate.real.items()
    }
    count = min(len(others), len(held_out))
    evaluation = SampleEvaluation(extractor, train, held_out, count=count, seed=0, certificate=certificate)
    started, scales = time.perf_counter(), {}
    for sigma in (0.0, *(share * train.size for share in SHARES)):
        images = others.images[: evaluation.count]
        found = evaluation.measure(blur(images, sigma) if sigma else images, evaluation.labels, conditional=False)
        scales[f"{sigma:.2f}"] = None if found.scale is None else asdict(found.scale)["text"]
    return {
        "undefined": certificate.undefined,
        "images": certificate.n,
        "seconds": round(seconds, 1),
        "metrics": metrics,
        "blurred_by": scales,
        "seconds_of_an_evaluation": round((time.perf_counter() - started) / (1 + len(SHARES)), 1),
        "images_of_an_evaluation": evaluation.count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, help="to train on, at most")
    parser.add_argument("--attributes", nargs="*", default=())
    parser.add_argument("--extractor", nargs="+", default=["efficientnet-lite0", "judge"])
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/vitrail/judges").expanduser())
    given = parser.parse_args()
    options = PixelOptions(size=given.size, images=given.images, attributes=tuple(given.attributes))
    opened = load_pixel_sets(given.folder, options)
    half = len(opened.held_out) // 2
    order = torch.randperm(len(opened.held_out), generator=torch.Generator().manual_seed(1))
    held_out, others = opened.held_out.take(order[:half]), opened.held_out.take(order[half:])
    results: dict[str, Any] = {}
    for name in given.extractor:
        steps = open_feature_extractor(name, opened.train, held_out, seed=0, device="cpu", cache=given.cache)
        results[name] = measured(last(steps), opened.train, held_out, others)
    print(json.dumps({"data": opened.card(given.folder).line(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
