"""Task after task in one process, as the studio's worker does them: its memory stays flat."""

import json
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from command import run

pytestmark = pytest.mark.slow

HOUR = 3600.0  # seconds
WARM = 0.1  # share of the rounds before memory is looked at
FLAT = 0.05  # of the memory after warming up, from the first round that counts to the last
QUICK, ROUNDS = ("explain", "visualise", "predict"), 7  # of the short version
GROWTH = 16.0  # MiB a round at most in the short version: one copy of the network that each task keeps is as much


class Worker:
    """The studio's working process, spoken to as the studio does.

    Args:
        home: where run folders are made.
    """

    def __init__(self, home):
        self.home, self.orders = home, 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vitrail.studio.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def does(self, task, **settings):
        """One task, which must end well."""
        self.orders += 1
        order = {"task": task, "settings": settings, "folder": str(self.home / f"{self.orders}")}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answers = [json.loads(self.process.stdout.readline()) for _ in range(2)]
        assert [answer["state"] for answer in answers] == ["started", "done"], answers
        return self.home / f"{self.orders}"

    def memory(self):
        """Resident, in MiB."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture
def worker(tmp_path):
    made = Worker(tmp_path / "runs")
    yield made
    made.close()


@pytest.fixture
def classifier(stripes, tmp_path):
    """Run folder of a classifier, and the cache of its features."""
    options = ("--backbone", "squeezenet", "--layer", "fire9", "--run", tmp_path / "run", "--cache", tmp_path / "cache")
    done = run("transfer", stripes, *options)
    assert done.exit_code == 0, done.output
    return tmp_path / "run"


def mix(stripes, classifier, number):
    """Settings of six tasks, none of them quite like those of the round before."""
    cache, network = str(classifier.parent / "cache"), {"backbone": str(classifier), "seed": number}
    image = str(stripes / "test" / "across" / f"{number % 4}.png")
    gan = {
        "data": str(stripes),
        "size": 16,
        "epochs": 1,
        "batch": 12,
        "width": 4,
        "eval_samples": 12,
        "final_eval_samples": 12,
    }
    return {
        "explain": {"images": [image], "faithfulness": False, **network},
        "visualise": {"classes": ["noise"], "steps": 3, "judge": "none", "size": 64, **network},
        "predict": {"classifier": str(classifier), "images": [image], "use_cache": False},
        "attack": {"images": [image], "steps": 3, **network},
        "transfer": {
            "folder": str(stripes),
            "backbone": "squeezenet",
            "layer": "fire9",
            "seed": number,
            "cache": cache,
        },
        "gan-train": {**gan, "autotune": False, "cache": cache},
    }


def sampled(worker, rounds):
    """Memory in MiB after each round of tasks, and when that was, in seconds."""
    began, memory, seconds = time.monotonic(), [], []
    for tasks in rounds:
        for name, settings in tasks.items():
            assert (worker.does(name, **settings) / "result.json").is_file()
        memory.append(worker.memory())
        seconds.append(time.monotonic() - began)
    return np.array(memory), np.array(seconds)


def rounds_of(campaign, stripes, classifier):
    """All six tasks for an hour; or the quick ones a few times."""
    began = time.monotonic()
    for number in count():
        tasks = mix(stripes, classifier, number)
        if (time.monotonic() - began > HOUR) if campaign.whole else (number == ROUNDS):
            return
        yield tasks if campaign.whole else {name: tasks[name] for name in QUICK}


def test_memory_of_repeated_tasks_is_flat(worker, stripes, classifier, campaign):
    memory, seconds = sampled(worker, rounds_of(campaign, stripes, classifier))
    first = max(3, int(WARM * len(memory)))
    input_gradient, level = np.polyfit(seconds[first:] - seconds[first], memory[first:], 1).tolist()
    grown = input_gradient * float(seconds[-1] - seconds[first])
    campaign.figures.update(
        rounds=len(memory),
        tasks=worker.orders,
        seconds=round(seconds[-1]),
        mib_after_warming_up=round(level, 1),
        mib_an_hour=round(input_gradient * HOUR, 2),
        grown_share=round(grown / level, 4),
        mib_of_each_tenth=[round(float(part.mean()), 1) for part in np.array_split(memory, 10) if len(part)],
    )
    if campaign.whole:
        assert abs(grown) < FLAT * level, campaign.figures
    else:
        assert np.diff(memory[first:]).mean() < GROWTH, memory.round(1).tolist()
