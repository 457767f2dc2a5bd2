"""What a browser sends is looked at before it is opened."""

import io
import json
import os
import re
import stat
import struct
import subprocess
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from vitrail.errors import BadImage, BadSetting, CannotWrite
from vitrail.studio import uploads
from vitrail.studio.uploads import (
    allowed_folder,
    checked_image,
    checked_weights,
    clean,
    page_key,
    private_folder,
    unpacked,
)


def bomb(width, height):
    """A small PNG that says it is large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = zlib.compress(bytes(width + 1) * 4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png(size=(8, 8)):
    out = io.BytesIO()
    Image.new("RGB", size, (200, 10, 10)).save(out, "PNG")
    return out.getvalue()


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_image_passes_unopened(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    assert checked_image(tmp_path / "a.png", tmp_path) == tmp_path / "a.png"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bomb(8000, 8000), "50,000,000 pixels"),
        (bytes(20_000_001), "at most 20 MB"),
        (b"no image", "a.png"),
        (b"", "a.png"),
    ],
)
def test_a_bomb_and_no_image_are_refused(tmp_path, data, words):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadImage, match=words):
        checked_image(tmp_path / "a.png", tmp_path)


def test_weights_are_safetensors_or_nothing(tmp_path):
    save_file({"a": np.zeros(2)}, tmp_path / "good.safetensors")
    assert checked_weights(tmp_path / "good.safetensors", tmp_path).name == "good.safetensors"
    for name, data in (("evil.safetensors", b"cos\nsystem\n(S'true'\ntR."), ("model.pth", b"PK\x03\x04")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadSetting, match="safetensors"):
            checked_weights(tmp_path / name, tmp_path)


def test_folders_below_a_root_and_no_others(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "cats").mkdir(parents=True)
    other.mkdir()
    (root / "way_out").symlink_to(other)
    assert allowed_folder(str(root / "cats"), [root]) == root / "cats"
    assert allowed_folder("cats", [root]) == root / "cats"
    for given in (str(other), "../other", str(root / "way_out"), "/etc", str(root / "cats" / ".." / ".." / "other")):
        with pytest.raises(BadSetting, match="outside"):
            allowed_folder(given, [root])
    with pytest.raises(BadSetting, match="not a folder"):
        allowed_folder("dogs", [root])


def test_a_zip_gives_its_images_and_nothing_else(tmp_path):
    members = {
        "set/cats/1.png": png(),
        "set/dogs/1.png": png(),
        "set/dogs/run.sh": b"rm",
        "__MACOSX/set/cats/._1.png": b"",
    }
    folder = unpacked(zipped(tmp_path / "a.zip", members), tmp_path / "out")
    assert folder == tmp_path / "out" / "set"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == ["cats/1.png", "dogs/1.png"]


@pytest.mark.parametrize("name", ["../../evil.png", "/tmp/evil.png", "a/../../evil.png", "..\\evil.png", "C:evil.png"])
def test_a_zip_does_not_write_elsewhere(tmp_path, name):
    with pytest.raises(BadSetting, match="leads out"):
        unpacked(zipped(tmp_path / "a.zip", {name: png()}), tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("evil*"))


def test_zip_bombs_and_damaged_zips_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "ZIP_BYTES", 10_000)
    with pytest.raises(BadSetting, match="at most"):
        unpacked(zipped(tmp_path / "large.zip", {"a/1.png": bytes(20_000)}), tmp_path / "one")
    monkeypatch.setattr(uploads, "ZIP_FILES", 2)
    with pytest.raises(BadSetting, match="at most"):
        unpacked(zipped(tmp_path / "many.zip", {f"a/{n}.png": b"" for n in range(3)}), tmp_path / "two")
    with pytest.raises(BadSetting, match="no images"):
        unpacked(zipped(tmp_path / "none.zip", {"a/1.txt": b""}), tmp_path / "three")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(BadSetting, match="cannot be unpacked"):
        unpacked(tmp_path / "cut.zip", tmp_path / "four")


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(100_000))
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # sizes in the local head and in the directory
        at = data.index(mark) + place
        data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(BadSetting, match=r"larger than|cannot be unpacked"):
        unpacked(path, tmp_path / "out")
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*.png")) <= 10


@pytest.mark.parametrize("place", [45, 60])
def test_a_zip_whose_packed_bytes_are_damaged_is_refused(tmp_path, place):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", np.random.default_rng(0).bytes(3000) + bytes(3000))
    data = bytearray(path.read_bytes())
    data[place - 8 : place] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(BadSetting, match="cannot be unpacked as a zip"):
        unpacked(path, tmp_path / "out")


def test_a_zip_with_a_name_that_is_none_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a/1.png": png()})
    path.write_bytes(path.read_bytes().replace(b"a/1.png", b"\0/1.png"))
    with pytest.raises(BadSetting, match="cannot be unpacked as a zip"):
        unpacked(path, tmp_path / "out")


@pytest.mark.parametrize("given", ["a\0b", "x" * 5000, "~nobody-of-that-name", "y/" * 3000, "\n", "\udcff"])
def test_what_can_be_no_folder_is_refused_in_a_sentence(tmp_path, given):
    with pytest.raises(BadSetting, match="Use a folder|outside the folders|is not a folder") as told:
        allowed_folder(given, [tmp_path])
    assert len(str(told.value)) < 600


def aged(path, days, size=10):
    """A file of an upload that was sent so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    for each in (path, path.parent):
        os.utime(each, (time.time() - days * 86_400,) * 2)
    return path


def test_old_uploads_are_removed_and_those_in_use_stay(tmp_path):
    home = private_folder(tmp_path)
    uploads = home / "uploads"
    old, new, used = (aged(uploads / "files" / name / "a.png", days) for name, days in (("1", 2), ("2", 0.5), ("3", 2)))
    unzipped, page = aged(uploads / "sets" / "4" / "cat.png", 3), aged(uploads / "reports" / "a.html", 3)
    mine, elsewhere = aged(home / "mine.txt", 9), aged(tmp_path / "elsewhere" / "b.png", 9)
    (uploads / "files" / "link").symlink_to(elsewhere.parent)
    os.utime(uploads / "files" / "link", (0, 0), follow_symlinks=False)
    clean(uploads, json.dumps({"images": [str(used)]}))
    assert [path.exists() for path in (old, new, used, unzipped, page)] == [False, True, True, False, False]
    assert mine.exists()
    assert elsewhere.exists()
    assert (home / "uploads" / "files").is_dir()


@pytest.mark.parametrize("name", ['q"u', "back\\slash", "ümlaut", "new\nline"])
def test_an_upload_in_use_stays_whatever_the_folder_is_called(tmp_path, name):
    entry = tmp_path / name / "files" / "abc"
    entry.mkdir(parents=True)
    os.utime(entry, (0, 0))
    clean(tmp_path / name, json.dumps([{"images": [str(entry / "a.png")]}]))
    assert entry.exists()
    clean(tmp_path / name, "")
    assert not entry.exists()


def test_all_uploads_together_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 60_000)
    folder = private_folder(tmp_path) / "uploads"
    sent = [aged(folder / "files" / str(number) / "a.png", number / 100, 20_000) for number in range(5)]
    clean(folder)
    assert [path.exists() for path in sent] == [True, True, False, False, False]


def test_the_pages_folder_is_its_owners_and_the_key_stays(tmp_path):
    home = private_folder(tmp_path)
    os.chmod(home, 0o755)
    key = page_key(private_folder(tmp_path))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert page_key(home) == key
    assert len(key) == 32
    for spoil in (lambda: (home / "key").chmod(0o644), lambda: os.link(home / "key", tmp_path / "copy")):
        before = page_key(home)
        spoil()  # somebody may know it
        assert page_key(home) != before
    for other in ("", "short", "x" * 500, "/../" * 10, "\xff" * 40):
        (home / "key").write_text(other)
        assert re.fullmatch(r"[\w-]{32}", page_key(home))


@pytest.mark.parametrize("make", ["link", "file", "pipe"])
def test_a_pages_folder_that_leads_elsewhere_is_refused(tmp_path, make):
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "runs" / ".studio"
    place.parent.mkdir()
    {"link": lambda: place.symlink_to(tmp_path / "elsewhere"), "file": place.touch, "pipe": lambda: os.mkfifo(place)}[
        make
    ]()
    with pytest.raises(CannotWrite):
        private_folder(tmp_path / "runs")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_pages_folder_of_somebody_else_is_refused(tmp_path):
    os.chown(private_folder(tmp_path), 12345, 12345)
    with pytest.raises(CannotWrite, match="belongs to another user"):
        private_folder(tmp_path)


def test_a_zip_of_deep_folders_is_refused_and_one_that_is_there_stops_nothing(tmp_path):
    with pytest.raises(BadSetting, match="more than 20 folders"):
        unpacked(zipped(tmp_path / "a.zip", {"a/" * 300 + "1.png": png()}), tmp_path / "out")
    folder = private_folder(tmp_path / "runs") / "uploads"
    deep = folder / "sets" / "x"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    clean(folder)
    subprocess.run(["rm", "-rf", str(deep)], check=True)  # the clean-up of the tests is recursive


def test_many_empty_files_count_and_a_prepared_link_is_not_walked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 100 * 4096)
    folder = private_folder(tmp_path) / "uploads"
    (folder / "sets" / "x").mkdir()
    for number in range(200):
        (folder / "sets" / "x" / f"{number}").touch()
    clean(folder)
    assert not (folder / "sets" / "x").exists()
    (folder / "files" / "way").symlink_to("/usr")
    assert uploads._newest_and_size(folder / "files" / "way")[1] == uploads.BLOCK
