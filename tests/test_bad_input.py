"""What goes wrong for users, through the command: one clear sentence, the right exit code, nothing finished lost."""

import errno
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from vitrail import files
from vitrail.backbones import BACKBONES
from vitrail.cli.app import app
from vitrail.transfer import features


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def transfer(folder, home, *arguments):
    where = ("--cache", home / "cache", "--run", home / f"run{len(list(home.iterdir()))}")
    return run("transfer", folder, "--backbone", "tiny", "--layer", "features", *where, *arguments)


def the_error(result, code=1):
    """The one line that is said about it."""
    assert result.exit_code == code, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return errors[0]


def grey(path, size=(40, 50)):
    Image.fromarray(np.full(size, 128, np.uint8)).save(path)
    return path


def header_of(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def test_a_image_of_one_pixel_is_a_image(tmp_path):
    done = run("classify", grey(tmp_path / "dot.png", (1, 1)), "--backbone", "squeezenet", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output


def test_a_bomb_is_refused_by_its_header_with_the_limit(tmp_path):
    (tmp_path / "bomb.png").write_bytes(header_of(40_000, 40_000))
    done = run("classify", tmp_path / "bomb.png", "--backbone", "squeezenet", "--run", tmp_path / "run")
    sentence = the_error(done)
    assert "40,000 x 40,000 pixels" in sentence
    assert "up to 50,000,000 pixels" in sentence


def test_what_cannot_be_read_is_named_skipped_and_counted(tmp_path):
    grey(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "bomb.png").write_bytes(header_of(40_000, 40_000))
    (tmp_path / "short.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    done = run("classify", tmp_path, "--backbone", "squeezenet", "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    assert len(result["images"]) == 1
    assert {os.path.basename(skip["file"]) for skip in result["skipped"]} == {"text.jpg", "bomb.png", "short.png"}


def test_a_link_that_leads_round_in_circles_is_followed_once(tmp_path, stripes):
    done = transfer(stripes, tmp_path)
    assert done.exit_code == 0
    folder = tmp_path / "looped"
    folder.mkdir()
    for part in ("train", "test"):
        (folder / part).symlink_to(stripes / part)
    (tmp_path / "class").mkdir()
    grey(tmp_path / "class" / "a.png")
    (tmp_path / "class" / "round").symlink_to(tmp_path / "class")
    done = run("classify", tmp_path / "class", "--backbone", "squeezenet", "--json", "--run", tmp_path / "run")
    assert len(json.loads(done.stdout)["images"]) == 1


def test_a_name_that_is_not_text_is_shown_with_escapes(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9\n.png"
    grey(tmp_path / "plain.png").rename(os.fsdecode(path))
    done = run("classify", tmp_path, "--backbone", "squeezenet", "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    (entry,) = json.loads(done.stdout)["images"]
    assert entry["file"].endswith(r"caf\udce9\n.png")
    assert r"caf\udce9\n.png" in (tmp_path / "run" / "tables" / "predictions.csv").read_text()


def test_a_run_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run("classify", grey(tmp_path / "a.png"), "--backbone", "squeezenet", "--run", tmp_path / "file" / "run")
    assert "file/run" in the_error(done)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000])
@pytest.mark.parametrize(
    "arguments",
    [
        *("classify", "transfer", "audit", "compare", "report", "replay", "predict NAME a.png"),
        *("classify a.png --run", "transfer . --run", "explain a.png --backbone"),
    ],
)
def test_a_name_longer_than_names_can_be_is_one_sentence(arguments, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grey(tmp_path / "a.png")
    words = arguments.split() if "NAME" in arguments else [*arguments.split(), "NAME"]
    sentence = the_error(run(*(name if word == "NAME" else word for word in words)))
    assert "must be a path" in sentence
    assert len(sentence) < 300


@pytest.mark.parametrize(("trouble", "word"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "disk is read-only")])
def test_a_disk_that_takes_no_more(trouble, word, tmp_path, stripes, monkeypatch):
    assert transfer(stripes, tmp_path, "--no-use-cache").exit_code == 0
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write, left = files.write_all, iter(range(12))

    def full(descriptor, data):
        if next(left, None) is None:
            raise OSError(trouble, os.strerror(trouble))
        write(descriptor, data)

    monkeypatch.setattr(files, "write_all", full)
    sentence = the_error(transfer(stripes, tmp_path, "--no-use-cache"))
    assert word in sentence
    assert all(path.read_bytes() == content for path, content in whole.items())


def test_a_cache_that_takes_no_more_costs_only_the_cache(tmp_path, stripes, monkeypatch):
    write = files.write_all

    def full(descriptor, data):
        if "/cache/" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(descriptor, data)

    monkeypatch.setattr(files, "write_all", full)
    done = transfer(stripes, tmp_path)
    assert done.exit_code == 0, done.output
    assert "The run continues without the cache" in " ".join(done.output.split())


def test_weights_of_another_network_and_weights_cut_short(tmp_path):
    image = grey(tmp_path / "a.png")
    state = BACKBONES["efficientnet-lite0"]().network.state_dict()
    torch.save(state, tmp_path / "other.pth")
    (tmp_path / "short.pth").write_bytes((tmp_path / "other.pth").read_bytes()[:100_000])
    for name, word in (("other.pth", "does not fit 'alexnet'"), ("short.pth", "damaged"), ("none.pth", "Cannot read")):
        where = ("--backbone", "alexnet", "--weights", tmp_path / name, "--run", tmp_path / name[:-4])
        assert word in the_error(run("classify", image, *where))


def test_one_bit_of_the_cache_costs_one_computation(tmp_path, stripes):
    first = json.loads(transfer(stripes, tmp_path, "--json").stdout)
    shard = max(
        (path for path in (tmp_path / "cache").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    damaged = bytearray(shard.read_bytes())
    damaged[-100] ^= 4
    shard.write_bytes(damaged)
    second = json.loads(transfer(stripes, tmp_path, "--json").stdout)
    assert second["computed"] == 36
    assert second["test"] == first["test"]


def test_interrupted_it_says_so_and_goes_on_from_there(tmp_path, stripes, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", 8)
    monkeypatch.setattr(features, "BATCH", 8)
    rows, calls = features.Extractor.rows, iter(range(3))

    def interrupted(self, pixels):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return rows(self, pixels)

    monkeypatch.setattr(features.Extractor, "rows", interrupted)
    assert "features already computed are in the cache" in the_error(transfer(stripes, tmp_path), 130)
    monkeypatch.setattr(features.Extractor, "rows", rows)
    assert json.loads(transfer(stripes, tmp_path, "--json").stdout)["computed"] == 36 - 3 * 8


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_interrupted_at_any_time_there_is_no_traceback(seconds, tmp_path, stripes):
    command = [sys.executable, "-m", "vitrail", "transfer", str(stripes), "--backbone", "squeezenet"]
    where = ["--cache", str(tmp_path / "c"), "--runs", str(tmp_path / "runs")]
    process = subprocess.Popen(
        [*command, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_listen_to_interrupts
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT), said
    assert "Traceback" not in said


def _listen_to_interrupts():
    """A shell has its background jobs ignore Ctrl-C, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_outside_of_any_command_there_is_no_traceback():
    code = (
        "import vitrail.cli, vitrail.cli.app\n"
        "def interrupted(**_): raise KeyboardInterrupt\n"
        "vitrail.cli.app.app = interrupted\n"
        "vitrail.cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Error: Stopped.\n")
