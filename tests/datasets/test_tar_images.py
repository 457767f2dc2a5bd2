"""Labelled images from tar files: classes, parts, and what is wrong with them."""

import shutil
import tarfile

import pytest
from command import run
from tar_files import packed

from vitrail.datasets.network_labels import read_network_labels
from vitrail.datasets.open_dataset import open_dataset
from vitrail.datasets.splits import open_train_test
from vitrail.datasets.tar_images import holds_tars
from vitrail.errors import BadFolder


def opened(root, tmp_path):
    split = open_train_test(root, home=tmp_path, test_share=0.25, seed=0)
    return split.train, split.test


def test_samples_have_their_class_beside_them_or_around_them(tmp_path):
    packed(
        tmp_path / "train-0.tar",
        {"1.seg.png": b"", "1.cls": b"7\n", "dog/2.png": b"", "x/3.png": b"", "x/3.cls": b"cat"},
    )
    packed(tmp_path / "test-0.tar", {"dog/9.png": b""})
    found = open_dataset(tmp_path)
    assert {file.name: found.classes[label] for file, label in found} == {
        "1.seg.png": "7", "2.png": "dog", "3.png": "cat", "9.png": "dog",
    }  # fmt: skip
    train, test = opened(tmp_path, tmp_path)
    assert train.classes == test.classes == ("7", "cat", "dog")
    assert test.labels.tolist() == [2]


def test_what_counts_as_a_list(tmp_path):
    packed(tmp_path / "a.tar", {"dog/2.png": b""})
    assert holds_tars(tmp_path)
    (tmp_path / "dog").mkdir()  # class folders, and an archive of them
    assert not holds_tars(tmp_path)
    assert not holds_tars(tmp_path / "nothing")


def test_where_a_sample_has_no_class_none_is_known(tmp_path):
    data = open_dataset(packed(tmp_path / "a.tar", {"1.png": b"", "dog/2.png": b""}))
    assert (len(data), data.classes) == (2, ())
    assert "'1.png' has no class" in data.notes[0]
    with pytest.raises(BadFolder, match="have no classes"):
        opened(tmp_path / "a.tar", tmp_path)


def test_an_audit_takes_its_labels_from_a_list(tmp_path):
    packed(tmp_path / "a.tar", {"cat/1.png": b"", "dog/1.png": b""})
    found = read_network_labels(tmp_path / "a.tar", ("dog", "cat"))
    assert [file.parent.name for file in found.files] == ["cat", "dog"]
    assert (found.labels, found.source) == ([1, 0], "list")
    unknown = read_network_labels(tmp_path / "a.tar", ("fish", "cat"))
    assert (unknown.labels, unknown.source) == (None, "none")


def test_an_audit_of_a_list_without_classes_has_no_labels(tmp_path):
    packed(tmp_path / "a.tar", {"1.png": b"", "2.png": b""})
    (tmp_path / "list.csv").write_text("file\na.jpg\nb.jpg\n")
    for root, reason in (("a.tar", "none"), ("list.csv", "no column 'class'")):
        found = read_network_labels(tmp_path / root, ("dog", "cat"))
        assert (len(found.files), found.labels, found.source) == (2, None, "none")
        assert reason in found.description
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.csv").write_text("file,class\na.jpg,dog\nb.jpg,\n")
    with pytest.raises(BadFolder, match="names no class"):
        read_network_labels(tmp_path / "list.csv", ("dog", "cat"))


def test_a_classifier_learns_the_same_from_a_folder_a_table_and_tar_files(stripes, tmp_path):
    files = sorted(stripes.rglob("*.png"))
    rows = [f"{file},{file.parent.name},{file.parent.parent.name}" for file in files]
    (tmp_path / "list.csv").write_text("file,class,part\n" + "\n".join(rows) + "\n")
    (tmp_path / "tars").mkdir()
    for part in ("train", "test"):
        with tarfile.open(tmp_path / "tars" / f"{part}.tar", "w") as archive:
            for file in (file for file in files if file.parent.parent.name == part):
                archive.add(file, f"{file.parent.name}/{file.name}")
    heads = []
    for number, source in enumerate((stripes, tmp_path / "list.csv", tmp_path / "tars")):
        options = ("--backbone", "squeezenet", "--layer", "fire9", "--C", "1", "--cache", tmp_path / "cache")
        done = run("transfer", source, *options, "--run", tmp_path / str(number))
        assert done.exit_code == 0, done.output
        heads.append((tmp_path / str(number) / "weights" / "head.safetensors").read_bytes())
    shutil.rmtree(tmp_path / "cache")
    assert len(set(heads)) == 1


def test_images_beside_a_tar_file_are_the_images(tmp_path, stripes):
    for number, file in enumerate(sorted((stripes / "test" / "noise").glob("*.png"))):
        shutil.copy(file, tmp_path / f"{number}.png")
    packed(tmp_path / "more.tar", {"dog/2.png": b""})
    data = open_dataset(tmp_path)
    assert (len(data), dict(data.left_out)) == (4, {".tar": 1})


def test_what_lies_beside_tar_files_is_counted(tmp_path):
    packed(tmp_path / "a.tar", {"dog/2.png": b"", "cat/1.png": b""})
    (tmp_path / "notes.txt").write_text("of these images")
    data = open_dataset(tmp_path)
    assert (len(data), dict(data.left_out)) == (2, {".txt": 1})
