"""Files are opened to be read in one place: regular ones, without waiting, of a bounded size."""

import os
import threading
from pathlib import Path

import pytest

from vitrail import reading

READERS = {
    "open_regular": lambda path, **options: reading.open_regular(path, **options).close(),
    "check_regular": reading.check_regular,
    "read_bytes": lambda path, **options: reading.read_bytes(path, 1000, **options),
    "read_text": lambda path, **options: reading.read_text(path, 1000, **options),
    "read_json": lambda path, **options: reading.read_json(path, **options),
    "open_lines": lambda path, **options: list(_lines(path, **options)),
}


def _lines(path, **options):
    with reading.open_lines(path, **options) as lines:
        yield from lines


@pytest.fixture(params=READERS)
def read(request):
    """Each of the ways to read; it has five seconds."""

    def bounded(path, **options):
        ended = []

        def work():
            try:
                ended.append(READERS[request.param](path, **options))
            except (OSError, ValueError) as error:
                ended.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(5)
        assert ended, "it waits"
        if isinstance(ended[0], Exception):
            raise ended[0]
        return ended[0]

    return bounded


def test_a_regular_file_is_read(tmp_path, read):
    (tmp_path / "a.json").write_text("[1]\n")
    read(tmp_path / "a.json")
    read(tmp_path / "a.json", within=tmp_path)


@pytest.mark.parametrize("make", ["pipe", "folder", "socket", "zero", "link to a pipe", "link to a device"])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path, monkeypatch, read, make):
    import socket

    place = tmp_path / "a.json"
    if "pipe" in make:
        os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    match make:
        case "pipe" | "link to a pipe":
            place.symlink_to("pipe")
        case "folder":
            place.mkdir()
        case "socket":
            monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 bytes
            listener.bind("a.json")
        case "zero" | "link to a device":
            place.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="it is a (pipe or a device|folder)"):
        read(tmp_path / "pipe" if make == "pipe" else Path("/dev/zero") if make == "zero" else place)
    listener.close()


@pytest.mark.parametrize("path", ["/proc/self/mem", "/proc/self/pagemap", "/proc/kmsg", "/proc/self/environ\0"])
def test_files_that_the_system_makes_neither_wait_nor_end_the_process(read, path):
    try:
        read(path)
    except (OSError, ValueError):
        return


def test_links_are_followed_but_below_a_folder_of_ours(tmp_path, read):
    (tmp_path / "run").mkdir()
    (tmp_path / "secret.json").write_text("[1]")
    (tmp_path / "run" / "a.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "run" / "sub").symlink_to(tmp_path)
    (tmp_path / "runs").symlink_to("run")
    read(tmp_path / "run" / "a.json")
    for name in ("a.json", "sub/secret.json", "../secret.json"):
        with pytest.raises(OSError, match="is a link|leads out"):
            read(tmp_path / "run" / name, within=tmp_path / "run")
    with pytest.raises(ValueError, match="not in the subpath"):
        read(tmp_path / "secret.json", within=tmp_path / "run")
    (tmp_path / "run" / "b.json").write_text("[1]")
    read(tmp_path / "runs" / "b.json", within=tmp_path / "runs")  # the folder itself is what the user named


@pytest.mark.parametrize("confined", [False, True])
def test_what_is_exchanged_for_a_link_after_the_look_leads_nowhere(tmp_path, monkeypatch, read, confined):
    """Somebody else who may write there is faster: the look saw no link."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.json").write_text("[1]\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "place").symlink_to(tmp_path / "outside")
    monkeypatch.setattr(reading, "refuse_links", lambda path, within: None)
    if confined:
        monkeypatch.setattr(reading, "_places", (tmp_path / "run",))
        monkeypatch.setattr(os.path, "realpath", lambda path: str(path))
    with pytest.raises(OSError, match="place"):
        read(tmp_path / "run" / "place" / "a.json", **({} if confined else {"within": tmp_path / "run"}))


def test_a_run_folder_that_is_exchanged_after_the_look_leads_nowhere_either(tmp_path, monkeypatch, read):
    """Of a process that is confined; of any other, whoever may rename the run folder itself owns the place."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.json").write_text("[1]\n")
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "run").symlink_to(tmp_path / "outside")
    monkeypatch.setattr(os.path, "realpath", lambda path: str(path))
    monkeypatch.setattr(reading, "_places", (tmp_path / "place",))
    with pytest.raises(OSError, match="run"):
        read(tmp_path / "place" / "run" / "a.json", within=tmp_path / "place" / "run")


def test_sizes_are_looked_at_before_anything_is_read(tmp_path, monkeypatch):
    place = tmp_path / "a.json"
    with place.open("wb") as file:
        file.truncate(500 * 10**9)
    with pytest.raises(OSError, match="it has more than 1,000 bytes"):
        reading.read_bytes(place, 1000)
    with pytest.raises(OSError, match="it has more than 16,000,000 bytes"):
        reading.read_json(place)
    with pytest.raises(OSError, match="it has more than"), reading.open_lines(place) as lines:
        next(lines)
    place.write_bytes(b"12345")
    assert reading.read_bytes(place, 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        reading.read_bytes(place, 4)
    monkeypatch.setattr(reading, "LINE_LIMIT", 4)
    with pytest.raises(ValueError, match="a line has more than 4 characters"), reading.open_lines(place) as lines:
        next(lines)


def test_a_file_that_grows_while_it_is_read_is_bounded_too(tmp_path, monkeypatch):
    place = tmp_path / "log"
    place.write_bytes(b"12")
    fstat = os.fstat

    def grown(descriptor):
        status = fstat(descriptor)
        place.write_bytes(b"123456789")
        return status

    monkeypatch.setattr(os, "fstat", grown)
    assert reading.read_bytes(place, 9) == b"123456789"
    place.write_bytes(b"12")
    with pytest.raises(OSError, match="more than 5 bytes"):
        reading.read_bytes(place, 5)


def test_every_kind_of_file_has_a_limit():
    assert all(limit >= 1_000_000 for limit in reading.LIMITS.values())
    assert reading.LIMITS["result"] < 500_000_000
