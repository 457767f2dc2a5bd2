import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from seeded_data import clusters, finish

from vitrail.backbones import BACKBONES
from vitrail.dataset_check import check_dataset
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.transfer.features import Extractor

CLASSES = ("a", "b", "c", "d")


def labelled(scenes):
    return clusters(np.random.default_rng(0), [len(scenes) // 4] * 4, distance=6)


def values_of(*args, **options):
    result, _ = finish(check_dataset(*args, **options))
    values = result.values()
    json.dumps(values, allow_nan=False)
    return values


def test_seeded_faults_are_all_named(scenes, tmp_path):
    features, labels = labelled(scenes)
    labels = labels.copy()
    labels[3] = 2
    copy, cropped, broken = tmp_path / "copy.png", tmp_path / "cropped.jpg", tmp_path / "broken.png"
    copy.write_bytes(scenes[10].read_bytes())
    Image.open(scenes[40]).crop((3, 2, 93, 78)).save(cropped, quality=95)
    broken.write_bytes(b"no image")
    files = [*scenes, copy, cropped, broken]
    parts = ["train"] * 120 + ["test"] * 3
    features = np.vstack([features, features[[10, 40, 0]]])
    labels = np.concatenate([labels, labels[[10, 40, 0]]])
    values = values_of(files, labels, CLASSES, parts, features=features)
    assert [(group["files"], group["kind"]) for group in values["duplicates"]] == [
        ([str(scenes[10]), str(copy)], "file"),
        ([str(scenes[40]), str(cropped)], "near"),
    ]
    assert [(leak["train"], leak["test"]) for leak in values["leaks"]] == [
        (str(scenes[10]), str(copy)),
        (str(scenes[40]), str(cropped)),
    ]
    assert values["leaks"][0]["score"] == 1 > values["leaks"][1]["score"] > 0.9
    assert values["label_issues"][0]["file"] == str(scenes[3])
    assert (values["label_issues"][0]["label"], values["label_issues"][0]["suggested"]) == ("c", "a")
    assert [skip["file"] for skip in values["skipped"]] == [str(broken)]
    assert values["n"] == 122
    assert values["accuracy"] > 0.9
    assert [point["predicted"] for point in values["learning_curve"]] == [False] * 6 + [True]
    assert not values["undefined"]


def test_a_copy_within_a_part_is_no_leak(scenes, tmp_path):
    (tmp_path / "copy.png").write_bytes(scenes[10].read_bytes())
    values = values_of([*scenes, tmp_path / "copy.png"], None, (), ["train"] * 121)
    assert len(values["duplicates"]) == 1
    assert not values["leaks"]


def test_equal_seeds_give_equal_results(scenes):
    features, labels = labelled(scenes)
    first, second = (values_of(scenes, labels, CLASSES, features=features, seed=3) for _ in range(2))
    assert first == second


def test_features_come_from_a_network(stripes, tmp_path):
    files = sorted(stripes.glob("*/*/*.png"))
    classes = sorted({file.parent.name for file in files})
    labels = np.array([classes.index(file.parent.name) for file in files])
    extractor = Extractor(BACKBONES["tiny"], ("features",), cache=tmp_path)
    result, events = finish(check_dataset(files, labels, classes, extractor=extractor))
    assert result.accuracy > 0.4
    assert {event.stage for event in events if isinstance(event, Progress)} >= {"scan", "features", "duplicates"}


def image(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def pixels(kind, place):
    rng = np.random.default_rng(place)
    noise = rng.integers(0, 256, (24, 24), dtype=np.uint8)
    return {"noise": noise, "constant": np.full((24, 24), 80, np.uint8), "pixel": noise[:1, :1]}[kind]


@pytest.mark.parametrize("kind", ["noise", "constant", "pixel"])
@pytest.mark.parametrize(
    ("n", "classes"),
    [(0, 3), (1, 1), (1, 3), (2, 2), (30, 1), (6, 3), (60, 60), (120, 40)],
)
@pytest.mark.parametrize("given", ["random", "equal", "none"])
def test_degenerate_data_give_reasons(tmp_path, kind, n, classes, given):
    files = [image(tmp_path / f"{place}.png", pixels(kind, place)) for place in range(n)]
    rng = np.random.default_rng(0)
    features = {"random": rng.standard_normal((n, 6)), "equal": np.ones((n, 6)), "none": None}[given]
    labels = np.arange(n) % classes
    names = [str(label) for label in range(classes)]
    values = values_of(files, labels, names, ["train", "test"] * (n // 2) + ["val"] * (n % 2), features=features)
    assert values["label_errors"]["expected"] is not None or values["undefined"]["label_errors"]
    assert values["learning_curve"] or values["undefined"]["learning_curve"]
    assert values["baselines"]["outliers"]["threshold"] is not None or values["undefined"]["outliers"]
    assert values["shortcuts"] == []


def test_without_labels_only_what_needs_them_is_undefined(scenes):
    features, _ = labelled(scenes)
    values = values_of(scenes, features=features)
    assert set(values["undefined"]) == {"label_errors", "learning_curve", "accuracy", "shortcuts", "leaks"}
    assert values["undefined"]["label_errors"] == "there are no labels"
    assert values["balance"] is None
    assert values["baselines"]["duplicates"]["nearest_different_image"]["least"] > 0


def test_images_of_unknown_class_change_no_finding_about_labels(scenes):
    """Each third image has no label: what is found about labels is what is found without these images."""
    features, labels = labelled(scenes)
    labels = labels.copy()
    labels[[0, 40]] = 3, 0
    features[71] = -8 * features[71].mean() * np.sign(features[71])
    places = np.flatnonzero(np.arange(120) % 3 < 2)
    partly = np.where(np.arange(120) % 3 < 2, labels, -1)
    alone, _ = finish(
        check_dataset([scenes[row] for row in places], labels[places], CLASSES, features=features[places])
    )
    among, _ = finish(check_dataset(scenes, partly, CLASSES, features=features))
    assert len(alone.label_issues.issues) >= 2
    assert [replace(each, row=int(places[each.row])) for each in alone.label_issues.issues] == list(
        among.label_issues.issues
    )
    for name in ("curve", "accuracy", "chance", "similar", "measured_shortcuts"):
        assert getattr(alone, name) == getattr(among, name), name
    assert alone.balance.values(CLASSES) == among.balance.values(CLASSES)
    assert alone.label_issues.values() == among.label_issues.values()
    assert len(among.files) == len(among.outliers.distances) == 120


def test_copies_and_odd_images_are_found_among_images_of_unknown_class(scenes, tmp_path):
    features, labels = labelled(scenes)
    copy, blank = image(tmp_path / "copy.png", np.asarray(Image.open(scenes[10]))), tmp_path / "blank.png"
    Image.new("RGB", (96, 80), "grey").save(blank)
    values = values_of(
        [*scenes, copy, blank],
        np.append(labels, [-1, -1]),
        CLASSES,
        ["train"] * 120 + ["test"] * 2,
        features=np.vstack([features, features[10], -20 * features[:40].mean(axis=0)]),
    )
    assert [leak["test"] for leak in values["leaks"]] == [str(copy)]
    found = {each["kind"] for each in values["outliers"] if each["file"] == str(blank)}
    assert found == {"blank", "unlike-all"}
    assert sum(values["balance"]["images_per_class"].values()) == 120


def test_no_image_of_unknown_class_is_unlike_its_class(scenes):
    """Of an own class, the one image of class a among those of class d would be far from it."""
    features, labels = clusters(np.random.default_rng(0), [30] * 4, distance=14)
    labels = np.where(labels < 3, labels, -1)
    labels[7] = -1
    result, _ = finish(check_dataset(scenes, labels, CLASSES, features=features))
    rows = {each.row for each in result.outliers.outliers if each.kind == "unlike-class"}
    assert all(labels[row] >= 0 for row in rows)


def test_no_known_class_is_no_labels(scenes):
    features, labels = labelled(scenes)
    assert values_of(scenes, np.full(120, -1), CLASSES, features=features) == values_of(
        scenes, None, CLASSES, features=features
    )


def test_features_that_are_not_finite_are_left_out_and_named(scenes):
    features, labels = labelled(scenes)
    features[[4, 9]] = np.nan
    values = values_of(scenes, labels, CLASSES, features=features)
    assert [(skip["file"], skip["kind"]) for skip in values["skipped"]] == [
        (str(scenes[4]), "features"),
        (str(scenes[9]), "features"),
    ]
    assert values["n"] == 118


def test_noise_with_labels_at_random_says_so(tmp_path):
    files = [image(tmp_path / f"{place}.png", pixels("noise", place)) for place in range(100)]
    rng = np.random.default_rng(0)
    values = values_of(files, rng.integers(0, 4, 100), CLASSES, features=rng.standard_normal((100, 8)))
    assert not values["duplicates"]
    assert not values["label_issues"]
    assert not values["shortcuts"]
    assert "do not predict" in values["undefined"]["label_errors"]
    assert values["accuracy"] < 0.5
    assert values["similar_classes"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.array([0, 1])},
        {"labels": np.array([0, 1, 7])},
        {"labels": np.array([0, 1, -2])},
        {"labels": np.array([0.0, 1.0, 0.0])},
        {"parts": ["train"]},
        {"features": np.zeros((2, 3))},
        {"seed": -1},
    ],
)
def test_arguments_that_do_not_fit_are_refused(scenes, wrong):
    with pytest.raises(BadSetting):
        finish(check_dataset(scenes[:3], **{"classes": ("a", "b"), **wrong}))
