"""kill -9 at any moment of a long task, then on with it: nothing that was finished is lost, the end is the same."""

import json
import random
from collections import Counter

import pytest
import wholeness
from safetensors.numpy import load_file
from tiny_chapter import GAN

IN_A_ROW = 3  # kills of every tenth trial
PICTURES = 36  # of stripes


class Long:
    """A long task, as a user starts it and goes on with it.

    Args:
        home: where its run folders and its cache are.
    """

    def __init__(self, home, stripes):
        self.home, self.stripes, self.starts = home, stripes, 0

    def command(self):
        """What is typed next, and the run folder that it fills."""
        raise NotImplementedError

    def new_folder(self):
        self.starts += 1
        return self.home / f"run-{self.starts}"

    def finished(self):
        """How much there is that must not be lost."""
        return 0

    def check(self, folder, finished):
        """More that holds of a run that began when so much was `finished`."""


class Transfer(Long):
    def command(self):
        folder, options = self.new_folder(), ("--backbone", "tiny", "--engine", "eager", "--cache", self.home / "cache")
        return ("transfer", self.stripes, *options, "--run", folder), folder

    def finished(self):
        return sum(len(load_file(path)["digests"]) for path in self.home.glob("cache/*/shard-*.safetensors"))

    def check(self, folder, finished):
        assert json.loads((folder / "result.json").read_text())["computed"] == PICTURES - finished


class Audit(Long):
    def command(self):
        folder = self.new_folder()
        return ("audit", self.stripes / "test", "--backbone", "tiny", "--limit", 6, "--run", folder), folder


class GanTrain(Long):
    def command(self):
        begun = sorted(self.home.glob("run-*/checkpoints/step-*.safetensors"))
        if begun:
            return ("gan", "train", "--resume", begun[-1].parents[1]), begun[-1].parents[1]
        options = [str(part) for name, value in GAN.items() for part in (f"--{name.replace('_', '-')}", value)]
        folder = self.new_folder()
        return ("gan", "train", self.stripes, *options, "--cache", self.home / "cache", "--run", folder), folder

    def finished(self):
        return max((int(path.stem[-8:]) for path in self.home.glob("run-*/checkpoints/step-*")), default=0)

    def check(self, folder, finished):
        events = (folder / "events.jsonl").read_text()
        assert not finished or f"Goes on after step {finished}." in events


class Reproduce(Long):
    def command(self):
        data, folder = self.home / "data", self.home / "run"
        data.mkdir(parents=True, exist_ok=True)
        if not (data / "scene15").exists():
            (data / "scene15").symlink_to(self.stripes)
        return ("reproduce", "tp7", "--data", data, "--run", folder), folder

    def finished(self):
        return len(list(self.home.glob("run/parts/*/result.json")))

    def check(self, folder, finished):
        notes = (folder / "events.jsonl").read_text()
        assert notes.count(": finished before.") >= finished


LONG = {"transfer": Transfer, "audit": Audit, "gan-train": GanTrain, "reproduce": Reproduce}
WHOLE, SHORT = 100, {"transfer": 2, "audit": 2, "gan-train": 2, "reproduce": 1}


def way_to_die(draws, lone):
    """At a random moment of a run as long as the undisturbed one, or in the middle of one of its writes."""
    if draws.random() < 0.5:
        return {"kill_after": draws.uniform(0, lone.seconds)}
    return {"fault": {"kind": "kill", "at": draws.randint(1, lone.writes)}}


def killed_and_gone_on_with(server, task, ways, counted):
    """Starts the task once for each of the `ways` to die, and then lets it end; the folder that it ended in."""
    before = 0
    for way in [*ways, {}]:
        arguments, folder = task.command()
        kept = task.finished()
        assert kept >= before, f"of {before} finished, {kept} are left"
        before = kept
        outcome = server.run(*arguments, **way)
        counted["files checked"] += wholeness.check(task.home)
        if not outcome.killed:
            outcome.assert_well()
            task.check(folder, kept)
            return folder
        counted["kills"] += 1
        counted["in a write" if "fault" in way else "at a moment"] += 1
        if (folder / "result.json").is_file():
            counted["after the end"] += 1
            return folder
    raise AssertionError("unreachable")


@pytest.mark.parametrize("name", LONG)
def test_killed_and_gone_on_with(name, server, stripes, tmp_path, campaign):
    lone = LONG[name](tmp_path / "lone", stripes)
    arguments, undisturbed = lone.command()
    alone = server.run(*arguments).assert_well()
    draws, counted, trials = random.Random(f"{campaign.seed} {name}"), Counter(), 0
    while counted["kills"] < campaign.count(SHORT[name], WHOLE):
        trials += 1
        task = LONG[name](tmp_path / f"{trials}", stripes)
        task.home.mkdir()
        ways = [way_to_die(draws, alone) for _ in range(IN_A_ROW if trials % 10 == 0 else 1)]
        folder = killed_and_gone_on_with(server, task, ways, counted)
        wholeness.assert_same(undisturbed, folder)
        for part in sorted((undisturbed / "parts").glob("*")):
            wholeness.assert_same(part, folder / "parts" / part.name)
    campaign.figures.update({"trials": trials, **counted, "ended as the undisturbed run": trials})
