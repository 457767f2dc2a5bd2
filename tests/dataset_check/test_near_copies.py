"""Test images of which altered copies are among the training images, as `transfer` looks for them."""

import numpy as np
import pytest
from PIL import Image
from seeded_data import finish
from test_duplicates import CHANGES

from vitrail.dataset_check import find_near_copies

HELD_OUT = 56  # with fewer than 50 there is no baseline, and the threshold is that of recompression


def features_of(rows):
    """Unit vectors, one an image: copies have that of their original, but for some noise."""
    rng = np.random.default_rng(0)
    known = rng.standard_normal((200, 24))
    table = known[rows] + 0.3 * rng.standard_normal((len(rows), 24))
    return (table / np.linalg.norm(table, axis=1, keepdims=True)).astype(np.float32)


def found_among(train, test, originals, **more):
    """Places of the copies among the test images; `originals`: place in `train` of what each last one is a copy of."""
    alone = len(test) - len(originals)
    rows = [*range(100, 100 + alone), *originals]
    mask, _ = finish(find_near_copies(train, test, features_of(list(range(len(train)))), features_of(rows), **more))
    return np.flatnonzero(mask).tolist()


@pytest.fixture(scope="module")
def parts(scenes):
    return scenes[HELD_OUT:], scenes[:HELD_OUT]


@pytest.mark.parametrize("change", CHANGES)
def test_altered_copies_are_found_and_nothing_else(parts, tmp_path, change):
    train, test = parts
    copies = [tmp_path / f"{row}.jpg" for row in range(8)]
    for row, file in enumerate(copies):
        CHANGES[change](Image.open(train[row])).save(file, quality=60)
    assert found_among(train, [*test, *copies], range(8)) == list(range(HELD_OUT, HELD_OUT + 8))


def test_no_copies_are_none(parts):
    assert found_among(*parts, []) == []


def test_many_copies_do_not_hide_each_other(parts, tmp_path, monkeypatch):
    """Three test images of four are copies, more than a block of them: none ends the search too early."""
    train, _ = parts
    monkeypatch.setattr("vitrail.dataset_check.near_copies.BLOCK", 16)
    copies = [tmp_path / f"{row}.jpg" for row in range(60)]
    for row, file in enumerate(copies):
        Image.open(train[row]).save(file, quality=50)
    assert found_among(train, [*parts[1][:20], *copies], range(60), seed=1) == list(range(20, 80))


@pytest.mark.parametrize(("train", "test"), [(1, 1), (1, 5), (5, 1), (2, 0), (0, 3)])
def test_very_few_images(parts, train, test):
    assert found_among(parts[0][:train], parts[1][:test], []) == []
    both = min(train, test)
    assert found_among(parts[0][:train], parts[0][:both], range(both)) == list(range(both))


def test_images_that_are_gone_are_no_copies(parts, tmp_path):
    train, test = parts
    copy = tmp_path / "copy.png"
    Image.open(train[0]).save(copy)
    assert found_among(train, [*test, copy], [0]) == [len(test)]
    copy.unlink()
    gone = [tmp_path / "never.png", tmp_path / "there.png"]
    assert found_among([*train, gone[0]], [*test, copy, gone[1]], [0, len(train)]) == []


def test_images_without_details_are_no_copies_of_each_other(parts, tmp_path):
    blank = [tmp_path / f"{shade}.png" for shade in range(60, 70)]
    for file in blank:
        Image.new("L", (64, 64), int(file.stem)).save(file)
    train, test = parts
    assert found_among([*train, *blank[:5]], [*test, *blank[5:]], range(64, 69)) == []


def test_progress_ends_at_all_images(parts):
    _, events = finish(find_near_copies(*parts, features_of(list(range(64))), features_of(list(range(100, 156)))))
    assert (events[-1].done, events[-1].total) == (HELD_OUT, HELD_OUT)
