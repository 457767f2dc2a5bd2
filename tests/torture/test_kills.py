"""kill -9 at any moment of a long task, then on with it: nothing that was finished is lost, the end is the same."""

import errno
import json
import os
import random
import signal
import time
from collections import Counter

import pytest
import wholeness
from safetensors.numpy import load_file
from tiny_chapter import GAN
from trials import options

from processes import studio_workers
from vitrail.runs import read_run
from vitrail.studio.jobs import Jobs, Step
from vitrail.studio.run_monitor import RunMonitor

pytestmark = pytest.mark.slow

IN_A_ROW = 3  # kills of every tenth trial
IMAGES = 36  # of stripes
SHARDS = 4


class Long:
    """A long task, as a user starts it and goes on with it.

    Args:
        home: where its run folders and its cache are.
    """

    def __init__(self, home, stripes):
        home.mkdir()
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
        told = {"backbone": "tiny", "inference_engine": "eager", "cache": self.home / "cache"}
        folder = self.new_folder()
        return ("transfer", self.stripes, *options(told), "--run", folder), folder

    def finished(self):
        return sum(len(load_file(path)["digests"]) for path in self.home.glob("cache/*/shard-*.safetensors"))

    def check(self, folder, finished):
        assert json.loads((folder / "result.json").read_text())["computed"] == IMAGES - finished


class Audit(Long):
    def command(self):
        told = {"backbone": "tiny", "max-images": 2 * SHARDS, "shards": SHARDS, "run": self.home / "run"}
        return ("audit", self.stripes / "test", *options(told)), told["run"]

    def finished(self):
        return len(list(self.home.glob("run/shards/[0-9]*-of-*")))

    def check(self, folder, finished):
        # A worker that outlives its parent for a moment may finish the shard that it is at.
        assert json.loads((folder / "result.json").read_text())["shards"]["computed"] <= SHARDS - finished


class GanTrain(Long):
    def command(self):
        begun = sorted(self.home.glob("run-*/checkpoints/step-*.safetensors"))
        if begun:
            return ("gan", "train", "--resume", begun[-1].parents[1]), begun[-1].parents[1]
        folder = self.new_folder()
        return ("gan", "train", self.stripes, *options(GAN), "--cache", self.home / "cache", "--run", folder), folder

    def finished(self):
        return max((int(path.stem[-8:]) for path in self.home.glob("run-*/checkpoints/step-*")), default=0)

    def check(self, folder, finished):
        events = (folder / "events.jsonl").read_text()
        assert not finished or f"Resumed after step {finished}." in events


class Reproduce(Long):
    def command(self):
        data, folder = self.home.parent / "data", self.home / "run"
        data.mkdir(exist_ok=True)
        if not (data / "scene15").exists():
            (data / "scene15").symlink_to(self.stripes)
        return ("reproduce", "transfer", "--data", data, "--run", folder), folder

    def finished(self):
        return len(list(self.home.glob("run/steps/*/result.json")))

    def check(self, folder, finished):
        notes = (folder / "events.jsonl").read_text()
        assert notes.count(": finished before.") >= finished


class Explain(Long):
    """Begins anew each time, in a folder of its own."""

    def command(self):
        folder = self.new_folder()
        return ("explain", self.stripes / "test", "--backbone", "tiny", "--no-faithfulness", "--run", folder), folder


class Predict(Long):
    """In shards, which are gone on with."""

    def __init__(self, home, stripes):
        super().__init__(home, stripes)
        self.classifier = home.parent / "classifier"

    def command(self):
        options = ("--shards", SHARDS, "--cache", self.home / "cache", "--run", self.home / "run")
        return ("predict", self.classifier, self.stripes / "train", *options), self.home / "run"

    def finished(self):
        return len(list(self.home.glob("run/shards/[0-9]*-of-*")))

    def check(self, folder, finished):
        assert json.loads((folder / "result.json").read_text())["shards"]["computed"] <= SHARDS - finished


LONG = {"transfer": Transfer, "audit": Audit, "gan-train": GanTrain, "reproduce": Reproduce}
LONG |= {"explain": Explain, "predict": Predict}
WHOLE, SHORT = 100, {"transfer": 2, "audit": 2, "gan-train": 2, "reproduce": 1, "explain": 12, "predict": 12}


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
    if name == "predict":
        options = ("--backbone", "tiny", "--inference-engine", "eager", "--no-use-cache")
        server.run("transfer", stripes, *options, "--run", tmp_path / "classifier").assert_well()
    lone = LONG[name](tmp_path / "lone", stripes)
    arguments, undisturbed = lone.command()
    alone = server.run(*arguments).assert_well()
    draws, counted, trials = random.Random(f"{campaign.seed} {name}"), Counter(), 0
    while counted["kills"] < campaign.count(SHORT[name], WHOLE):
        trials += 1
        task = LONG[name](tmp_path / f"{trials}", stripes)
        ways = [way_to_die(draws, alone) for _ in range(IN_A_ROW if trials % 10 == 0 else 1)]
        folder = killed_and_gone_on_with(server, task, ways, counted)
        wholeness.assert_same(undisturbed, folder)
        for part in sorted((undisturbed / "parts").glob("*")):
            wholeness.assert_same(part, folder / "parts" / part.name)
    campaign.figures.update({"trials": trials, **counted, "ended as the undisturbed run": trials})


def test_killed_while_the_disk_is_full(server, stripes, tmp_path, campaign):
    """The disk fills up at a random write, and the process is killed at a random moment: what is there is whole."""
    lone = Transfer(tmp_path / "lone", stripes)
    arguments, undisturbed = lone.command()
    alone = server.run(*arguments).assert_well()
    draws, counted = random.Random(f"{campaign.seed} full"), Counter()
    for trial in range(campaign.count(12, WHOLE)):
        task = Transfer(tmp_path / f"{trial}", stripes)
        full = {"kind": "write-error", "errno": errno.ENOSPC, "at": draws.randint(1, alone.writes), "lasts": True}
        arguments, _ = task.command()
        outcome = server.run(*arguments, fault=full, kill_after=draws.uniform(0, 1.2 * alone.seconds))
        counted["killed" if outcome.killed else "one sentence" if outcome.code else "went on"] += 1
        if outcome.code > 0:
            outcome.assert_one_sentence()
        wholeness.check(task.home)
        arguments, folder = task.command()  # there is room again
        server.run(*arguments).assert_well()
        wholeness.assert_same(undisturbed, folder)
    campaign.figures.update(**counted)


def until(wanted, seconds=120):
    start = time.monotonic()
    while not wanted():
        assert time.monotonic() - start < seconds, "nothing happened"
        time.sleep(0.01)


@pytest.fixture
def jobs(tiny, monkeypatch):
    """The page's queue, whose working process knows the tiny network."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tiny), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = Jobs()
    yield made
    made.close()


def steps_of(kind, stripes, home, folder):
    settings = {
        "gan-train": {"data": str(stripes), "cache": str(home / "cache"), **GAN},
        "transfer": {
            "folder": str(stripes),
            "backbone": "tiny",
            "inference_engine": "eager",
            "cache": str(home / "cache"),
        },
    }
    return [Step.of(kind, settings[kind], folder)]


def killed_while(jobs, job, seconds):
    """Kills whoever works so long after the job began; whether it came in time."""
    until(lambda: job.state != "waiting" and (studio_workers() or job.finished))
    time.sleep(seconds)
    workers = studio_workers()
    if job.finished or not workers:
        return False
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: job.finished)
    return job.state == "failed"


def test_a_job_of_the_page_is_killed(jobs, stripes, tmp_path, campaign):
    draws, counted, undisturbed, seconds = random.Random(campaign.seed), Counter(), {}, {}
    for kind in ("gan-train", "transfer"):
        for name in ("warm", "lone"):  # the first one imports torch, and fills the cache
            undisturbed[kind], began = tmp_path / f"{kind}-{name}", time.monotonic()
            job = jobs.submit(steps_of(kind, stripes, tmp_path, undisturbed[kind]))
            until(lambda job=job: job.finished)
            seconds[kind] = time.monotonic() - began
            assert job.state == "done", job.message
    while counted["kills"] < campaign.count(1, 100):
        counted["trials"] += 1
        kind, home = draws.choice(list(undisturbed)), tmp_path / f"{counted['trials']}"
        folders = [home / f"{number}" for number in range(1 + (IN_A_ROW if counted["trials"] % 10 == 0 else 1))]
        *doomed, last = [jobs.submit(steps_of(kind, stripes, tmp_path, folder)) for folder in folders]
        for job, folder in zip(doomed, folders, strict=False):
            if killed_while(jobs, job, draws.uniform(0, seconds[kind])):
                counted["kills"] += 1
                assert "(code -9)" in job.message
            else:
                assert job.state == "done", job.message
            counted["files checked"] += wholeness.check(home)
            RunMonitor(folder).refresh()
            if (folder / "settings.json").is_file():
                assert read_run(folder).task == kind
        until(lambda last=last: last.finished)
        assert last.state == "done", last.sentence
        wholeness.assert_same(undisturbed[kind], folders[-1])
    campaign.figures.update(**counted)
