"""The words and lines of a training's summary."""

import pytest

from vitrail.gan.results import metric_lines
from vitrail.gan.words import ENOUGH, MANY, SEEN, samples_line

VALUES = {
    "architecture": "projected",
    "steps": 3000,
    "images_per_second": 80.0,
    "images_per_step": 32,
    "steps_per_epoch": 12.5,
    "scale": {"reached": 1, "n": 128},
}


def test_words_worsen_with_the_blur_that_is_reached():
    assert len(SEEN) == 7
    lines = [samples_line({**VALUES, "scale": {"reached": reached, "n": 128}}) for reached in range(7)]
    assert lines == list(SEEN)
    assert samples_line({**VALUES, "scale": None}) == ""


def test_of_few_images_it_is_a_guess():
    assert samples_line({**VALUES, "scale": {"reached": 2, "n": 50}}) == f"{SEEN[2]} (a rough guess, by 50 images)"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"steps": 9, "scale": {"reached": 6, "n": 128}},
            f"{SEEN[6]}: 9 steps were trained, and this architecture usually needs 2,000 (--epochs 160, 13 min 20 s at "
            "this pace)",
        ),
        (
            {"steps": 1, "architecture": "dcgan", "scale": None},
            "1 step was trained, and this architecture usually needs 5,000 (--epochs 400, 33 min 20 s at this pace)",
        ),
        (
            {"steps": 9, "images_per_second": None, "scale": None},
            "9 steps were trained, and this architecture usually needs 2,000",
        ),
        ({"steps": 9, "scale": {"reached": 1, "n": 128}}, SEEN[1]),  # good already: nobody has to wait
        ({"steps": ENOUGH["projected"], "scale": {"reached": 6, "n": 128}}, SEEN[6]),
        (
            {"steps": MANY - 1, "architecture": "dcgan", "images_per_second": None, "scale": {"reached": 3, "n": 128}},
            f"{SEEN[3]}: {MANY - 1:,} steps were trained, and this architecture usually needs {MANY:,}",
        ),
    ],
)
def test_a_training_that_has_only_begun_says_how_long_it_would_take(changed, line):
    assert samples_line({**VALUES, **changed}) == line


def entry(name, extractor, value):
    return {"name": name, "value": value, "baseline": 2.0, "n": 100, "extractor": {"name": extractor}}


def test_each_network_has_its_own_lines_and_refusals_their_reason():
    metrics = [
        entry("frechet-distance", "squeezenet", 30.0),
        entry("coverage", "squeezenet", 0.5),
        entry("frechet-distance", "judge", 7.0),
        entry("coverage", "judge", 0.25),
    ]
    values = {
        "label_agreement": None,
        "judge": None,
        "scale": None,
        "refused": [
            {"name": "density", "extractor": "squeezenet", "misses": ["jpeg"], "reason": "..."},
            {"name": "precision", "extractor": "judge", "misses": ["blur"], "reason": "..."},
            {"name": "recall", "extractor": "squeezenet", "misses": [], "reason": "fewer than 50 images"},
            {"name": "recall", "extractor": "judge", "misses": [], "reason": "fewer than 50 images"},
        ],
    }
    lines = list(metric_lines(metrics, values))
    assert lines == [
        ("Fréchet distance", "30 (real images: 2)"),
        ("measured with", "features of squeezenet, 100 images on each side"),
        ("coverage", "50.0 % (real images: 200.0 %)"),
        ("with judge", "FD 7 (real images: 2), coverage 25.0 % (real images: 200.0 %)"),
        ("not shown", "density (for jpeg): cannot tell degraded real images"),
        ("not shown", "recall: fewer than 50 images"),
    ]
    assert list(metric_lines([], values))[-1] == ("not shown", "recall: fewer than 50 images")
