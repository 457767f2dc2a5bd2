"""Files appear whole or not at all; what goes wrong is one sentence; JSON is the same on every machine."""

import errno
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail import files, reading
from vitrail.errors import CannotWrite, VitrailError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def fail_half_way(code: int):
    """A stand-in for `write_all` that writes half of what it is given and then fails as a disk does."""

    def write_half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, bytes(data)[: len(data) // 2])
        raise OSError(code, os.strerror(code))

    return write_half


@pytest.mark.parametrize("data", [b"", b"abc", bytearray(b"abc"), memoryview(b"abc"), bytes(range(256)) * 9_000])
def test_bytes_round_trip_and_the_folder_is_made(tmp_path: Path, data: bytes):
    files.write_bytes(tmp_path / "a/b/file", data, within=None)

    assert (tmp_path / "a/b/file").read_bytes() == data
    assert os.listdir(tmp_path / "a/b") == ["file"]


def test_a_write_that_the_system_cuts_short_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))

    files.write_bytes(tmp_path / "file", b"0123456789", within=None)

    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_file_reaches_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        calls.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def record_replace(*names: Path, **folders: int | None) -> None:
        calls.append("rename")
        replace(*names, **folders)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    files.write_bytes(tmp_path / "file", b"new", within=None)

    assert calls == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127], ids=["ascii", "two bytes a letter"])
def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path: Path, name: str):
    files.write_bytes(tmp_path / name, b"new", within=None)

    assert (tmp_path / name).read_bytes() == b"new"


def test_writers_of_one_file_never_mix(tmp_path: Path):
    contents = [bytes([letter]) * 300_000 for letter in b"abcd"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda data: files.write_bytes(tmp_path / "file", data, within=None), contents * 3))

    assert (tmp_path / "file").read_bytes() in contents
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "quota is used up; free some space"),
        (errno.EROFS, "the disk is read-only; choose another folder"),
        (errno.EACCES, "you may not write there; change the folder's permissions"),
        (errno.EIO, "the disk reports a fault"),
        (errno.ENXIO, os.strerror(errno.ENXIO) + "; choose another folder"),
    ],
)
def test_a_failure_is_one_sentence_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
):
    target = tmp_path / "file"
    files.write_bytes(target, b"old", within=None)
    monkeypatch.setattr(files, "write_all", fail_half_way(code))

    with pytest.raises(CannotWrite, match=r"^Cannot write .*\.$") as caught:
        files.write_bytes(target, b"new and longer", within=None)

    assert words in str(caught.value)
    assert str(target) in str(caught.value)
    assert isinstance(caught.value, VitrailError)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(descriptor: int, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_all", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_bytes(tmp_path / "file", b"new", within=None)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("file/deeper", "not a folder"), ("folder", "a folder of that name"), ("x" * 300, "the name is too long")],
)
@pytest.mark.parametrize("write", [files.write_text, files.append_line])
def test_an_impossible_place_is_one_sentence(tmp_path: Path, write, name: str, words: str):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(CannotWrite, match=words):
        write(tmp_path / name, "text", within=tmp_path)

    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path):
    (tmp_path / "plain").touch()
    files.write_bytes(tmp_path / "ours", b"", within=None)

    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_text_is_utf8_with_line_ends_as_given(tmp_path: Path):
    files.write_text(tmp_path / "file", "Fenêtre\r\nvitrail\n", within=None)

    assert (tmp_path / "file").read_bytes() == b"Fen\xc3\xaatre\r\nvitrail\n"


@settings(max_examples=40, deadline=None)
@given(content=JSON)
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, content: object):
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    files.write_json(path, content, within=None)

    assert reading.read_json(path) == content
    assert path.read_bytes().endswith(b"\n")


def test_json_keeps_the_order_of_keys_and_reads_as_written(tmp_path: Path):
    files.write_json(tmp_path / "a.json", {"task": "transfer", "accuracy": 0.925, "class": "Küste"}, within=None)

    text = '{\n  "task": "transfer",\n  "accuracy": 0.925,\n  "class": "Küste"\n}\n'
    assert (tmp_path / "a.json").read_bytes() == text.encode()


def test_json_carries_a_file_name_that_is_no_utf8(tmp_path: Path):
    name = os.fsdecode(b"back\\slash \xff\xe9.jpg")
    files.write_json(tmp_path / "a.json", {"file": name}, within=None)

    (tmp_path / "a.json").read_text(encoding="utf-8")
    assert reading.read_json(tmp_path / "a.json") == {"file": name}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_what_is_no_number(tmp_path: Path, number: float):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"accuracy": number}, within=None)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "NaN", "[-Infinity]", "[" * 200_000], ids=lambda text: text[:9])
def test_a_file_that_is_not_json_is_a_value_error(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(ValueError, match="."):
        reading.read_json(tmp_path / "a.json")


def test_lines_are_on_the_disk_as_soon_as_they_are_added(tmp_path: Path):
    path = tmp_path / "run/events.jsonl"
    for number in range(3):
        files.append_line(path, f'{{"step": {number}}}', within=tmp_path)
        assert path.read_text().splitlines()[-1] == f'{{"step": {number}}}'

    assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n{"step": 2}\n'


def test_a_line_that_does_not_fit_is_taken_back_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "events.jsonl"
    files.append_line(path, "first", within=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", fail_half_way(errno.ENOSPC))
        with pytest.raises(CannotWrite, match="the disk is full"):
            files.append_line(path, "second", within=tmp_path)
    files.append_line(path, "third", within=tmp_path)

    assert path.read_text() == "first\nthird\n"


def test_half_a_line_of_a_writer_that_was_killed_spoils_no_other(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    for before, after in ((b"first\nsec", "first\nthird\n"), (b"f", "third\n"), (b"", "third\n")):
        path.write_bytes(before)
        files.append_line(path, "third", within=tmp_path)
        assert path.read_text() == after


def test_only_old_leftovers_are_removed(tmp_path: Path):
    young, old, other = (tmp_path / name for name in (".a.1.00000000.part", ".b.1.00000000.part", "c.part"))
    for path in (young, old, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, time.time() - 25 * 60 * 60))

    files.remove_leftovers(tmp_path, within=tmp_path)
    files.remove_leftovers(tmp_path / "no such folder", within=tmp_path)

    assert sorted(os.listdir(tmp_path)) == [".a.1.00000000.part", "c.part"]


SECRET = b"somebody's, without a line end"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Files of somebody, beside the run folder."""
    (tmp_path / "run").mkdir()
    (tmp_path / "outside" / "folder" / "deep").mkdir(parents=True)
    for name in ("file", "folder/file", "folder/deep/file", "folder/.a.1.00000000.part"):
        (tmp_path / "outside" / name).write_bytes(SECRET)
        os.utime(tmp_path / "outside" / name, (0, 0))
    return tmp_path / "outside"


WRITERS = {
    "bytes": lambda path, run: files.write_bytes(path, b"ours", within=run),
    "text": lambda path, run: files.write_text(path, "ours", within=run),
    "json": lambda path, run: files.write_json(path, [1], within=run),
    "line": lambda path, run: files.append_line(path, "ours", within=run),
}
REMOVERS = {
    "file": lambda path, run: files.remove_file(path, within=run),
    "folder": lambda path, run: files.remove_folder(path, within=run),
    "leftovers": lambda path, run: files.remove_leftovers(path, within=run),
    "empty folder": lambda path, run: files.remove_empty_folder(path),
    "name": lambda path, run: files.rename(path, path.with_name("other"), within=run),
}
DOINGS = WRITERS | REMOVERS


def lay(kind: str, place: Path, outside: Path) -> Path:
    """Puts something that is none of ours at a place of a run folder; the path that is then written or removed."""
    match kind:
        case "a link to a file":
            place.symlink_to(outside / "file")
        case "a link to nothing":
            place.symlink_to(outside / "new")
        case "a link to a folder":
            place.symlink_to(outside / "folder")
        case "a hard link":
            os.link(outside / "file", place)
        case "in a linked folder":
            place.symlink_to(outside / "folder")
            return place / "file"
        case "in a new folder of a linked one":
            place.symlink_to(outside / "folder")
            return place / "new" / "file"
        case "up":
            return place.parent / ".." / "outside" / "file"
        case "a pipe":
            os.mkfifo(place)
        case "a circle":
            place.symlink_to(place.name)
    return place


KINDS = (
    *("a link to a file", "a link to nothing", "a link to a folder", "a hard link", "in a linked folder"),
    *("in a new folder of a linked one", "up", "a pipe", "a circle"),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("doing", DOINGS)
def test_nothing_outside_a_folder_of_ours_is_written_or_removed(tmp_path: Path, outside: Path, doing: str, kind: str):
    """Every way to write or remove × every way to lead elsewhere."""
    run = tmp_path / "run"
    place = lay(kind, run / "place", outside)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    refused = True
    with suppress(CannotWrite, OSError):
        refused = DOINGS[doing](place, run) is False
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before
    if doing in WRITERS and kind == "a hard link":
        assert (run / "place").read_bytes() not in (SECRET, b"")  # a file of ours has the name now
    elif doing in WRITERS:
        assert refused
    if kind == "a pipe" and doing != "name":
        assert stat.S_ISFIFO((run / "place").stat().st_mode)


@pytest.mark.parametrize("doing", [doing for doing in DOINGS if doing != "empty folder"])
def test_a_folder_that_is_exchanged_for_a_link_after_the_look_leads_nowhere(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch, doing: str
):
    """Between the look at the way and the deed, somebody else who may write there is faster: the look saw no link."""
    run = tmp_path / "run"
    (run / "place").symlink_to(outside / "folder")
    for module in (files, reading):
        monkeypatch.setattr(module, "refuse_links", lambda path, within: None)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    place = {"leftovers": "place", "folder": "place/deep"}.get(doing, "place/file")
    with suppress(CannotWrite, OSError):
        DOINGS[doing](run / place, run)
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


def test_a_refused_place_is_one_sentence(tmp_path: Path, outside: Path):
    (tmp_path / "run" / "weights").symlink_to(outside / "folder")
    with pytest.raises(CannotWrite, match=r"^Cannot write .*'weights' is a link, and links are not followed here.*\.$"):
        files.write_bytes(tmp_path / "run" / "weights" / "a", b"", within=tmp_path / "run")
    os.mkfifo(tmp_path / "run" / "events.jsonl")
    with pytest.raises(CannotWrite, match="a pipe or a device of that name is in the way"):
        files.append_line(tmp_path / "run" / "events.jsonl", "a", within=tmp_path / "run")


def test_a_folder_is_removed_without_what_its_links_lead_to(tmp_path: Path, outside: Path):
    (tmp_path / "run" / "set" / "deep").mkdir(parents=True)
    (tmp_path / "run" / "set" / "deep" / "link").symlink_to(outside)
    assert files.remove_folder(tmp_path / "run" / "set", within=tmp_path / "run")
    assert (outside / "file").read_bytes() == SECRET
    assert not (tmp_path / "run" / "set").exists()


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 200_000])
def test_half_a_line_of_any_length_is_taken_away(tmp_path: Path, size: int):
    path = tmp_path / "events.jsonl"
    for before in (b"first\n", b""):
        path.write_bytes(before + b"x" * size)
        files.append_line(path, "third", within=tmp_path)
        assert path.read_bytes() == before + b"third\n"
    path.write_bytes(b"x" * size + b"\n")
    files.append_line(path, "third", within=tmp_path)
    assert path.read_bytes() == b"x" * size + b"\nthird\n"


@pytest.mark.parametrize(
    "name", [".a.part", ".part", ".b.x.part", ".a.1.00.part", "a.1.00000000.part", ".a.1.0000000g.part"]
)
def test_what_is_called_otherwise_is_no_leftover_of_ours(tmp_path: Path, name: str):
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    files.remove_leftovers(tmp_path, within=tmp_path)
    assert (tmp_path / name).exists()
    assert not files.is_leftover(tmp_path / name)


def test_a_log_without_lines_is_none_of_ours(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    with path.open("wb") as file:
        file.truncate(500 * 10**9)
    with pytest.raises(CannotWrite, match="which is no log, is in the way"):
        files.append_line(path, "ours", within=tmp_path)
    assert path.stat().st_size == 500 * 10**9
