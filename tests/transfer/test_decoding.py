"""Decoding in processes of their own gives what decoding in threads gives, whatever happens to the processes."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from vitrail import reading
from vitrail.backbones import BACKBONES
from vitrail.errors import BadImage
from vitrail.preprocessing import Preprocessing
from vitrail.transfer import decoding
from vitrail.transfer.decoding import Decoder, DecodingProcesses, Supply
from vitrail.transfer.estimators import finish
from vitrail.transfer.features import Extractor

SMALL = Preprocessing(short_side=20, size=16, interpolation="bicubic")


@pytest.fixture
def files(stripes, tmp_path):
    """Images, and among them what is none: damaged, missing, a pipe, a name that is not UTF-8."""
    good = sorted(stripes.glob("*/*/*"))
    damaged, pipe = tmp_path / "damaged.png", tmp_path / "pipe.png"
    odd = tmp_path / os.fsdecode(b"odd \xff\n.png")
    damaged.write_bytes(good[0].read_bytes()[:100])
    odd.write_bytes(good[0].read_bytes())
    os.mkfifo(pipe)
    return [*good[:5], damaged, tmp_path / "missing.png", odd, pipe, *good[5:]]


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
def started(pool):
    """Decodes files by two processes that are ended afterwards."""
    every = []

    def start(decoder):
        every.append(DecodingProcesses(decoder, 2))
        return every[-1]

    yield start
    for processes in every:
        processes.close()
        assert all(process._process.poll() is not None for process in processes._all)


def check_same(outcomes, expected):
    assert len(outcomes) == len(expected)
    for mine, other in zip(outcomes, expected, strict=True):
        if isinstance(other, BadImage):
            assert (str(mine), mine.kind, mine.path) == (str(other), other.kind, other.path)
        else:
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("mirrored", [False, True])
def test_processes_give_the_bits_and_the_errors_of_threads(mirrored, files, pool, started):
    decoder = Decoder(SMALL, mirrored)
    expected = list(map(decoder, files))
    assert sum(isinstance(outcome, BadImage) for outcome in expected) == 3
    processes = started(decoder)
    for _ in range(2):
        check_same(list(processes.map(pool, files)), expected)
    assert list(processes.map(pool, [])) == []


def test_a_group_without_one_readable_image(files, pool, started):
    decoder = Decoder(SMALL)
    bad = [file for file in files if isinstance(decoder(file), BadImage)]
    check_same(list(started(decoder).map(pool, bad)), list(map(decoder, bad)))


@pytest.mark.parametrize("kill", ["all before", "one between", "at work"])
def test_what_a_killed_process_leaves_undone_is_done_here(kill, files, pool, started, monkeypatch):
    monkeypatch.setattr(decoding, "GROUP", 2)
    decoder = Decoder(SMALL)
    expected, processes = list(map(decoder, files)), started(decoder)
    if kill == "all before":
        for process in processes._all:
            process._process.kill()
            process._process.wait()
    outcomes = processes.map(pool, files)
    first = [next(outcomes)] if kill != "all before" else []
    if kill == "one between":
        processes._all[0]._process.kill()
    if kill == "at work":
        for process in processes._all:
            os.kill(process._process.pid, signal.SIGKILL)
    check_same([*first, *outcomes], expected)


def test_processes_that_answer_nonsense_are_not_believed(files, pool, started, monkeypatch):
    monkeypatch.setattr(decoding, "SERVE", "print('[null]', flush=True); import time; time.sleep(60)")
    decoder = Decoder(SMALL)
    check_same(list(started(decoder).map(pool, files)), list(map(decoder, files)))


def test_processes_read_no_further_than_this_one(files, pool, started, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_places", (tmp_path.resolve(),))
    decoder = Decoder(SMALL)
    outcomes = list(started(decoder).map(pool, files))
    assert sum(not isinstance(outcome, BadImage) for outcome in outcomes) == 1  # the odd one lies there
    check_same(outcomes, list(map(decoder, files)))


def test_a_caller_s_script_is_not_run_again(stripes, tmp_path):
    script = tmp_path / "script.py"  # with nothing that keeps a second run from it
    script.write_text(
        "print('once', flush=True)\n"
        "from concurrent.futures import ThreadPoolExecutor\nfrom pathlib import Path\n"
        "from vitrail.preprocessing import Preprocessing\n"
        "from vitrail.transfer.decoding import Decoder, DecodingProcesses\n"
        "processes = DecodingProcesses(Decoder(Preprocessing(20, 16)), 2)\n"
        f"files = sorted(Path({str(stripes)!r}).glob('*/*/*.png'))\n"
        "with ThreadPoolExecutor(2) as pool:\n    print(len(list(processes.map(pool, files))))\n"
        "processes.close()\n"
    )
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the current folder')")
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["once", str(len(list(stripes.glob("*/*/*.png"))))], done.stderr


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path):
    script = (
        "import time\nfrom vitrail.preprocessing import Preprocessing\n"
        "from vitrail.transfer.decoding import Decoder, DecodingProcesses\n"
        "processes = DecodingProcesses(Decoder(Preprocessing(20, 16)), 2)\n"
        "print(*[process._process.pid for process in processes._all], flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        children = list(map(int, owner.stdout.readline().split()))
        owner.kill()
    deadline = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{child}") for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(children) == 2


class TestSupply:
    """When processes are worth their start."""

    @pytest.fixture
    def clock(self, monkeypatch):
        """Time that passes while images are waited for, and when it is told to."""

        class Clock:
            now = 0.0

            def perf_counter(self):
                return self.now

        clock = Clock()
        monkeypatch.setattr(decoding, "time", clock)
        return clock

    @pytest.fixture
    def supply(self, clock, monkeypatch):
        class Pool(Executor):
            def map(self, decoder, files):
                for _ in files:
                    clock.now += 0.01
                    yield BadImage()

        class Processes:
            ended = False

            def __init__(self, decoder, count):
                pass

            def close(self):
                self.ended = True

            def map(self, pool, files):
                raise AssertionError

        monkeypatch.setattr(decoding, "DecodingProcesses", Processes)
        return lambda processes=4: Supply(Decoder(SMALL), Pool(), processes=processes)

    @pytest.mark.parametrize(
        ("computing", "left", "allowed", "expected"),
        [
            (0.5, 5000, 4, 4),
            (2.0, 5000, 4, 0),  # it is the network that is slow
            (0.5, 900, 4, 0),  # 9 seconds are left
            (0.5, 5000, 1, 0),
            (0.5, 5000, 0, 0),
        ],
    )
    def test_processes_start_where_decoding_is_slow_and_much_is_left(
        self, computing, left, allowed, expected, clock, supply
    ):
        supplied = supply(allowed)
        assert len(list(supplied.images([Path()] * 100))) == 100
        clock.now += computing
        supplied.speed_up(left)
        assert supplied.processes == expected
        processes = supplied._processes
        supplied.close()
        assert processes is None or processes.ended

    def test_nothing_was_decoded(self, supply):
        supplied = supply()
        supplied.speed_up(10**6)
        assert not supplied.processes

    def test_a_system_that_starts_no_more(self, supply, monkeypatch):
        def refuse(decoder, count):
            raise BlockingIOError(11, "no more processes")

        monkeypatch.setattr(decoding, "DecodingProcesses", refuse)
        supplied = supply()
        list(supplied.images([Path()] * 100))
        supplied.speed_up(10**6)
        assert not supplied.processes
        assert len(list(supplied.images([Path()] * 5))) == 5


def test_features_are_the_same_whoever_decodes(stripes, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"nothing")
    files = [*sorted(stripes.glob("train/*/*")), damaged, *sorted(stripes.glob("test/*/*"))]
    plain = finish(Extractor(BACKBONES["squeezenet"], ("fire9",)).run(files))
    monkeypatch.setattr(Extractor, "_kind", "cuda")
    monkeypatch.setattr("vitrail.transfer.features.CHUNK_ACCELERATOR", 8)
    monkeypatch.setattr("vitrail.transfer.features.BATCH_ACCELERATOR", 4)
    monkeypatch.setattr(Supply, "_worth", lambda self, left: True)
    found = finish(Extractor(BACKBONES["squeezenet"], ("fire9",)).run(files))
    assert found.engine["decoding_processes"] >= 1
    assert "decoding_processes" not in plain.engine
    assert found.rows.tolist() == plain.rows.tolist()
    assert found.skipped == plain.skipped
    np.testing.assert_allclose(found.features["fire9"], plain.features["fire9"], atol=1e-5)
