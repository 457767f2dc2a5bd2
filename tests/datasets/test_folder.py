"""Folders as people have them: what becomes a part, what a class, and what is left out and counted."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

import vitrail
from vitrail.datasets.splits import open_train_test
from vitrail.errors import BadFolder


@pytest.fixture
def lay(tmp_path):
    """Makes a folder of empty files, which is enough for what only lists them; takes `{place: number of images}`."""

    def make(places, root="data"):
        for place, images in places.items():
            (tmp_path / root / place).mkdir(parents=True, exist_ok=True)
            for number in range(images):
                (tmp_path / root / place / f"{number:03}.jpg").touch()
        return tmp_path / root

    return make


def split(root, **options):
    return open_train_test(root, home=root / "unused", test_share=0.25, seed=0, **options)


def counts(images):
    return {images.classes[label]: n for label, n in sorted(Counter(images.labels.tolist()).items())}


PARTS = {
    "usual": ("train", "test"), "capitals": ("Train", "Test"), "gerunds": ("Training", "Testing"),
    "mixed": ("train", "Test"), "prefixed": ("seg_train", "seg_test"), "years": ("train2017", "test2017"),
    "glued": ("trainset", "testset"), "images": ("train_images", "test_images"), "named": ("data-train", "data-test"),
}  # fmt: skip
VALIDATION = ("val", "valid", "validation", "Validation", "dev", "seg_val", "val2017")


@pytest.mark.parametrize(("train", "test"), PARTS.values(), ids=list(PARTS))
def test_parts_by_their_usual_names(lay, train, test):
    root = lay({f"{train}/cat": 4, f"{train}/dog": 4, f"{test}/cat": 2, f"{test}/dog": 2})
    found = split(root)
    assert (counts(found.train), counts(found.test)) == ({"cat": 4, "dog": 4}, {"cat": 2, "dog": 2})
    assert not found.is_drawn
    assert vitrail.open_dataset(root).classes == ("cat", "dog")


@pytest.mark.parametrize("val", VALIDATION)
def test_without_a_test_part_val_is_used_to_test_and_that_is_said(lay, val):
    found = split(lay({"train/cat": 4, "train/dog": 4, f"{val}/cat": 2, f"{val}/dog": 2}))
    assert (len(found.train), len(found.test)) == (8, 4)
    assert found.notes == ("There is no test part: val is used to test.",)


def test_of_three_parts_val_is_learned_from_and_test_is_looked_at_once(lay):
    found = split(lay({f"{part}/{name}": n for part, n in (("train", 4), ("val", 3), ("test", 2)) for name in "ab"}))
    assert (len(found.train), len(found.test)) == (14, 4)
    assert {file.parts[-3] for file in found.test.files} == {"test"}
    assert "chosen by cross-validation" in found.notes[0]


def test_a_training_part_alone_is_split(lay):
    found = split(lay({"train/cat": 8, "train/dog": 8}))
    assert (len(found.train), len(found.test), found.is_drawn) == (12, 4, True)


def test_another_folder_beside_the_parts_is_left_out_and_said(lay):
    found = split(lay({"train/a": 4, "train/b": 4, "validation/a": 2, "validation/b": 2, "previews": 3}))
    assert found.train.classes == ("a", "b")
    assert found.left_out == {"in 'previews', which is no part": 3}


def test_a_class_called_like_a_part_is_a_class(lay):
    """A vehicle is a train; only a folder that holds folders, as parts do, is a part."""
    for names in (("train", "plane", "car"), ("train", "test", "plane"), ("dev", "sales")):
        found = split(lay(dict.fromkeys(names, 8), root="-".join(names)))
        assert found.train.classes == tuple(sorted(names))


def test_a_test_part_without_classes_is_left_out_and_the_training_part_split(lay):
    """The layout of a competition."""
    found = split(lay({"train/a": 8, "train/b": 8, "test": 6}))
    assert (len(found.train), len(found.test), found.is_drawn) == (12, 4, True)
    assert found.left_out == {"without a class in test": 6}


def test_classes_that_a_part_lacks(lay):
    fewer = split(lay({"train/a": 4, "train/b": 4, "train/c": 4, "test/a": 2, "test/b": 2}, root="fewer"))
    assert fewer.train.classes == fewer.test.classes == ("a", "b", "c")
    more = split(lay({"train/a": 4, "train/b": 4, "test/a": 2, "test/b": 2, "test/z": 3}, root="more"))
    assert (counts(more.test), more.left_out) == ({"a": 2, "b": 2}, {"of classes that are not in train": 3})
    assert more.notes == ("Not in train, and left out of the test: 1 class, 'z'.",)
    with pytest.raises(BadFolder, match="No class of the test part is in train, e.g. 'y'"):
        split(lay({"train/a": 4, "train/b": 4, "test/y": 2}, root="none"))


@pytest.mark.parametrize("above", ["data", "a/b/c", "photos/photos"])
def test_a_single_folder_around_is_gone_into(lay, above):
    root = lay({f"{above}/cat": 8, f"{above}/dog": 8}, root="set")
    (root / "README.txt").touch()
    found = split(root)
    assert found.train.classes == ("cat", "dog")
    assert found.notes == (f"The images are in '{above}'.",)
    assert found.left_out == {".txt": 1}


def test_what_systems_put_among_images_is_never_a_class_nor_an_image(lay):
    root = lay({"cat": 8, "dog": 8, "#recycle": 5, "@eaDir": 2, "cat/@eaDir/1.jpg": 3, "__MACOSX/cat": 2})
    for name in (".hidden/1.jpg", "dog/.ipynb_checkpoints/1.jpg", "cat/._000.jpg", "Thumbs.db", "dog/.DS_Store"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    found = split(root)
    assert (counts(found.train), counts(found.test)) == ({"cat": 6, "dog": 6}, {"cat": 2, "dog": 2})
    assert found.left_out == {"system files": 12 + 5}


def test_what_is_no_image_is_counted_by_its_suffix(lay):
    root = lay({"cat": 8, "dog": 8})
    for name in ("cat/a.xyz", "cat/b.XYZ", "dog/notes.txt", "list.csv", "dog/LICENSE"):
        (root / name).touch()
    assert split(root).left_out == {".xyz": 2, ".txt": 1, ".csv": 1, "without suffix": 1}


def test_empty_class_folders_are_left_out_and_named(lay):
    found = split(lay({"cat": 8, "dog": 8, "elk": 0, "fox/young": 0}))
    assert found.train.classes == ("cat", "dog")
    assert found.notes == ("Without an image, and left out: 'elk', 'fox'.",)


def test_images_beside_class_folders_are_left_out_and_counted(lay):
    found = split(lay({"cat": 8, "dog": 8, "": 3}))
    assert (len(found.train) + len(found.test), found.left_out) == (16, {"beside the class folders": 3})


def test_images_beside_a_single_folder_are_all_read_without_classes(lay):
    data = vitrail.open_dataset(lay({"": 20, "old": 4}))
    assert (len(data), data.classes) == (24, ())
    assert "20 images lie beside the folder 'old'" in data.notes[0]
    with pytest.raises(BadFolder, match="have no classes. Use a folder for each class"):
        split(lay({"": 20, "old": 4}))
    assert vitrail.open_dataset(lay({"": 9, "samples": 0}, root="other")).classes == ()


def test_letters_in_composed_and_decomposed_form_are_one_class(lay):
    cities = ("Köln", "Zürich")
    places = {f"train/{unicodedata.normalize('NFC', name)}": 4 for name in cities}
    found = split(lay(places | {f"test/{unicodedata.normalize('NFD', name)}": 2 for name in cities}))
    assert counts(found.test) == dict.fromkeys(cities, 2)
    forms = {unicodedata.normalize(form, "Köln"): 8 for form in ("NFC", "NFD")}
    assert counts(split(lay(forms | {" Bern ": 8}, root="both")).train) == {"Bern": 6, "Köln": 12}


def test_of_data_without_images_the_error_says_what_to_use(lay, tmp_path):
    for root in (lay({"cat": 0, "dog": 0}), lay({"": 0}, root="empty")):
        with pytest.raises(BadFolder, match=r"There is no image in .*Use files ending in \.jpg"):
            split(root)
    with pytest.raises(BadFolder, match="does not exist. Use a folder of images"):
        split(tmp_path / "nothing")
    with pytest.raises(BadFolder, match="There is only one class, 'cat'"):
        split(lay({"cat": 9}, root="one"))


def test_a_link_to_a_folder_above_does_not_lead_round_in_circles(lay):
    root = lay({"cat": 8, "dog": 8})
    (root / "cat" / "again").symlink_to(root / "cat")
    assert len(vitrail.open_dataset(root)) == 16


def test_a_data_set_gives_its_parts(lay):
    data = vitrail.open_dataset(lay({"train/a": 3, "train/b": 3, "val/a": 1, "test": 2}))
    assert [len(data.part(name)) for name in ("train", "val", "test")] == [6, 1, 0]
    assert (len(data.part()), len(data)) == (7, 9)
    assert data[0] == (data.files[0], data.labels[0])
    assert [label for _, label in data].count(-1) == 2
    assert isinstance(data.files[0], Path)


def cats_and_dogs(*folders):
    return {f"{folder}/{name}": 2 for folder in folders for name in ("cat", "dog")}


ALIKE = {  # folders that hold the same folders: parts, the number of images of each, and what is left out
    "words in names": (("my_train", "my_test"), {"train": 4, "test": 4}, 0),
    "two tests": (("train", "public_test", "private_test"), {"train": 4, "test": 8}, 0),
    "capitals in words": (("Training", "PublicTest"), {"train": 4, "test": 4}, 0),
    "masks": (("train", "test", "train_masks", "test_masks"), {"train": 4, "test": 4}, 8),
    "copies": (("original_train", "train", "test"), {"train": 4, "test": 4}, 4),
    "a test of one's own": (("train", "test", "my_test"), {"train": 4, "test": 4}, 4),
    "another": (("my_train", "my_test", "other"), {"train": 4, "test": 4}, 4),
    "vehicles": (("bus", "car", "train"), {"": 12}, 0),
    "years": (("2019", "2020"), {"": 8}, 0),
}


@pytest.mark.parametrize(("folders", "parts", "left_out"), ALIKE.values(), ids=list(ALIKE))
def test_folders_that_look_like_parts_are_parts_by_a_word_where_none_has_the_name(lay, folders, parts, left_out):
    data = vitrail.open_dataset(lay(cats_and_dogs(*folders)))
    assert dict(Counter(data.parts)) == parts
    assert sum(data.left_out.values()) == left_out
    assert data.classes == (folders if "" in parts else ("cat", "dog"))
    usual = {"train", "test"} <= {*folders}
    assert bool(data.notes) == ("" not in parts and not usual)


@pytest.mark.parametrize("folders", [("Training", "Prüfung"), ("train", "hold_out"), ("train", "train_and_more")])
def test_two_folders_that_look_like_parts_and_one_is_none_are_refused(lay, folders):
    with pytest.raises(BadFolder, match="as parts do, but only one has the name of a part"):
        vitrail.open_dataset(lay(cats_and_dogs(*folders)))


def test_a_larger_folder_beside_the_parts_hides_none(lay):
    root = lay({**cats_and_dogs("my_train", "my_test"), **{f"archive/{name}": 1 for name in "abcde"}})
    data = vitrail.open_dataset(root)
    assert (data.classes, dict(data.left_out)) == (("cat", "dog"), {"in 'archive', which is no part": 5})


INSIDE = {
    "both": ({"cat/train": 4, "cat/test": 2, "dog/train": 4, "dog/test": 2}, {"train": 8, "test": 4}, 0),
    "one lacks a test": ({"cat/train": 4, "cat/test": 2, "dog/train": 4}, {"train": 8, "test": 2}, 0),
    "one has more": (
        {"cat/train": 4, "cat/test": 2, "cat/raw": 3, "dog/train": 4, "dog/test": 2},
        {"train": 8, "test": 4},
        3,
    ),
    "one has none": (
        {"cat/train": 4, "cat/test": 2, "dog/train": 4, "dog/test": 2, "bird": 3},
        {"train": 8, "test": 4},
        3,
    ),
    "of other names": (
        {"cat/my_train": 4, "cat/my_test": 2, "dog/my_train": 4, "dog/my_test": 2},
        {"train": 8, "test": 4},
        0,
    ),
}


@pytest.mark.parametrize(("places", "parts", "left_out"), INSIDE.values(), ids=list(INSIDE))
def test_parts_may_lie_inside_of_the_classes(lay, places, parts, left_out):
    data = vitrail.open_dataset(lay({**places, "notes": 0}))
    assert (data.classes, dict(Counter(data.parts))) == (("cat", "dog"), parts)
    assert sum(data.left_out.values()) == left_out
    assert "The parts are folders inside of the classes." in data.notes


def test_a_link_to_itself_is_no_folder_and_costs_nothing(lay):
    root = lay(cats_and_dogs("train", "test"))
    for place in (root, root / "train", root / "train" / "cat"):
        (place / "round").symlink_to("round")
    data = vitrail.open_dataset(root)
    assert (data.classes, dict(Counter(data.parts))) == (("cat", "dog"), {"train": 4, "test": 4})
