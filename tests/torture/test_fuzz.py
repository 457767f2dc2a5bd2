"""Damaged files by the thousand: only our own errors come out, soon, in little memory."""

import random
import resource
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from mutations import mutated
from readers import READERS
from yardstick import most_seconds

from vitrail.errors import VitrailError

MEGABYTES = 1024.0  # more than before
SHORT = 100


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """What takes more processor time than that is stopped, wherever it is."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"still at it after {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def where(error: Exception) -> str:
    """Where in the package it came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/vitrail/" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder in memory, where there is such a place: a file is written for every execution."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        (Path(folder) / "files").mkdir()
        yield Path(folder) / "files"


def peak() -> float:
    """Most megabytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", READERS)
def test_only_our_errors_come_out_of_damaged(name: str, campaign, home: Path, tmp_path: Path):
    reader = READERS[name]
    reader.make(home)
    good = {path: path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}
    for path in good:
        reader.read(home, path)
    rng = random.Random(f"{campaign.seed} {name}")
    faults, slowest, most, before = Counter[str](), 0.0, most_seconds(), peak()
    counts = Counter(executions=campaign.count(min(SHORT, reader.executions // 50), reader.executions))
    for number in range(counts["executions"]):
        path = rng.choice(list(good))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(good[path], path.suffix, rng))
        started = time.process_time()
        try:
            with ended_after(10 * most):
                reader.read(home, path)
            counts["read"] += 1
        except VitrailError as error:
            counts["refused"] += 1
            if not str(error).endswith("."):
                faults[f"no sentence: {str(error)[:200]!r}"] += 1
        except Exception as error:
            faults[f"{type(error).__name__}: {str(error)[:150]!r} {where(error)}"] += 1
            shutil.copy(path, tmp_path / f"fault-{number}{path.suffix}")
        seconds = time.process_time() - started
        slowest = max(slowest, seconds)
        if seconds > most:
            faults[f"{seconds:.1f} s"] += 1
        path.write_bytes(good[path])
        shutil.rmtree(home.parent / "elsewhere", ignore_errors=True)
    grown = peak() - before
    campaign.figures.update(**counts, faults=faults.total(), grown_megabytes=grown)
    campaign.figures.update(slowest_seconds=slowest, allowed_seconds=most)
    assert grown < MEGABYTES
    assert not faults, "\n".join(f"{count} x {what}" for what, count in faults.most_common(12))
