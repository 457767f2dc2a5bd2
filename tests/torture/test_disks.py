"""Disks that are full, read-only, broken or slow: one sentence, or on without it; and what was there stays."""

import errno
import random
import shutil
import subprocess
from collections import Counter
from contextlib import contextmanager

import pytest
import wholeness
from small_tasks import QUICK, RECORDED, Small

from vitrail.runs import EventReader

pytestmark = pytest.mark.slow

KINDS = ("write-error", "write-error", "write-error", "read-error", "read-short", "write-slow")
WRITE_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT)
SLOW = 0.2  # seconds
SMALL, LARGE = 24, 400  # KiB of a real disk: for some tasks too little, for others enough


@pytest.fixture
def small(server, stripes, tmp_path):
    (tmp_path / "made").mkdir()
    return Small(server, stripes, tmp_path / "made")


def fault_of(draws, alone):
    """Something that happens to one write or read of a run, or to that one and all later ones."""
    kind = draws.choice(KINDS)
    fault = {"kind": kind, "at": draws.randint(1, max(1, alone.reads if kind.startswith("read") else alone.writes))}
    if kind == "write-slow":
        return {**fault, "seconds": SLOW}
    if kind == "write-error":
        return {**fault, "lasts": draws.random() < 0.5, "errno": draws.choice(WRITE_ERRORS)}
    return {**fault, "lasts": kind == "read-error" and draws.random() < 0.3, "errno": errno.EIO}


def assert_it_says_so(outcome, folder, lone):
    """A run that went on is one like any other, or has said what it did without."""
    try:
        wholeness.assert_same(lone, folder)
    except AssertionError:
        kinds = {event["kind"] for event in EventReader(folder).read_new() if event["event"] == "note"}
        assert kinds & {"warning", "skipped", "damaged"}, outcome.said


def assert_left_as_it_was(before, folder):
    now = {path: path.read_bytes() if path.is_file() else None for path in before}
    assert not [path for path in before if now[path] != before[path]], "what was there is another"
    assert not wholeness.leftovers(folder)


def counted_name(fault):
    return (
        errno.errorcode[fault["errno"]] + (" reading" if "read" in fault["kind"] else "")
        if "errno" in fault
        else fault["kind"]
    )


def played(small, name, place, fault, lone):
    """One fault, and the same once more without: how it ended, in a word."""
    before = wholeness.snapshot(place.parent)
    outcome = small.server.run(*small.command(name, place / "run", place / "cache"), fault=fault)
    assert_left_as_it_was(before, place)
    wholeness.check(place)
    if outcome.code == 0:
        assert_it_says_so(outcome, place / "run", lone)
    else:
        outcome.assert_one_sentence()
    again = small.server.run(*small.command(name, place / "again", place / "cache")).assert_well()
    wholeness.assert_same(lone, place / "again")
    assert again.code == 0
    return "one sentence" if outcome.code else "went on"


def test_every_task_is_here():
    assert all(hasattr(Small, name.replace("-", "_")) for name in RECORDED)


def test_a_disk_that_fails(small, tmp_path, campaign):
    draws, counted, failures = random.Random(campaign.seed), Counter(), []
    for name in RECORDED if campaign.whole else QUICK:
        lone = tmp_path / name / "lone"
        alone = small.server.run(*small.command(name, lone, tmp_path / name / "cache")).assert_well()
        for number in range(campaign.count(2, 30)):
            fault = fault_of(draws, alone)
            place = tmp_path / name / f"{number}"
            if draws.random() < 0.5 and lone.with_name("cache").exists():  # what is there may be lost
                shutil.copytree(lone.with_name("cache"), place / "cache")
            try:
                counted[played(small, name, place, fault, lone)] += 1
            except AssertionError as error:
                failures.append(f"{name}, {fault}: {error}")
            counted[counted_name(fault)] += 1
            shutil.rmtree(place, ignore_errors=True)
    campaign.figures.update(tasks=len(RECORDED), **counted)
    assert not failures, "\n\n".join(failures)


@contextmanager
def mounted(folder, kib):
    """A disk in memory; where nobody may mount one, the test ends here and says so."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full(small, tmp_path, campaign):
    draws, counted = random.Random(campaign.seed), Counter()
    for number in range(campaign.count(2, 60)):
        name, kib = draws.choice(RECORDED if campaign.whole else QUICK), draws.randint(SMALL, LARGE)
        lone = tmp_path / "lone" / name
        if not lone.exists():
            small.server.run(*small.command(name, lone, tmp_path / "lone" / f"{name}-cache")).assert_well()
        with mounted(tmp_path / f"{number}", kib) as disk:
            (disk / "mine").write_bytes(bytes(8192))
            outcome = small.server.run(*small.command(name, disk / "run", disk / "cache"))
            if outcome.code:
                assert "the disk is full" in outcome.assert_one_sentence()
            else:
                assert_it_says_so(outcome, disk / "run", lone)
            counted["one sentence" if outcome.code else "went on"] += 1
            assert (disk / "mine").read_bytes() == bytes(8192)
            counted["files checked"] += wholeness.check(disk / "run") if (disk / "run").exists() else 0
            assert not wholeness.leftovers(disk)
    campaign.figures.update(**counted)
