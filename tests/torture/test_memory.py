"""Task after task in one process, as the studio's worker does them: its memory stays flat."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import run

HOUR = 3600.0  # seconds
WARM = 0.1  # share of the rounds before memory is looked at
FLAT = 0.05  # of the memory after warming up, from the first round that counts to the last
GROWTH = 8.0  # MiB a round at most, in the short version: a batch of pictures that is kept is more


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
        assert [answer["state"] for answer in answers] == ["begun", "done"], answers
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


def one_round(worker, stripes, classifier, number):
    """Six tasks, none of them quite like those of the round before."""
    cache, network = str(classifier.parent / "cache"), {"backbone": str(classifier), "seed": number}
    picture = str(stripes / "test" / "across" / f"{number % 4}.png")
    transfer = {"folder": str(stripes), "backbone": "squeezenet", "layer": "fire9", "seed": number, "cache": cache}
    gan = {"data": str(stripes), "size": 16, "epochs": 1, "batch": 12, "width": 4, "samples": 12, "final_samples": 12}
    return [
        worker.does("explain", pictures=[picture], faithfulness=False, **network),
        worker.does("fool", pictures=[picture], steps=3, **network),
        worker.does("visualise", classes=["noise"], steps=3, judge="none", size=64, **network),
        worker.does("predict", classifier=str(classifier), pictures=[picture], use_cache=False),
        worker.does("transfer", **transfer),
        worker.does("gan-train", **gan, speed="plain", cache=cache),
    ]


def sampled(worker, stripes, classifier, wanted):
    """Memory in MiB after each round and when that was, in seconds; rounds go on while they are `wanted`."""
    began, memory, seconds = time.monotonic(), [], []
    while wanted(len(memory), time.monotonic() - began):
        folders = one_round(worker, stripes, classifier, len(memory))
        assert all((folder / "result.json").is_file() for folder in folders)
        memory.append(worker.memory())
        seconds.append(time.monotonic() - began)
    return np.array(memory), np.array(seconds)


def test_memory_of_repeated_tasks_is_flat(worker, stripes, classifier, campaign):
    wanted = (lambda _, spent: spent < HOUR) if campaign.whole else (lambda rounds, _: rounds < 4)
    memory, seconds = sampled(worker, stripes, classifier, wanted)
    first = max(1, int(WARM * len(memory)))
    slope, level = np.polyfit(seconds[first:] - seconds[first], memory[first:], 1).tolist()
    grown = slope * float(seconds[-1] - seconds[first])
    campaign.figures.update(
        rounds=len(memory),
        tasks=worker.orders,
        seconds=round(seconds[-1]),
        mib_after_warming_up=round(level, 1),
        mib_an_hour=round(slope * HOUR, 2),
        grown_share=round(grown / level, 4),
        mib_of_each_tenth=[round(float(part.mean()), 1) for part in np.array_split(memory, 10) if len(part)],
    )
    if campaign.whole:
        assert abs(grown) < FLAT * level, campaign.figures
    else:
        assert np.diff(memory[first:]).mean() < GROWTH, memory.round(1).tolist()
