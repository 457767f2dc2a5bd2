"""The line that every output has about its data."""

import pytest

from vitrail.datasets.data_card import DataCard, image_card
from vitrail.datasets.parts import part_named


def test_the_line_says_what_was_read_and_what_was_not():
    card = DataCard(
        "flowers",
        {"train": 2419, "test": 605},
        {"daisy": 600, "rose": 12, "tulip": 2412},
        {".heic": 88, "unreadable": 2},
        copies=31,
    )
    assert card.line() == (
        "3,024 images of 3 classes (train 2,419, test 605); left out 90: 88 .heic, 2 unreadable; "
        "smallest class 12 (rose); 31 copies across parts"
    )
    assert card.values() == {
        "source": "flowers",
        "images": 3024,
        "parts": {"train": 2419, "test": 605},
        "classes": 3,
        "smallest_class": {"name": "rose", "images": 12},
        "left_out": {".heic": 88, "unreadable": 2},
        "notes": [],
        "copies_across_parts": 31,
    }


def test_the_line_is_as_short_as_it_can_be():
    assert image_card(["a.png"], 1, {}, 0).line() == "1 image"
    assert image_card(["a"], 60, {".heic": 60, ".avif": 30}, 0).line() == "60 images; left out 90: 60 .heic, 30 .avif"
    assert image_card(["a"], 5, {}, 2).line() == "5 images; left out 2 unreadable"
    many = {f".{name}": 9 - n for n, name in enumerate("abcdef")}
    assert image_card(["a"], 5, many, 0).line() == "5 images; left out 39: 9 .a, 8 .b, 7 .c, 15 others"
    assert DataCard("a", {"": 4}, {"x": 2, "y": 2}).line() == "4 images of 2 classes"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(
            (name, "train")
            for name in ("train", "TRAIN", "training", "seg_train", "train2017", "trainset", "Train Set")
        ),
        *((name, "val") for name in ("val", "valid", "Validation", "dev", "val_images", "devset")),
        *((name, "test") for name in ("test", "Testing", "seg_test", "test-data", "holdout")),
        *((name, None) for name in ("", "cat", "trains", "train_station", "contest", "testimony", "trainval", "7")),
        *((name, None) for name in ("train_test", "night train", "development-kit")),
    ],
)
def test_parts_by_name(name, part):
    assert part_named(name) == part


def test_the_name_of_the_folder_around_counts_for_nothing():
    assert part_named("flowers-train", "flowers") == "train"
    assert part_named("chest_xray_val", "chest_xray") == "val"
    assert part_named("train", "train") == "train"
    assert part_named("flowers-train", "trees") is None
