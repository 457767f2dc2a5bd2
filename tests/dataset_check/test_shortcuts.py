import numpy as np
import pytest
from PIL import Image, ImageOps
from seeded_data import finish
from sklearn.datasets import load_digits

from vitrail.dataset_check import SHORTCUTS, find_outliers, measure_shortcuts, scan_images
from vitrail.dataset_check.shortcuts import find_shortcuts

LABELS = np.arange(120) % 4


def measured_of(files, labels=LABELS, classes=4):
    return measure_shortcuts(finish(scan_images(files))[0], labels, classes)


def seeded(scenes, folder, change):
    """Images of class 2 as `change` saves them."""
    files = list(scenes)
    for row in np.flatnonzero(LABELS == 2):
        files[row] = change(Image.open(scenes[row]), folder / f"{row}")
    return files


def saved(image, path):
    image.save(path)
    return path


CHANGES = {
    "file type": lambda image, name: saved(image, name.with_suffix(".bmp")),
    "size": lambda image, name: saved(image.resize((192, 160)), name.with_suffix(".png")),
    "shape": lambda image, name: saved(image.crop((0, 0, 96, 72)), name.with_suffix(".png")),
    "border": lambda image, name: saved(
        ImageOps.expand(image.crop((3, 3, 93, 77)), 3, (128, 128, 128)), name.with_suffix(".png")
    ),
    "colour": lambda image, name: saved(
        Image.merge(
            "RGB",
            [band.point(lambda value, k=k: value * k // 4) for band, k in zip(image.split(), (4, 4, 2), strict=True)],
        ),
        name.with_suffix(".png"),
    ),
    "brightness": lambda image, name: saved(image.point(lambda v: v // 2), name.with_suffix(".png")),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_a_seeded_shortcut_is_named_first_with_its_class(scenes, tmp_path, fault):
    measured = measured_of(seeded(scenes, tmp_path, CHANGES[fault]))
    best = [each for each in measured if each.accuracy > measured[0].accuracy - 0.02]
    assert fault in {each.property for each in best}
    assert {each.label for each in best} == {2}
    assert fault in {each.property for each in find_shortcuts(measured)}


def test_without_a_shortcut_none_is_named(scenes):
    measured = measured_of(scenes)
    assert {each.property for each in measured} == set(SHORTCUTS)
    assert not find_shortcuts(measured)
    assert all(each.accuracy < 0.75 for each in measured)


def test_properties_of_chance_have_the_accuracy_of_chance(scenes):
    """Averaged over shuffled labels: a model that counted the image itself would be above."""
    shuffled = [measured_of(scenes, np.random.default_rng(seed).permutation(LABELS)) for seed in range(3)]
    assert np.mean([each.accuracy_all for measured in shuffled for each in measured]) < 0.30
    constant = {each.property: each for each in shuffled[0]}["file type"]
    assert constant.accuracy == pytest.approx(0.5)
    assert constant.accuracy_all == pytest.approx(0.25)


@pytest.mark.parametrize(("images", "classes"), [(24, 2), (30, 3), (32, 2)])
def test_few_images_of_chance_do_not_look_certain(scenes, images, classes):
    """An image alone in its bin says nothing of its class; taking it out must not give the class away."""
    best = [
        max(
            each.accuracy
            for each in measured_of(scenes[:images], rng.permutation(np.arange(images) % classes), classes)
        )
        for rng in map(np.random.default_rng, range(10))
    ]
    assert np.mean(best) < 0.85


def test_classes_too_small_are_not_tried(scenes):
    assert measured_of(scenes, np.arange(120) // 2, 60) == []


def test_drawings_of_a_few_pixels_have_no_border_that_could_tell_them(tmp_path):
    """What a digit of 8 pixels shows reaches the edge: neither a shortcut, nor odd."""
    digits = load_digits()
    files = []
    for row, image in enumerate(digits.images[:600]):
        files.append(tmp_path / f"{row}.png")
        Image.fromarray((image * 15.9).astype(np.uint8)).save(files[-1])
    scan, _ = finish(scan_images(files))
    measured = measure_shortcuts(scan, digits.target[:600], 10)
    assert "border" not in [each.property for each in measured]
    assert not {"print", "border"} & {each.kind for each in find_outliers(scan, None, None, np.full(600, -1)).outliers}
