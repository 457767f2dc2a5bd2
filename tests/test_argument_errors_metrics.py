"""Arguments of metrics, maps and curves that are nearly right: one sentence of ours, and never a figure.

This file is also the program that makes the attempts, in a process without the run-time check of annotations, which
would answer first. Plainer mistakes are in `arguments/of_metrics.py`.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__)
NAN, INF = float("nan"), float("inf")
TOO_LARGE = 2**70


def test_what_is_nearly_right_is_refused_in_one_sentence():
    done = subprocess.run([sys.executable, HERE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(made) >= 160
    assert not [each for each in made if not each["ours"]]
    for each in made:
        assert "got " in each["message"], each
        assert "\n" not in each["message"]
        assert len(each["message"]) < 400


def features_and_labels(draws):
    """Features of which no distance is a figure, and labels that are none."""
    from vitrail import metrics

    good, labels = torch.randn(20, 4, generator=draws), torch.arange(20) % 2
    doors = {
        "frechet_distance": metrics.frechet_distance,
        "kernel_distance": metrics.kernel_distance,
        "prdc": metrics.prdc,
        "FrechetDistance": lambda features, reference: metrics.FrechetDistance(reference)(features),
        "KernelDistance": lambda features, reference: metrics.KernelDistance(reference)(features),
        "diversity": lambda features, training: metrics.diversity((features, labels), (good, labels), training),
    }
    wrong = {
        "squares are infinite": good * 1e30,
        "kernel is infinite": good.double() * 1e200,
        "on another device": good.to("meta"),
        "sparse": good.to_sparse(),
        "complex": good.to(torch.complex64),
        "NaN in half precision": good.half() * NAN,
    }
    for door, distance in doors.items():
        for name, features in wrong.items():
            yield door, f"features: {name}", lambda d=distance, f=features: d(f, good)
            if name != "on another device":  # of the reference it is the features' device that differs
                yield door, f"reference: {name}", lambda d=distance, f=features: d(good, f)
    for name, pair in {
        "None": None,
        "features": good,
        "one": (good,),
        "three": (good, labels, 1),
        "text": "ab",
    }.items():
        yield "diversity", f"samples={name}", lambda p=pair: metrics.diversity(p, (good, labels), good)
        yield "diversity", f"held_out={name}", lambda p=pair: metrics.diversity((good, labels), p, good)
    attributes = torch.stack([labels, labels], dim=1)
    for name, each in {"floats": labels / 1, "NaN": labels * NAN, "column": labels[:, None], "two": attributes}.items():
        yield "diversity", f"labels: {name}", lambda e=each: metrics.diversity((good, e), (good, labels), good)
    fewer = good[:10], labels[:10]
    yield "diversity", "fewer samples", lambda: metrics.diversity(fewer, (good, labels), good)


def probabilities():
    from vitrail.metrics import expected_calibration_error

    half, labels = np.full((4, 2), 0.5), np.array([0, 1, 0, 1])
    with_gradient = torch.full((4, 2), 0.5, requires_grad=True)
    for name, each in {
        "ragged": [[0.5], [0.5, 0.5]],
        "with a gradient": with_gradient,
        "objects": half.astype(object),
    }.items():
        yield "calibration", f"probabilities: {name}", lambda e=each: expected_calibration_error(e, labels)
    for name, each in {
        "ragged": [[1], [1, 2]],
        "with a gradient": with_gradient[:, 0],
        "yes or no": labels > 0,
    }.items():
        yield "calibration", f"labels: {name}", lambda e=each: expected_calibration_error(half, e)


def samples():
    from vitrail.datasets.pixels import PixelSet
    from vitrail.metrics import SampleClassifier, SampleEvaluation
    from vitrail.metrics.feature_extractors import ClassifierFeatures

    right = {"size": 16, "channels": 1, "names": 2}
    for name, values in {"size": (7, -8, 16.5, "16"), "channels": (0, None), "names": (0, -2, ["a"])}.items():
        for value in values:
            options = {**right, name: value}
            yield "SampleClassifier", f"{name}={value}", lambda o=options: SampleClassifier(**o)
    judge = SampleClassifier(**right)
    pixels, labels = torch.randint(256, (12, 1, 16, 16), dtype=torch.uint8), torch.arange(12) % 2
    wrong = {"another size": pixels[..., :8], "colour": pixels.expand(-1, 3, -1, -1), "one axis less": pixels[:, 0]}
    wrong |= {"array": pixels.numpy(), "None": None}
    for name, each in {**wrong, "floats": pixels / 255}.items():
        yield "features_and_logits", name, lambda e=each: judge.features_and_logits(e)
    for name, each in {**wrong, "8 bits": pixels}.items():
        yield "SampleClassifier()", name, lambda e=each: judge(e)
    extractor, data = ClassifierFeatures(judge, "", 1.0, {}, 12), PixelSet(pixels, labels, ("a", "b"))
    evaluation = SampleEvaluation(extractor, data, data, count=12, seed=0)
    for name, each in {**wrong, "floats": pixels / 255, "too few": pixels[:5]}.items():
        yield "measure", name, lambda e=each: evaluation.measure(e, labels, conditional=True)
    for name, each in {"None": None, "too few": labels[:5], "array": labels.numpy()}.items():
        yield "measure", f"labels: {name}", lambda e=each: evaluation.measure(pixels, e, conditional=True)
    given = {"extractor": extractor, "train": data, "held_out": data, "count": 12, "seed": 0}
    small = PixelSet(pixels[..., :8, :8], labels, ("a", "b"))
    for name, values in {
        "extractor": (None, judge),
        "train": (None, pixels, data.take(slice(1))),
        "held_out": (None, small, data.take(slice(0))),
        "count": (0, 1, 2.5, "8", None),
        "seed": (-1, 0.5, None, TOO_LARGE),
    }.items():
        for number, value in enumerate(values):
            yield "SampleEvaluation", f"{name}, {number}", lambda g={**given, name: value}: SampleEvaluation(**g)


def maps_and_curves(draws):
    from torch import nn

    from vitrail import attacks, attributions
    from vitrail.backbones.backbone import Backbone

    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    model = Backbone.wrap(layers, mean=(0.5,) * 3, std=(0.2,) * 3, classes=("a", "b", "c"), size=16)
    images, targets = torch.rand(2, 3, 16, 16, generator=draws), torch.tensor([0, 1])
    maps = torch.rand(2, 16, 16, generator=draws)
    delete, baseline = attributions.deletion_insertion, attributions.random_baseline(model, images, targets)
    gradient, test = attributions.gradient, attributions.randomisation_test

    for shares in (None, 5, "01", ["0", "1"], [0, NAN, 1], [[0, 1]], {0, 1}, iter([0, 1])):
        yield "shares", repr(shares), lambda s=shares: delete(model, images, targets, maps, shares=s)
    none = images[:0], targets[:0], maps[:0]
    yield "deletion_insertion", "no image", lambda: delete(model, *none)
    yield "completeness_error", "no image", lambda: attributions.completeness_error(model, *none)
    yield "random_baseline", "no image", lambda: attributions.random_baseline(model, *none[:2])
    yield "randomisation_test", "no image", lambda: test(model, gradient, none[0])
    yield "robust_accuracy", "no image", lambda: attacks.robust_accuracy(model, *none[:2])
    for value in (NAN, INF, 5.0, -1, "0", None):
        yield (
            "completeness_error",
            f"baseline={value}",
            lambda v=value: attributions.completeness_error(model, images, targets, maps, baseline=v),
        )
    for name, each in {"None": None, "array": images.numpy(), "one image": images[0]}.items():
        yield "random_maps", name, lambda e=each: attributions.random_maps(e)
        yield "random_baseline", name, lambda e=each: attributions.random_baseline(model, e, targets)
    for seed in (-1, None, 1.5, "1", True, TOO_LARGE):
        yield "random_maps", f"seed={seed}", lambda s=seed: attributions.random_maps(images, s)
        yield (
            "random_baseline",
            f"seed={seed}",
            lambda s=seed: attributions.random_baseline(model, images, targets, seed=s),
        )
        yield "robust_accuracy", f"seed={seed}", lambda s=seed: attacks.robust_accuracy(model, images, targets, seed=s)
    for name, method in {
        "name": "gradient",
        "None": None,
        "nothing": lambda *_: None,
        "one map": lambda *_: maps[:1],
        "four axes": lambda *_: images,
        "NaN": lambda *_: maps * NAN,
        "array": lambda *_: maps.numpy(),
    }.items():
        yield "randomisation_test", f"method: {name}", lambda m=method: test(model, m, images)
    for name, each in {"out of range": targets + 3, "too few": targets[:1], "list": [0, 1]}.items():
        yield "randomisation_test", f"targets: {name}", lambda e=each: test(model, lambda *_: maps, images, e)

    measured = delete(model, images, targets, maps)
    other_points = delete(model, images, targets, maps, shares=[0, 0.5, 1])
    for name, pair in {
        "nothing": (None, None),
        "exchanged": (baseline, measured),
        "other shares": (other_points, baseline),
        "NaN": (replace(measured, deletion=measured.deletion * NAN), baseline),
        "one insertion": (replace(measured, insertion=measured.insertion[:1]), baseline),
        "an array": (replace(measured, insertion=measured.insertion.numpy()), baseline),
        "NaN of pixels": (measured, replace(baseline, pixel_scores=baseline.pixel_scores * NAN)),
        "NaN of coarse ones": (measured, replace(baseline, coarse_scores=baseline.coarse_scores * NAN)),
        "one coarse one": (measured, replace(baseline, coarse_scores=baseline.coarse_scores[:, :1])),
        "no coarse one": (measured, replace(baseline, coarse_scores=baseline.coarse_scores[:0])),
        "no deviation": (measured, replace(baseline, pixel_scores=baseline.pixel_scores[:1])),
    }.items():
        yield "verdicts", name, lambda p=pair: attributions.verdicts(*p)

    wrong = {"NaN": images * NAN, "infinite": images * INF, "8 bits": images * 255, "negative": images - 1}
    wrong |= {"whole numbers": (images * 255).byte(), "no pixel": images[..., :0]}
    for name, each in wrong.items():
        yield "segment", name, lambda e=each: attributions.segment(e[0], maps[0, :, : e.shape[3]])
    for name, each in {**wrong, "grey": images[:, :1], "complex": images + 0j}.items():
        yield "structural_similarity", name, lambda e=each: attacks.structural_similarity(e, e)
    for name, each in {"NaN": images * NAN, "double": images.double(), "meta": images.to("meta")}.items():
        yield "structural_similarity", f"and {name}", lambda e=each: attacks.structural_similarity(images, e)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent / "arguments"))
    from attempts import report

    generator = torch.Generator().manual_seed(0)
    for attempts in (features_and_labels(generator), probabilities(), samples(), maps_and_curves(generator)):
        report(attempts)
