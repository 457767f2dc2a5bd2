"""What is printed goes to a terminal of another alphabet, onto a full disk, or to a reader that leaves.

Only here commands are processes of their own, as what surrounds them is the point: three at once, of one folder.
"""

import json
import os
import subprocess
import sys

import pytest
from drawings import noise
from small_runs import QUICK

CLASSES = ("猫", "Ärger → 5 €")
PLACES = ("cp1252", "full", "head")


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """The folder in which three classifiers of noise were trained; of each process, exit code and what it printed."""
    home = tmp_path_factory.mktemp("printing")
    for number, name in enumerate(CLASSES):
        (home / "data" / name).mkdir(parents=True)
        for image in range(16):  # nothing can be learned of them, so that there are mistakes to print
            noise(100 * number + image).save(home / "data" / name / f"{image:03}.png")
        for image in range(3):  # and something to print before anything is stored
            (home / "data" / name / f"cut{image}.png").write_bytes(b"")
    started = {name: start(home, name) for name in PLACES}
    started["head"].stdout.readline()
    started["head"].stdout.close()
    said = {name: process.communicate(timeout=300) for name, process in started.items() if name != "head"}
    said["head"] = ("", started["head"].stderr.read())
    started["head"].stderr.close()
    codes = {name: process.wait() for name, process in started.items()}
    return home, {name: (codes[name], *texts) for name, texts in said.items()}


def start(home, name):
    encoding = name if name == "cp1252" else "utf-8"
    words = [*map(str, QUICK), "--no-use-cache", "--inference-engine", "eager", "--run", name]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": encoding}
    with open("/dev/full", "w") as full:
        return subprocess.Popen(
            [sys.executable, "-m", "vitrail", "transfer", "data", *words],
            cwd=home, env=surroundings, stdout=full if name == "full" else subprocess.PIPE, stderr=subprocess.PIPE,
            encoding=encoding,
        )  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_the_run_and_its_weights_are_kept_whatever_becomes_of_the_text(name, processes):
    """20: The output has another alphabet, is a file on a full disk, or is read by `head`."""
    home, _ = processes
    assert json.loads((home / name / "result.json").read_text())["data"]["images"] == 32
    assert json.loads((home / name / "weights" / "head.json").read_text())["classes"] == sorted(CLASSES)
    for file in ("weights/head.safetensors", "tables/files.csv", "tables/confusion.csv"):
        assert (home / name / file).read_bytes() == (home / "head" / file).read_bytes()


def test_letters_that_an_alphabet_lacks_have_a_stand_in(processes):
    """20: The names of the classes cannot be written in the alphabet of the output, that of an older Windows."""
    _, ended = processes
    code, out, errors = ended["cp1252"]
    assert (code, "Traceback" in errors) == (0, False), errors
    assert "32 images of 2 classes" in " ".join(out.split())
    assert out.startswith("Skipped: ")
    assert "\\u732b" in out
    assert "Ärger" in out
    assert "5 €" in out
    assert "vitrail predict" in out  # up to the last line


def test_a_full_disk_is_said_once_at_the_end(processes):
    """20: The text goes to a file on a disk that is full."""
    _, ended = processes
    code, _, errors = ended["full"]
    assert code == 1
    assert errors.splitlines()[-1] == "Error: No space left on device: the output."
    assert "Traceback" not in errors


def test_a_reader_that_leaves_is_no_failure(processes):
    """20: The text goes to `head`, which leaves after its first line."""
    _, ended = processes
    code, _, errors = ended["head"]
    assert code == 0
    assert "Error" not in errors
    assert "Traceback" not in errors
