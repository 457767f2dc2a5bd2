import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from seeded_data import clusters, finish, scene
from sklearn.neighbors import NearestNeighbors

from vitrail.dataset_check import find_outliers, scan_images
from vitrail.dataset_check.outliers import _unlike_class


def unit(features):
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)


def found_of(files, features=None, labels=None, group=None):
    scan, _ = finish(scan_images(files))
    return find_outliers(scan, features, labels, np.full(len(files), -1) if group is None else group)


def blank(rng):
    return Image.new("RGB", (96, 80), (120, 120, 120))


def dark(rng):
    """Ten bits in a file of sixteen."""
    values = np.asarray(scene(rng).convert("L"), np.uint16) * 4
    return Image.fromarray(values)


def printed(rng):
    image = Image.new("L", (96, 80), 255)
    draw = ImageDraw.Draw(image)
    for line in range(6):
        draw.text((2, 12 * line), "the quick brown fox", fill=0)
    return image


def framed(rng):
    image = Image.new("RGB", (96, 80), "black")
    image.paste(scene(rng).resize((40, 30)), (28, 25))
    return image


ODD = {
    "blank": blank,
    "dark": dark,
    "blurred": lambda rng: scene(rng).filter(ImageFilter.GaussianBlur(2)),
    "tiny": lambda rng: scene(rng).resize((19, 16)),
    "extreme-shape": lambda rng: scene(rng).resize((400, 80)),
    "print": printed,
    "border": framed,
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_image_is_named_by_its_kind_and_no_ordinary_one_is(scenes, tmp_path, kind):
    ODD[kind](np.random.default_rng(5)).save(tmp_path / "odd.png")
    found = found_of([*scenes, tmp_path / "odd.png"])
    assert (120, kind) in {(each.row, each.kind) for each in found.outliers}
    assert sum(each.row < 120 for each in found.outliers) <= 3
    assert all(each.score >= 1 for each in found.outliers)


def test_what_a_tenth_of_the_images_are_is_common_and_not_odd(scenes, tmp_path):
    files = list(scenes)
    for place in range(30):
        framed(np.random.default_rng(place)).save(tmp_path / f"{place}.png")
        files.append(tmp_path / f"{place}.png")
    found = found_of(files)
    assert found.common["border"] == 30
    assert not any(each.kind == "border" for each in found.outliers)


def test_distances_are_the_means_to_the_five_nearest(scenes):
    features = unit(np.random.default_rng(0).standard_normal((120, 16)))
    found = found_of(scenes, features)
    oracle = NearestNeighbors(n_neighbors=6).fit(features.astype(float)).kneighbors(features)[0][:, 1:].mean(axis=1)
    assert np.allclose(found.distances, oracle, atol=1e-4)


def test_images_unlike_all_others_and_unlike_their_class_come_first(scenes):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    features = np.eye(3)[labels] @ rng.standard_normal((3, 32)) * 5 + 0.5 * rng.standard_normal((120, 32))
    features[7] = -20 * features[7]
    labels[50] = 2
    found = found_of(scenes, unit(features), labels)
    assert (found.outliers[0].row, found.outliers[0].kind) in {(7, "unlike-all"), (50, "unlike-class")}
    assert {(7, "unlike-all"), (50, "unlike-class")} <= {(each.row, each.kind) for each in found.outliers}
    assert len([each for each in found.outliers if each.kind.startswith("unlike")]) <= 8


def test_copies_of_an_odd_image_do_not_make_it_ordinary(scenes):
    rng = np.random.default_rng(0)
    features = rng.standard_normal(32) * 5 + rng.standard_normal((120, 32))
    features[:7] = -5 * features[0]
    group = np.full(120, -1)
    group[:7] = 0
    rows = {each.row for each in found_of(scenes, unit(features), group=group).outliers if each.kind == "unlike-all"}
    assert set(range(7)) <= rows


def test_noise_has_about_as_many_outliers_as_are_expected(scenes):
    counts = [
        sum(
            each.kind == "unlike-all"
            for each in found_of(scenes, unit(np.random.default_rng(seed).standard_normal((120, 32)))).outliers
        )
        for seed in range(3)
    ]
    assert np.mean(counts) <= 3


def test_equal_features_have_no_threshold(scenes):
    found = found_of(scenes, unit(np.ones((120, 8))))
    assert found.threshold is None
    assert "equally far" in found.undefined


def test_many_classes_have_no_more_false_alarms_than_one():
    """Gaussian classes without an odd image: one is expected in all data, and not one a class."""
    alarms = []
    for seed in range(4):
        features, labels = clusters(np.random.default_rng(seed), [40] * 30, 12, 8.0)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        found = _unlike_class(features, labels, np.full(1200, -1), np.zeros(1200, bool))
        alarms.append(len(list(found)))
    assert np.mean(alarms) < 8
