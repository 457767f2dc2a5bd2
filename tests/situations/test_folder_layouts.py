"""Folders of images as programs and people lay them out."""

import shutil

import pytest
from drawings import NAMES, drawn, lay, parts_of
from small_runs import QUICK, TINY, attempted, gan_options, refused, succeeded

import vitrail

pytestmark = pytest.mark.usefixtures("without_figures")

PARTS = {
    "Training and Testing": ("Training", "Testing"), "Train and Test": ("Train", "Test"),
    "train and Test": ("train", "Test"), "seg_train and seg_test": ("seg_train", "seg_test"),
    "TRAIN and TEST": ("TRAIN", "TEST"), "training_set and test_set": ("training_set", "test_set"),
}  # fmt: skip
VALIDATION = ("dev", "validation", "valid", "val", "Val")


@pytest.mark.parametrize("parts", PARTS.values(), ids=list(PARTS))
def test_training_and_test_folders_are_parts_in_any_spelling(parts, transfer):
    """01: The training and test images are in `Training` and `Testing`, or in folders of such names."""
    data = lay("data", parts_of(*parts))
    run = transfer(data)
    assert run.classes == list(NAMES) == list(vitrail.open_dataset(data).classes)
    assert (run.count("train"), run.count("test")) == (dict.fromkeys(NAMES, 6), dict.fromkeys(NAMES, 3))
    assert all(f"/{parts[0]}/" in file for file in run.files("train"))
    assert all(f"/{parts[1]}/" in file for file in run.files("test"))
    assert "27 images of 3 classes (train 18, test 9)" in run.said


@pytest.mark.parametrize("name", VALIDATION)
def test_images_to_validate_are_tested_on_where_there_are_no_others(name, transfer):
    """01 and 31: Beside `train` there is `val` or `dev`, and no test part."""
    run = transfer(lay("data", parts_of("train", name)))
    assert run.classes == list(NAMES)
    assert (run.count("train"), run.count("test")) == (dict.fromkeys(NAMES, 6), dict.fromkeys(NAMES, 3))
    assert all(f"/{name}/" in file for file in run.files("test"))
    assert "There is no test part: val is used to test." in run.said


def test_a_folder_more_beside_the_parts_is_left_out_and_named(transfer):
    """01: Beside `train` and `validation` lies a folder that is neither."""
    run = transfer(lay("data", parts_of("train", "validation") | {"previews": 2}))
    assert run.classes == list(NAMES)
    assert not [file for file, _, _ in run.rows if "previews" in file]
    assert run.data["left_out"] == {"in 'previews', which is no part": 2}
    assert "left out 2 in 'previews', which is no part" in run.said


UNUSUAL = {
    "train and eval": ("train", "eval"), "own names": ("my_train", "my_test"),
    "of a data set": ("imagenette-train", "imagenette-val"),
    "two tests": ("train", "public_test", "private_test"), "another language": ("Training", "Prüfung"),
}  # fmt: skip


@pytest.mark.parametrize("parts", UNUSUAL.values(), ids=list(UNUSUAL))
def test_folders_with_the_same_class_folders_in_each_are_not_classes(parts, stored):
    """01: The parts have names that are less usual: read as parts, or refused with what helps, never two classes."""
    data = lay("data", parts_of(*parts))
    run = attempted("run", "transfer", data, *QUICK, "--cache", stored)
    assert isinstance(run, str) or run.classes == list(NAMES)


@pytest.mark.parametrize("name", ["{part}", "images"])
def test_in_each_part_lies_a_single_folder_with_the_classes_in_it(name, transfer):
    """31: As downloaded: `seg_train/seg_train/brick`, or `train/images/brick`."""
    parts = [f"{part}/{name.format(part=part)}" for part in ("seg_train", "seg_test")]
    run = transfer(lay("data", parts_of(*parts)))
    assert run.classes == list(NAMES)
    assert (run.count("train"), run.count("test")) == (dict.fromkeys(NAMES, 6), dict.fromkeys(NAMES, 3))


def test_parts_inside_of_each_class_are_not_mixed_in_silence(stored):
    """01: The parts lie inside of the classes, `brick/train` and `brick/test`: respected, or it is said or refused."""
    data = lay("data", {f"{name}/{part}": count for part, count in (("train", 6), ("test", 3)) for name in NAMES})
    run = attempted("run", "transfer", data, *QUICK, "--cache", stored)
    if not isinstance(run, str):
        assert run.classes == list(NAMES)
        assert all("/test/" in file for file in run.files("test")) or "'test'" in run.said


@pytest.mark.parametrize("place", ["data/data", "a/b/c", "data"])
def test_a_single_folder_around_is_gone_into(place, transfer, gan_train):
    """31: The archive was unpacked into a folder of its own name, `data/data/brick`."""
    data = lay("set", {f"{place}/{name}": 6 for name in NAMES})
    for run in (transfer(data), *([gan_train(data)] if place == "data/data" else [])):
        assert run.classes == list(NAMES)
        assert run.data["images"] == 18
        assert f"The images are in '{place}'." in run.said


@pytest.mark.parametrize("lacking", ["test", "train"])
def test_a_class_that_one_part_lacks(lacking, transfer, gan_train):
    """31: A class has no test image, or test images alone; `transfer` and `gan train` take it alike."""
    data = lay("data", parts_of("train", "test"))
    shutil.rmtree(data / lacking / "gravel")
    learned, trained = transfer(data), gan_train(data)
    classes = [*NAMES] if lacking == "test" else [*NAMES][:2]
    assert learned.classes == trained.classes == classes
    assert learned.count("train") == trained.count("train") == dict.fromkeys(classes, 6)
    assert learned.count("test") == trained.count("held out") == dict.fromkeys(NAMES[:2], 3)
    if lacking == "test":
        assert "not tested gravel (no test image)" in learned.said
    else:
        assert all("left out 3 of classes that are not in train" in run.said for run in (learned, trained))


@pytest.mark.parametrize("parts", [("Training", "Testing"), ("train", "val", "test")], ids=" ".join)
def test_a_classifier_and_a_generator_learn_from_the_same_images(parts, transfer, gan_train):
    """31: The same folder is given to `transfer` and to `gan train`."""
    data = lay("data", parts_of(*parts))
    learned, trained = transfer(data), gan_train(data)
    assert learned.classes == trained.classes == list(NAMES)
    assert learned.files("train") == trained.files("train")
    assert learned.files("test") == trained.files("held out")


def test_two_images_of_each_class(transfer, stored):
    """31: There are two images of each class: that is said, and a generator has too few of them."""
    data = lay("data", dict.fromkeys(NAMES, 2))
    for to, options in (("first", ()), ("second", ("--C", 1))):
        run = transfer(data, *options, to=to)
        assert (run.count("train"), run.count("test")) == (dict.fromkeys(NAMES, 1), dict.fromkeys(NAMES, 1))
        assert "No class has a second training image" in run.said
    sentence = refused("gan", "train", data, "--size", 16, "--batch", 4, "--cache", stored)
    assert "leaves 3 images to train on, too few. Use at least 8." in sentence


SYSTEMS = (
    *("#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX"),
    *(".Trash-1000", ".git", "brick/.ipynb_checkpoints", "grass/.@__thumb"),
)


@pytest.fixture
def disk():
    """Two classes of 8, each image with two thumbnails beside it, and ten folders with an image that systems made."""
    root = lay("data", dict.fromkeys(NAMES[:2], 8))
    for image in sorted(root.rglob("*.png")):
        beside = image.parent / "@eaDir" / image.name
        beside.mkdir(parents=True)
        for name in "SM":
            drawn("brick", 0).resize((16, 16)).save(beside / f"SYNOPHOTO_THUMB_{name}.png")
    for place in SYSTEMS:
        (root / place).mkdir()
        drawn("gravel", 0).save(root / place / "thumbnail.png")
    (root / "brick" / "._000.png").write_bytes(b"\0\5\26\7")
    (root / "Thumbs.db").touch()
    return root


def test_what_a_network_disk_adds_is_no_class_and_in_no_part(disk, transfer, gan_train):
    """02: The folder comes from a network disk: thumbnails in `@eaDir`, waste in `#recycle`, and hidden folders."""
    for run in (transfer(disk), gan_train(disk)):
        assert run.classes == list(NAMES[:2])
        assert len(run.rows) == run.data["images"] == 16
        assert not [file for file, _, _ in run.rows if "eaDir" in file or "thumb" in file]
        assert run.data["left_out"] == {"system files": 32 + len(SYSTEMS) + 2}
        assert "left out 44 system files" in run.said


@pytest.mark.parametrize("command", ["classify", "check", "predict"])
def test_what_a_network_disk_adds_is_read_by_no_command(command, disk, transfer, stored):
    """02: The other commands that take folders leave the same files out."""
    options = () if command == "classify" else ("--cache", stored)
    first = (transfer(disk, to="classifier").folder, disk) if command == "predict" else (disk, *TINY)
    run = succeeded("run", command, *first, *options)
    assert (run.data["images"], run.data["left_out"]) == (16, {"system files": 44})


def test_loose_images_beside_a_subfolder_are_all_read(gan_train):
    """07: Images lie loose in a folder, and a few more in `old`; beside them is what macOS packs."""
    run = gan_train(lay("data", {".": 16, "old": 4, "__MACOSX": 3}))
    assert (run.classes, len(run.rows), run.data["left_out"]) == ([], 20, {"system files": 3})
    assert "16 images lie beside the folder 'old': all are read, as no class." in run.said


def test_loose_images_beside_an_empty_folder_are_all_read(gan_train):
    """07: Images lie loose in a folder, and beside them a folder that is empty."""
    run = gan_train(lay("data", {".": 16, "samples": 0}))
    assert (run.classes, len(run.rows), run.data["left_out"]) == ([], 16, {})


def test_loose_images_beside_several_folders_are_counted(transfer, stored):
    """07: Beside the class folders lie images that no class has: they are counted, by a refused command too."""
    data = lay("data", {".": 20, "brick": 4, "grass": 4})
    run = transfer(data)
    assert (run.classes, run.data["left_out"]) == (["brick", "grass"], {"beside the class folders": 20})
    assert "left out 20 beside the class folders" in run.said
    assert "beside the class folders" in refused("gan", "train", data, *gan_options(), "--cache", stored)


def test_loose_images_alone_teach_no_classes():
    """07: `transfer` is given loose images beside a single folder: it says what it needs."""
    sentence = refused("transfer", lay("data", {".": 16, "old": 4}), *QUICK)
    assert "have no classes. Use a folder for each class, or a table with the columns 'file' and 'class'" in sentence
