import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from seeded_data import finish

from vitrail.dataset_check import find_copies, scan_images
from vitrail.dataset_check.alignment import COARSE, _details, _grid, _windows_of
from vitrail.dataset_check.duplicates import threshold_of
from vitrail.dataset_check.neighbours import nearest_neighbours


def copies_of(files, features=None):
    scan, _ = finish(scan_images(files))
    return finish(find_copies(scan.thumbnails, scan.pixel_digests, features))[0]


CHANGES = {
    "jpeg": lambda image: image,
    "small": lambda image: image.resize((77, 64), Image.Resampling.BICUBIC),
    "crop": lambda image: image.crop((6, 1, 92, 73)),
    "mirror": ImageOps.mirror,
    "brighter": lambda image: image.point(lambda value: min(255, round(1.2 * value))),
    "darker": lambda image: image.point(lambda value: round(0.8 * value)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(scenes, tmp_path, change):
    copies = []
    for row in range(0, 120, 12):
        file = tmp_path / f"{row}.jpg"
        CHANGES[change](Image.open(scenes[row])).save(file, quality=50 if change == "jpeg" else 95)
        copies.append((row, file))
    found = copies_of([*scenes, *(file for _, file in copies)])
    assert set(map(tuple, found.pairs.tolist())) == {(row, 120 + place) for place, (row, _) in enumerate(copies)}
    assert found.mirrored.all() == found.mirrored.any() == (change == "mirror")
    assert found.expected_false_alarms <= 0.5 + 1e-9


def test_different_images_have_no_copies(scenes):
    found = copies_of(scenes)
    assert not len(found.pairs)
    assert (found.group == -1).all()
    assert 0 < found.threshold < found.baseline["least"] < found.baseline["median"]


def test_equal_pixels_are_one_group_whatever_the_file(scenes, tmp_path):
    image = Image.open(scenes[3])
    image.save(tmp_path / "a.bmp")
    image.save(tmp_path / "b.tiff")
    found = copies_of([*scenes, tmp_path / "a.bmp", tmp_path / "b.tiff"])
    assert np.flatnonzero(found.group >= 0).tolist() == [3, 120, 121]
    assert (found.distances == 0).all()


def test_the_threshold_withstands_many_copies(scenes, tmp_path):
    """Two images of three have a copy: the tail of different images is found all the same."""
    copies = [tmp_path / f"{row}.jpg" for row in range(60)]
    for row, file in enumerate(copies):
        Image.open(scenes[row]).save(file, quality=50)
    found = copies_of([*scenes, *copies])
    assert set(map(tuple, found.pairs.tolist())) == {(row, 120 + row) for row in range(60)}


def test_a_window_is_the_crop_resampled():
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    windows = _windows_of(image).numpy()[0]
    assert windows.shape == (len(_grid()), COARSE * COARSE)
    for window, (scale, across, down) in zip(windows, _grid().tolist(), strict=True):
        edges = (1 + across - scale, 1 + down - scale, 1 + across + scale, 1 + down + scale)
        box = [min(max(16 * edge, 0), 32) for edge in edges]
        crop = Image.fromarray(image[0].astype(np.float32)).resize((COARSE, COARSE), Image.Resampling.BOX, box)
        # Pillow's box filter takes whole pixels, ours their parts.
        assert np.corrcoef(_details(torch.from_numpy(np.array(crop))[None]).numpy().ravel(), window)[0, 1] > 0.8


@pytest.mark.parametrize("dimension", [4, 12])
def test_the_false_alarm_rate_of_the_threshold_holds(dimension):
    """Of distances in a space of any dimension, as many are below the threshold as is expected."""
    alarms = []
    for seed in range(200):
        # The volumes of the balls up to the two nearest neighbours are exponential, and sums of them.
        volumes = np.cumsum(np.random.default_rng(seed).exponential(size=(2, 400)), axis=0)
        nearest, second = 0.3 * volumes ** (1 / dimension)
        alarms.append((nearest < threshold_of(nearest, second)[0]).sum())
    assert 0.25 < np.mean(alarms) < 1.5


@pytest.mark.parametrize("share", [0.02, 0.15, 0.4])
def test_copies_hardly_move_the_threshold(share):
    """The nearest neighbour of a copy is very near; the threshold is that of the other images."""
    rng = np.random.default_rng(0)
    volumes = np.cumsum(rng.exponential(size=(2, 2000)), axis=0)
    nearest, second = 0.3 * volumes ** (1 / 12)
    clean, _ = threshold_of(nearest, second)
    copies = rng.random(2000) < share
    nearest, second = np.where(copies, 0.02 * rng.random(2000), nearest), np.where(copies, nearest, second)
    assert 0.8 * clean < threshold_of(nearest, second)[0] < 1.05 * clean


def test_data_of_copies_alone_are_groups_and_have_no_baseline(scenes, tmp_path):
    files = [tmp_path / f"{row}-{quality}.jpg" for row in range(8) for quality in range(40, 90, 5)]
    for file in files:
        row, quality = file.stem.split("-")
        Image.open(scenes[int(row)]).save(file, quality=int(quality))
    found = copies_of(files)
    assert np.array_equal(found.group, np.repeat(np.arange(8), 10))
    assert not found.baseline
    assert "several copies" in found.undefined


def test_few_images_have_a_default_threshold_and_no_baseline(scenes):
    found = copies_of([*scenes[:5], scenes[2]])
    assert found.group.tolist() == [-1, -1, 0, -1, -1, 0]
    assert found.expected_false_alarms is None
    assert "needs 50" in found.undefined


def test_blank_images_are_no_near_duplicates(tmp_path):
    files = []
    for place, grey in enumerate((0, 90, 200, 90)):
        files.append(tmp_path / f"{place}.png")
        Image.new("RGB", (40, 40), (grey,) * 3).save(files[-1])
    assert copies_of(files).group.tolist() == [-1, 0, -1, 0]


@pytest.mark.parametrize("dimension", [40, 300])
def test_neighbours_are_those_of_the_whole_table(monkeypatch, dimension):
    monkeypatch.setattr("vitrail.dataset_check.neighbours.ROWS", 64)
    monkeypatch.setattr("vitrail.dataset_check.neighbours.COLUMNS", 50)
    rows = np.random.default_rng(0).standard_normal((211, dimension)).astype(np.float32)
    table = rows @ rows.T
    np.fill_diagonal(table, -np.inf)
    similarities, places = nearest_neighbours(rows, rows, 3, same=True)
    assert np.array_equal(places, np.argsort(-table, axis=1)[:, :3])
    assert np.allclose(similarities, -np.sort(-table, axis=1)[:, :3], atol=1e-4)


def test_neighbours_of_many_rows_are_searched_on_principal_axes(monkeypatch):
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((300, 30)) @ rng.standard_normal((30, 400))).astype(np.float32)
    exact = nearest_neighbours(rows, rows, 4, same=True)
    monkeypatch.setattr("vitrail.dataset_check.neighbours.WORK", 0)
    assert np.array_equal(nearest_neighbours(rows, rows, 4, same=True)[1], exact[1])
