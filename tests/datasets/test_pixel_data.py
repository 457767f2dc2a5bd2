"""Images for a generator: from folders, tables, idx files and names; and what is wrong with them."""

import gzip
import shutil
import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vitrail.datasets.pixel_data import PixelOptions, load_pixel_sets
from vitrail.datasets.pixels import PixelSet, fit_to_size, groups, stratified_holdout
from vitrail.errors import BadFolder, BadImage, BadSetting, MissingWeights, UnknownName

SMALL = PixelOptions(size=16)


def image(path, size=(20, 20), colour=(10, 200, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def faces(tmp_path):
    """Sixteen images and a table of two attributes, the second of which half of them have."""
    lines = ["file,Male,Young"]
    for index in range(16):
        image(tmp_path / "images" / f"{index}.png", colour=(15 * index, 0, 100))
        lines.append(f"{index}.png,{index % 2},{index // 8}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def write_idx(root, count=20, labels=None):
    pixels = np.arange(count * 28 * 28, dtype=np.uint8).reshape(count, 28, 28)
    labels = count if labels is None else labels
    for part in ("train", "t10k"):
        images = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + pixels.tobytes()
        (root / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (root / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, labels) + bytes(range(labels)))
    return pixels


def test_digits_are_parted_and_grey():
    opened = load_pixel_sets("digits", SMALL)
    assert opened.train.images.shape == (1437, 1, 16, 16)
    assert len(opened.held_out) == 360
    assert opened.train.names == tuple("0123456789")
    assert opened.train.images.max() == 255


@pytest.mark.parametrize(("count", "held_out"), [(40, 10), (200, 50), (400, 50), (600, 60)])
def test_of_few_images_more_are_held_out(tmp_path, count, held_out):
    for index in range(count):
        image(tmp_path / f"{index}.png", size=(16, 16), colour=(index % 256, index // 256, 0))
    assert len(load_pixel_sets(str(tmp_path), SMALL).held_out) == held_out
    assert len(load_pixel_sets(str(tmp_path), PixelOptions(size=16, held_out=0.1)).held_out) == count // 10


def test_fewer_images_are_drawn_and_said():
    whole = load_pixel_sets("digits", SMALL)
    fewer = load_pixel_sets("digits", PixelOptions(size=16, images=50))
    assert len(fewer.train) == 50
    assert len(set(fewer.train.labels.tolist())) == 10  # drawn, and not the first ones
    assert torch.equal(fewer.held_out.images, whole.held_out.images)
    assert fewer.notes == (f"50 of {len(whole.train)} images are used for training.",)
    kept = {image.numpy().tobytes() for image in whole.train.images}
    assert {image.numpy().tobytes() for image in fewer.train.images} <= kept
    other = load_pixel_sets("digits", PixelOptions(size=16, images=50, seed=1))
    assert not torch.equal(other.train.images, fewer.train.images)
    assert load_pixel_sets("digits", PixelOptions(size=16, images=5000)).train.sha256 == whole.train.sha256


def test_a_flat_folder_has_no_names(tmp_path):
    for index in range(20):
        image(tmp_path / f"{index}.jpg", size=(30 + index, 24))
    opened = load_pixel_sets(str(tmp_path), SMALL)
    assert (len(opened.train), len(opened.held_out)) == (15, 5)
    assert opened.train.names == ()
    assert opened.train.channels == 3
    assert "middle square" in opened.notes[0]


def test_class_folders_with_parts(stripes):
    opened = load_pixel_sets(str(stripes), SMALL)
    assert opened.train.names == ("across", "down", "noise")
    assert opened.train.images.shape == (24, 1, 16, 16)  # grey: all three channels were equal
    assert opened.held_out.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_class_folders_without_parts_hold_out_some_of_each(stripes):
    opened = load_pixel_sets(str(stripes / "train"), PixelOptions(size=16, held_out=0.25))
    assert torch.bincount(opened.held_out.labels).tolist() == [2, 2, 2]
    again = load_pixel_sets(str(stripes / "train"), PixelOptions(size=16, held_out=0.25))
    assert opened.train.sha256 == again.train.sha256
    other = load_pixel_sets(str(stripes / "train"), PixelOptions(size=16, held_out=0.25, seed=1))
    assert opened.train.sha256 != other.train.sha256


def test_a_table_tells_attributes(faces):
    opened = load_pixel_sets(str(faces), SMALL)
    assert opened.train.names == ("Male", "Young")
    assert opened.train.has_attributes
    both = torch.cat([opened.train.labels, opened.held_out.labels])
    assert set(both.flatten().tolist()) == {-1.0, 1.0}
    assert len(torch.unique(groups(both))) == 4
    assert load_pixel_sets(str(faces), PixelOptions(size=16, attributes=("Young",))).train.names == ("Young",)


def test_idx_files_keep_their_pixels_and_gain_a_border(tmp_path):
    pixels = write_idx(tmp_path)
    opened = load_pixel_sets(str(tmp_path), PixelOptions(size=32))
    assert torch.equal(opened.train.images[:, 0, 2:30, 2:30], torch.from_numpy(pixels))
    assert opened.train.images[:, :, :2].max() == 0
    assert opened.train.labels.tolist() == list(range(20))


def test_the_middle_square_is_taken_and_resized():
    images = torch.zeros(1, 1, 8, 12, dtype=torch.uint8)
    images[..., 2:10] = 200
    assert (fit_to_size(images, 4) == 200).all()
    assert fit_to_size(images, 64).shape == (1, 1, 64, 64)


def test_of_each_group_one_stays_to_learn_from():
    train, held_out = stratified_holdout(torch.tensor([0, 0, 0, 0, 1, 2, 2]), 0.9, 0)
    assert len(train) + len(held_out) == 7
    assert 4 in train.tolist()
    assert len(held_out) == 4


def test_rare_combinations_of_attributes_are_held_out_from_together():
    labels = torch.randint(2, (80, 30), generator=torch.Generator().manual_seed(0)) * 2.0 - 1  # all different
    train, held_out = stratified_holdout(labels, 0.1, 0)
    assert (len(train), len(held_out)) == (72, 8)
    labels[:40] = 1.0  # a frequent one keeps its share
    assert int((stratified_holdout(labels, 0.1, 0)[1] < 40).sum()) == 4


def test_what_is_told_is_part_of_the_hash():
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    one, two = PixelSet(images, torch.tensor([0, 1]), ("a", "b")), PixelSet(images, torch.tensor([1, 0]), ("a", "b"))
    assert one.sha256 != two.sha256


def test_a_set_of_torchvision_is_looked_for_and_never_downloaded_unasked(tmp_path):
    with pytest.raises(MissingWeights, match="--download"):
        load_pixel_sets("torchvision:MNIST", PixelOptions(size=32, home=tmp_path))
    raw = tmp_path / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write_idx(raw)
    for file in raw.glob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    opened = load_pixel_sets("mnist", PixelOptions(size=32, home=tmp_path))
    assert opened.train.images.shape == (20, 1, 32, 32)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("digit", UnknownName, "Did you mean 'digits'"),
        ("torchvision:MNISt", UnknownName, "Did you mean 'MNIST'"),
    ],
)
def test_unknown_names(name, error, says):
    with pytest.raises(error, match=says):
        load_pixel_sets(name, SMALL)


def test_one_image_is_too_few(tmp_path):
    image(tmp_path / "one.png")
    with pytest.raises(BadFolder, match="too few"):
        load_pixel_sets(str(tmp_path), SMALL)


def test_a_class_without_images_is_left_out_and_named(stripes, tmp_path):
    shutil.copytree(stripes / "train", tmp_path / "set")
    (tmp_path / "set" / "empty").mkdir()
    opened = load_pixel_sets(str(tmp_path / "set"), SMALL)
    assert "empty" not in opened.train.names
    assert "Without an image, and left out: 'empty'." in opened.notes


def test_images_that_cannot_be_read_are_left_out_or_refused(faces):
    (faces / "images" / "0.png").write_bytes(b"nothing")
    assert any("0.png" in entry["file"] for entry in load_pixel_sets(str(faces), SMALL).skipped)
    for file in (faces / "images").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(BadImage, match="No image could be read"):
        load_pixel_sets(str(faces), SMALL)


def test_a_table_that_names_missing_files(faces):
    (faces / "images" / "3.png").unlink()
    opened = load_pixel_sets(str(faces), SMALL)
    assert opened.left_out == {"that the table lists, and are not there": 1}
    assert "left out 1 that the table lists" in opened.card("faces").line()


def test_tables_that_cannot_be_used(faces):
    with pytest.raises(BadSetting, match="no table with Smiling"):
        load_pixel_sets(str(faces), PixelOptions(size=16, attributes=("Smiling",)))
    with pytest.raises(BadSetting, match="no attribute 'Smiling'. It has: Male, Young"):
        load_pixel_sets(str(faces), PixelOptions(size=16, labels=faces / "labels.csv", attributes=("Smiling",)))
    with pytest.raises(BadSetting, match="does not exist"):
        load_pixel_sets(str(faces), PixelOptions(size=16, labels=faces / "none.csv"))
    (faces / "labels.csv").write_text("file,Male\n0.png,perhaps\n")
    with pytest.raises(BadFolder, match="holds 'perhaps' under Male"):
        load_pixel_sets(str(faces), PixelOptions(size=16, labels=faces / "labels.csv"))
    assert load_pixel_sets(str(faces), SMALL).train.names == ()  # it is no table of attributes


def test_idx_files_that_are_cut_short_or_do_not_fit(tmp_path):
    write_idx(tmp_path, labels=19)
    with pytest.raises(BadFolder, match="20 images and 19 labels"):
        load_pixel_sets(str(tmp_path), SMALL)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + bytes(40)))
    with pytest.raises(BadFolder, match="cut short"):
        load_pixel_sets(str(tmp_path), SMALL)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no zip")
    with pytest.raises(BadFolder, match="cannot be read"):
        load_pixel_sets(str(tmp_path), SMALL)


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\x08\x03\0\0",  # ends within the header
        struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(99),  # more than there can be
        struct.pack(">4B3I", 0, 0, 8, 3, 2**16, 2**16, 2**32 - 1),  # 2**64 in all, which is 0 to some
        struct.pack(">4B3I", 0, 0, 8, 3, 10, 10, 10) + bytes(10**7),  # more than it says
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_that_lie_about_their_size_are_refused_unread(tmp_path, data, packed):
    write_idx(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    name = f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    peaks = []
    for _ in range(2):  # Python's own tables grow by megabytes at once, but not twice running
        tracemalloc.start()
        with pytest.raises(BadFolder, match="is no idx file of 8 bits, 3 axes, 1 to 1,000,000 images and at most"):
            load_pixel_sets(str(tmp_path), SMALL)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < 3_000_000  # of 10,000,000 and more


@pytest.mark.parametrize(
    ("line", "left_out"),
    [
        (b'"' + b"x" * 200_000 + b'",1,0', None),  # longer than the reader of tables takes
        (b"\xff.png,1,0", 1),
        (b"x" * 3_000 + b".png,1,0", 1),
        (b"\0.png,1,0", 1),
    ],
)
def test_a_line_of_a_table_that_cannot_be_read(faces, line, left_out):
    table = faces / "labels.csv"
    table.write_bytes(table.read_bytes().rstrip() + b"\n" + line)
    if left_out is None:
        with pytest.raises(BadFolder, match="cannot be read .field larger than"):
            load_pixel_sets(str(faces), SMALL)
    else:
        assert sum(load_pixel_sets(str(faces), SMALL).left_out.values()) == left_out


def test_classes_are_those_of_the_training_part(stripes, tmp_path):
    """A generator has no class that it has never seen."""
    shutil.copytree(stripes, tmp_path / "set")
    shutil.copytree(stripes / "test" / "down", tmp_path / "set" / "test" / "aardvark")  # before all others
    opened = load_pixel_sets(str(tmp_path / "set"), SMALL)
    plain = load_pixel_sets(str(stripes), SMALL)
    assert opened.train.names == opened.held_out.names == plain.train.names
    assert opened.train.labels.tolist() == plain.train.labels.tolist()
    assert opened.held_out.labels.tolist() == plain.held_out.labels.tolist()
    assert opened.left_out == {"of classes that are not in train": len(list((stripes / "test" / "down").iterdir()))}


def test_too_few_images_to_evaluate_on_are_said_with_the_option(tmp_path):
    for index in range(10):
        Image.new("RGB", (16, 16), (20 * index, 0, 0)).save(tmp_path / f"{index}.png")
    with pytest.raises(BadFolder, match="leaves 1 of 10 images to evaluate on, which are too few"):
        load_pixel_sets(str(tmp_path), PixelOptions(size=16, held_out=0.1))
    assert len(load_pixel_sets(str(tmp_path), PixelOptions(size=16)).held_out) == 2


def always(root, others=""):
    """Twenty images with a table of the attribute Always, which all have, and of others."""
    for index in range(20):
        image(root / "images" / f"{index}.png", colour=(12 * index, 200, 30))
    rows = [f"{index}.png,1{others and f',{index % 2}'}" for index in range(20)]
    (root / "labels.csv").write_text("\n".join([f"file,Always{others}", *rows]))
    return str(root)


def test_an_attribute_that_every_image_has_is_left_out(tmp_path):
    opened = load_pixel_sets(always(tmp_path, ",Odd"), SMALL)
    assert opened.train.names == ("Odd",)
    assert opened.train.labels.shape == (16, 1)
    assert opened.held_out.names == ("Odd",)
    notes = opened.card("x").notes
    assert any("Left out, because every training image has the same value: Always." in note for note in notes)


def test_a_table_of_nothing_that_differs_is_no_condition(tmp_path):
    opened = load_pixel_sets(always(tmp_path), SMALL)
    assert opened.train.names == ()
    assert opened.train.labels.tolist() == [0] * len(opened.train)
    assert opened.held_out.labels.tolist() == [0] * len(opened.held_out)


def test_attributes_that_are_asked_for_stay(tmp_path):
    """As a generator's are where it is evaluated on other images."""
    opened = load_pixel_sets(always(tmp_path, ",Odd"), replace(SMALL, attributes=("Always", "Odd")))
    assert opened.train.names == ("Always", "Odd")
    assert any("same value of Always: nothing can be learned" in note for note in opened.card("x").notes)


def test_an_attribute_that_no_chosen_image_has_is_left_out(tmp_path):
    for index in range(100):
        image(tmp_path / "images" / f"{index}.png", colour=(2 * index, 200, 30))
    rows = [f"{index}.png,{index % 2},{int(index == 0)}" for index in range(100)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,Odd,Rare", *rows]))
    chosen = [load_pixel_sets(str(tmp_path), replace(SMALL, images=10, seed=seed)).train for seed in range(6)]
    assert all((train.labels != train.labels[0]).any(dim=0).all() for train in chosen)
    assert ("Odd",) in {train.names for train in chosen}


@pytest.mark.parametrize(("classes", "each"), [(7, 30), (12, 25)])
def test_what_each_class_rounds_away_is_held_out_all_the_same(tmp_path, classes, each):
    for index in range(classes * each):
        image(tmp_path / f"class{index % classes:02}" / f"{index}.png", size=(16, 16), colour=(index % 256, 0, 9))
    held_out = load_pixel_sets(str(tmp_path), SMALL).held_out
    assert 50 <= len(held_out) <= classes * each * 0.3
    assert len(set(held_out.labels.tolist())) == classes
