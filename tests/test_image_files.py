import os
import sys
from pathlib import Path

import pytest

from vitrail import image_files
from vitrail.errors import BadFolder, BadImage
from vitrail.image_files import SUFFIXES, display_name, find_images, read_bytes

posix = pytest.mark.skipif(os.name != "posix", reason="Needs a system whose file names are bytes and that has pipes.")


def make(folder, *names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode("utf-8", "surrogateescape"))


def found(folder, *paths):
    return [image.relative_to(folder).as_posix() for image in find_images(paths or [folder])]


def test_folders_are_searched_at_every_depth_in_order(tmp_path):
    make(tmp_path, "b.jpg", "a.PNG", "B/deep/er/c.webp", "A/z.Jpeg", "notes.txt", "A/jpg", "x.eps")
    assert found(tmp_path) == ["a.PNG", "b.jpg", "A/z.Jpeg", "B/deep/er/c.webp"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_of_a_known_format_is_found(tmp_path, suffix):
    make(tmp_path, f"image{suffix}")
    assert found(tmp_path) == [f"image{suffix}"]


def test_hidden_files_and_folders_are_left_out(tmp_path):
    make(tmp_path, "a.jpg", "._a.jpg", ".thumbnails/a.jpg")
    assert found(tmp_path) == ["a.jpg"]
    assert found(tmp_path, f"{tmp_path}/**/*") == ["a.jpg"]


def test_named_files_are_taken_whatever_their_name(tmp_path):
    make(tmp_path, "scan", ".hidden.jpg")
    assert found(tmp_path, tmp_path / "scan", str(tmp_path / ".hidden.jpg")) == ["scan", ".hidden.jpg"]


def test_patterns_find_files_and_folders(tmp_path):
    make(tmp_path, "2024-a/1.jpg", "2024-b/x/2.jpg", "2025/3.jpg", "2024-notes.txt")
    assert found(tmp_path, f"{tmp_path}/2024-*") == ["2024-a/1.jpg", "2024-b/x/2.jpg"]
    assert found(tmp_path, f"{tmp_path}/**/*.jpg") == ["2024-a/1.jpg", "2024-b/x/2.jpg", "2025/3.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    make(tmp_path, "cat[1].jpg", "cat1.jpg")
    assert found(tmp_path, tmp_path / "cat[1].jpg") == ["cat[1].jpg"]


def test_the_order_of_paths_is_kept_and_repeats_are_dropped(tmp_path):
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    assert found(tmp_path, tmp_path / "b", tmp_path / "b/2.jpg", tmp_path) == ["b/2.jpg", "a/1.jpg"]


@posix
def test_links_are_followed_and_circles_end(tmp_path):
    make(tmp_path, "images/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "images/up").symlink_to(tmp_path / "images")
    (tmp_path / "images/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "images")
    assert found(tmp_path, tmp_path / "images") == ["images/a.jpg", "images/linked/b.jpg"]


@pytest.mark.parametrize("missing", ["nothing.jpg", "no*thing", "deep/er/nothing"])
def test_what_is_not_there_is_named(tmp_path, missing):
    with pytest.raises(BadImage, match=r"There is no image at '.*thing.*'\. Use an image, a folder of images,"):
        find_images([tmp_path / missing])


def test_a_folder_without_images_is_named_with_what_counts(tmp_path):
    make(tmp_path, "empty/notes.txt")
    with pytest.raises(BadFolder, match=r"no image in '.*empty'\. Use files ending in \.jpg .*\.tiff"):
        find_images([tmp_path / "empty"])


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    make(tmp_path, "a.jpg")

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(BadFolder, match=r"cannot be listed \(Permission denied\)"):
        find_images([tmp_path])


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="This file system admits UTF-8 names only.")
def test_names_that_are_not_utf_8_survive(tmp_path):
    name = os.fsdecode(b"caf\xe9\n.jpg")
    make(tmp_path, name)
    (image,) = find_images([tmp_path])
    assert os.fsencode(image.name) == b"caf\xe9\n.jpg"
    assert read_bytes(image) == b"caf\xe9\n.jpg"
    assert display_name(image.name) == r"caf\udce9\n.jpg"
    display_name(image).encode("utf-8")


def test_names_are_shown_on_one_line_and_cannot_steer_a_terminal():
    assert display_name("café 猫.jpg") == "café 猫.jpg"
    assert display_name(Path("a") / "b.jpg") == os.path.join("a", "b.jpg")
    assert display_name("a\x1b[2J\r\u202egpj.exe") == r"a\x1b[2J\r\u202egpj.exe"


@pytest.mark.parametrize(
    ("name", "reason"), [("none.jpg", "No such file"), ("a.jpg/b.jpg", "Not a directory"), ("null\0", "null")]
)
def test_files_that_cannot_be_read_are_named_with_the_reason(tmp_path, name, reason):
    make(tmp_path, "a.jpg")
    with pytest.raises(BadImage, match=rf"cannot be read \(.*{reason}.*\)\. Use the path of a readable image"):
        read_bytes(tmp_path / name)


def test_a_folder_is_not_read(tmp_path):
    with pytest.raises(BadImage, match=r"cannot be read \(it is a folder\). Use the path of a readable image"):
        read_bytes(tmp_path)


@posix
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(BadImage, match="it is a pipe or a device"):
        read_bytes(tmp_path / "pipe.jpg")


def test_a_file_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "BYTE_LIMIT", 4)
    make(tmp_path, "long.jpg", "1234")
    assert read_bytes(tmp_path / "1234") == b"1234"
    with pytest.raises(BadImage, match=r"'.*long.jpg' cannot be read \(it has more than 4 bytes\)"):
        read_bytes(tmp_path / "long.jpg")
