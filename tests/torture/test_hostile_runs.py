"""Run folders as somebody else could have made them: every file replaced by every kind of trap, for every command.

No command waits, dies or writes elsewhere: it works without the file, or says one sentence.
"""

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from safetensors.numpy import save
from small_tasks import Small

pytestmark = pytest.mark.slow

HIDDEN = "hidden-words"  # what is in the files outside
SECONDS = 60.0  # of a command that would take a second or two; those that wait take for ever
SHORT = 24
TOGETHER = 2


def link(place: Path, outside: Path) -> None:
    place.symlink_to(outside / ("folder" if place.suffix == "" else "secret.json"))


def hard_link(place: Path, outside: Path) -> None:
    os.link(outside / "secret.json", place)


def loop(place: Path, outside: Path) -> None:
    place.symlink_to(place.name)


def device(place: Path, outside: Path) -> None:
    place.symlink_to("/dev/zero")


def process_memory(place: Path, outside: Path) -> None:
    place.symlink_to("/proc/self/mem")


def pipe(place: Path, outside: Path) -> None:
    os.mkfifo(place)


def folder(place: Path, outside: Path) -> None:
    place.mkdir()
    (place / "somebodys.txt").write_text(HIDDEN)


def nothing(place: Path, outside: Path) -> None:
    """The file is not there."""


def empty(place: Path, outside: Path) -> None:
    place.touch()


def huge(place: Path, outside: Path) -> None:
    """500 GB that take no room on the disk."""
    with place.open("wb") as file:
        file.truncate(500 * 10**9)


def large(place: Path, outside: Path) -> None:
    """As large as a file of that kind is read, and of many small values."""
    if place.suffix in (".json", ".jsonl"):
        place.write_bytes(b'{"a":[' + b"{}," * 20_000_000 + b"{}]}")
    else:
        place.write_bytes(b"a,b\n" * 5_000_000)


def deep(place: Path, outside: Path) -> None:
    place.write_text('{"a":' * 100_000 + "1" + "}" * 100_000)


def numbers(place: Path, outside: Path) -> None:
    place.write_text('{"task": "transfer", "settings": {"a": 1' + "0" * 10_000 + "}, " + '"test": {"accuracy": 1e999}}')


def noise(place: Path, outside: Path) -> None:
    place.write_bytes(random.Random(0).randbytes(5000))


def absurd_header(place: Path, outside: Path) -> None:
    """A safetensors file whose header says that it has 2⁶³ bytes."""
    place.write_bytes((2**63 - 1).to_bytes(8, "little") + b"{")


def other_tensors(place: Path, outside: Path) -> None:
    import numpy as np

    place.write_bytes(save({"x": np.zeros(3, np.float32)}, metadata={"about": "{}", "layout": "2"}))


TRAPS = (
    *(link, hard_link, loop, device, process_memory, pipe, folder, nothing, empty, huge, large, deep, numbers, noise),
    *(absurd_header, other_tensors),
)


def commands(classifier: Path, gan: Path, small: Small, new: Path) -> dict[str, tuple[Path, list[object]]]:
    """Everything that reads a run folder: the run, and the command line."""
    images, judges = small.test / "across", small.home / "judges"
    return {
        "report": (classifier, ["report", classifier, "--output", new / "report.html"]),
        "compare": (classifier, ["compare", classifier, small.classifier, "--run", new / "run"]),
        "predict": (classifier, ["predict", classifier, images, "--no-use-cache", "--run", new / "run"]),
        "explain": (classifier, ["explain", images, "--backbone", classifier, "--run", new / "run"]),
        "replay": (classifier, ["replay", classifier, "--runs", new / "runs"]),
        "gan report": (gan, ["report", gan, "--output", new / "report.html"]),
        "gan sample": (gan, ["gan", "sample", gan, "--count", 2, "--run", new / "run"]),
        "gan edit": (gan, ["gan", "edit", gan, small.faces[0] / "00.png", "--set", "bright=1", "--run", new / "run"]),
        "gan export": (gan, ["gan", "export", gan, "--run", new / "run"]),
        "gan resume": (gan, ["gan", "train", "--resume", gan, "--epochs", 2, "--cache", judges]),
    }


FILES = {
    "classifier": (
        *("settings.json", "environment.json", "result.json", "events.jsonl", "weights/head.json"),
        *("weights/head.safetensors", "tables/mistakes.csv", "plots/confusion.png", "weights", "plots", "tables"),
    ),
    "gan": (
        *("settings.json", "environment.json", "result.json", "events.jsonl", "weights/generator.json", "README.md"),
        *("weights/generator.safetensors", "weights/encoder.json", "weights/encoder.safetensors", "CHECKPOINT"),
        *("checkpoints", "images", "live", "weights", "checkpoints/step-99999999.safetensors"),
    ),
}


def state(place: Path) -> dict[str, str]:
    """All that lies below, as it is."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def replace(run: Path, name: str, trap, outside: Path) -> Path:
    """Puts a trap into a run folder, in the place of a file or folder."""
    place = max((run / "checkpoints").glob("step-*")) if name == "CHECKPOINT" else run / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    trap(place, outside)
    return place


@dataclass
class Case:
    """One command with one trap, in a new folder."""

    command: str
    name: str
    trap: Callable[[Path, Path], None]
    new: Path

    @property
    def about(self):
        return f"{self.command}: {self.name} is {self.trap.__name__}"

    def prepared(self, homes, small, outside):
        """Copies the run folders and sets the trap; the command line."""
        runs = {kind: shutil.copytree(home, self.new / kind) for kind, home in homes.items()}
        run, words = commands(runs["classifier"], runs["gan"], small, self.new)[self.command]
        if self.command == "gan resume":
            (run / "result.json").unlink()
        self.place = replace(run, self.name, self.trap, outside)
        return words

    def checked(self, done):
        """What became of the command."""
        assert not done.killed, f"{self.about}: it did not end"
        assert done.code in (0, 1, 2), f"{self.about}: {done.said}"
        if done.code:
            done.assert_one_sentence()
        page = self.new / "report.html"
        told = done.said + (page.read_text() if page.exists() else "")
        assert HIDDEN not in told or self.trap in (hard_link, folder), f"{self.about}: {done.said}"
        if self.trap is folder:
            assert (self.place / "somebodys.txt").read_text() == HIDDEN, f"{self.about}: somebody's file is gone"
        return "one sentence" if done.code else "went on"


@pytest.fixture
def outside(tmp_path):
    """Somebody's files, to which links lead."""
    (tmp_path / "outside" / "folder").mkdir(parents=True)
    names = ("step-00000001.safetensors", "mine.txt", "head.json", "generator.json", "samples_0001.png", ".x.1.00.part")
    for name in names:
        (tmp_path / "outside" / "folder" / name).write_text(f'{{"classes": ["{HIDDEN}"]}}')
    hidden = {"classes": [HIDDEN], "names": [HIDDEN], "task": HIDDEN, "settings": {"a": HIDDEN}, "a": HIDDEN}
    (tmp_path / "outside" / "secret.json").write_text(json.dumps(hidden) + " no line end")
    for path in (tmp_path / "outside").rglob("*.part"):
        os.utime(path, (0, 0))
    return tmp_path / "outside"


def test_no_run_folder_makes_a_command_wait_die_or_write_elsewhere(campaign, server, stripes, outside, tmp_path):
    small = Small(server, stripes, tmp_path)
    small.faces  # noqa: B018  (made now)
    homes = {"classifier": small.classifier, "gan": small.faces[1]}
    cases = [
        (command, name, trap)
        for command in commands(homes["classifier"], homes["gan"], small, tmp_path)
        for name, trap in product(FILES["gan" if "gan" in command else "classifier"], TRAPS)
    ]
    if not campaign.whole:
        cases = random.Random(campaign.seed).sample(cases, SHORT)
    before, counts = state(outside), Counter()
    for first in range(0, len(cases), TOGETHER):
        trials = [Case(*case, tmp_path / f"case-{first + n}") for n, case in enumerate(cases[first : first + TOGETHER])]
        words = [trial.prepared(homes, small, outside) for trial in trials]
        ended = server.together([{"arguments": each, "kill_after": SECONDS} for each in words])
        for trial, done in zip(trials, ended, strict=True):
            counts[trial.checked(done)] += 1
            shutil.rmtree(trial.new)
        assert state(outside) == before, f"{[trial.about for trial in trials]}: a file outside was changed"
    campaign.figures.update({"commands": 10, "traps": len(TRAPS), "cases": len(cases), **counts})


def resumed(server, run):
    return server.run("gan", "train", "--resume", run, "--epochs", 9, "--cache", run.parent / "judges", kill_after=120)


@pytest.fixture
def stopped(server, stripes, tmp_path):
    """The run folder of a GAN that can be resumed."""
    small = Small(server, stripes, tmp_path)
    shutil.copytree(small.gan, tmp_path / "run")
    return tmp_path / "run"


def test_somebodys_files_among_the_checkpoints_stay(server, stopped):
    """Only what is a checkpoint, by its name and by what is in it, is ever removed."""
    home = stopped / "checkpoints"
    mine = {
        "mine.safetensors": b"mine",
        "step-00000000.safetensors": b"called like one, and none",
        "step-1.safetensors": max(home.glob("step-*")).read_bytes(),  # one, and called otherwise
        "notes.txt": b"mine",
        "step-00000001.safetensors.bak": b"mine",
    }
    for name, content in mine.items():
        (home / name).write_bytes(content)
    (home / "step-00000000").mkdir()
    (home / "mine").mkdir()
    (home / "mine" / "step-00000002.safetensors").write_bytes(b"mine")
    assert resumed(server, stopped).code == 0
    assert {name: (home / name).read_bytes() for name in mine} == mine
    assert (home / "mine" / "step-00000002.safetensors").read_bytes() == b"mine"
    ours = [path.name for path in home.glob("step-????????.safetensors")]
    assert 2 <= len(ours) <= 4  # the latest two, the best, and the one that is called like one


@pytest.mark.parametrize("name", ["", "checkpoints", "images", "plots", "live", "tables", "weights"])
def test_a_folder_of_a_run_that_is_a_link_is_not_written_to(server, stopped, outside, name):
    before = state(outside)
    if name:
        shutil.rmtree(stopped / name, ignore_errors=True)
        (stopped / name).symlink_to(outside / "folder")
    else:  # the run folder itself may be one: it is what the user named
        stopped.rename(stopped.with_name("moved"))
        stopped.symlink_to("moved")
    done = resumed(server, stopped)
    assert state(outside) == before
    if name in ("", "live"):  # nothing is written there
        done.assert_well()
    else:
        assert "is a link" in done.assert_one_sentence()


@pytest.mark.parametrize("name", ["events.jsonl", "settings.json", "environment.json", "result.json"])
def test_a_file_that_has_a_name_elsewhere_is_not_written_through(server, stopped, outside, name):
    secret = outside / "secret.json"
    content = (stopped / name).read_bytes() + b"half a line"
    secret.write_bytes(content)
    (stopped / name).unlink()
    os.link(secret, stopped / name)
    resumed(server, stopped)
    assert secret.read_bytes() == content


def test_a_run_that_repeats_itself_is_refused(server, stopped, tmp_path):
    (stopped / "settings.json").write_text(json.dumps({"task": "replay", "settings": {"run_folder": str(stopped)}}))
    said = server.run("replay", stopped, "--runs", tmp_path / "runs", kill_after=60).assert_one_sentence()
    assert "is not repeated" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("task", ["report", "demo", "models", "list"])
def test_a_task_that_writes_where_it_is_told_is_not_repeated(server, stopped, tmp_path, task):
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    settings = {"run_folders": [str(stopped)], "output": str(mine), "runs": str(tmp_path / "elsewhere")}
    (stopped / "settings.json").write_text(json.dumps({"task": task, "settings": settings}))
    assert "is not repeated" in server.run("replay", stopped, kill_after=60).assert_one_sentence()
    assert mine.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["transfer", "gan-train"])
def test_a_replay_writes_to_its_run_folder_and_the_users_cache_only(server, stripes, tmp_path, name):
    small = Small(server, stripes, tmp_path / "home")
    (tmp_path / "home").mkdir()
    run = small.classifier if name == "transfer" else small.gan
    elsewhere = tmp_path / "elsewhere"
    content = json.loads((run / "settings.json").read_text())
    places = {"cache": "cache", "tensorboard": "curves", "resume": "run", "output": "page.html", "runs": "runs"}
    named = {key: str(elsewhere / value) for key, value in places.items() if key in content["settings"]}
    content["settings"] |= named
    if "download" in content["settings"]:  # a connection that nobody asked for
        content["settings"] |= {"download": True, "data": str(stripes)}
    assert named
    (run / "settings.json").write_text(json.dumps(content))
    before = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    server.run("replay", run, "--runs", tmp_path / "home" / "runs", kill_after=120).assert_well()
    (again,) = (tmp_path / "home" / "runs").glob("*/settings.json")
    assert not json.loads(again.read_text())["settings"].get("download")
    assert {path for path in tmp_path.rglob("*") if "home" not in path.parts} == before


def test_a_run_that_is_resumed_writes_to_its_folder_and_the_users_cache_only(server, stopped, tmp_path):
    content = json.loads((stopped / "settings.json").read_text())
    elsewhere = {"cache": str(tmp_path / "elsewhere" / "cache"), "tensorboard": str(tmp_path / "elsewhere" / "curves")}
    content["settings"] |= {**elsewhere, "download": True}
    (stopped / "settings.json").write_text(json.dumps(content))
    resumed(server, stopped).assert_well()
    assert not (tmp_path / "elsewhere").exists()
    assert not json.loads((stopped / "settings.json").read_text())["settings"]["download"]


@pytest.mark.parametrize(
    "changed", [{"epochs": [1]}, {"epochs": None}, {"epochs": "abc"}, {"data": None}, {"data": [1]}]
)
def test_a_run_that_does_not_say_what_it_was_is_not_resumed(server, stopped, changed):
    content = json.loads((stopped / "settings.json").read_text())
    (stopped / "settings.json").write_text(json.dumps(content | {"settings": content["settings"] | changed}))
    assert "does not say what it was trained on" in resumed(server, stopped).assert_one_sentence()
    for name in changed:
        del content["settings"][name]
    (stopped / "settings.json").write_text(json.dumps(content))
    assert "does not say what it was trained on" in resumed(server, stopped).assert_one_sentence()


def test_a_checkpoint_that_lacks_anything_is_refused_in_a_sentence(server, stopped):
    from vitrail.gan_training.checkpoints import pack, unpack

    last = max((stopped / "checkpoints").glob("step-*"))
    (stopped / "result.json").unlink()
    mapped, about = unpack(last)
    tensors = {name: value.clone() for name, value in mapped.items()}  # the file is written over
    for key in about:
        last.write_bytes(pack(tensors, {name: value for name, value in about.items() if name != key}))
        assert "Error" not in resumed(server, stopped).assert_one_sentence(), key
        last.write_bytes(pack(tensors, {**about, key: "other"}))
        resumed(server, stopped).assert_one_sentence()
    for name in ("values", "steps", "draws", "random", "ema.layers.0.weight"):
        if name in tensors:
            last.write_bytes(pack({key: value for key, value in tensors.items() if key != name}, about))
            resumed(server, stopped).assert_one_sentence()
