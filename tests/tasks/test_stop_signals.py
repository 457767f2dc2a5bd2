"""SIGTERM and SIGHUP: what a scheduler and a closed terminal send stops a task as Ctrl-C does."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from vitrail import interrupts

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")

BOTH = pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
LONG = ["--epochs", "100000", "--width", "8", "--batch", "16", "--evaluate-every", "100000", "--no-autotune"]


def start(*arguments, **options):
    """`vitrail ARGUMENTS` as a process that signals reach."""
    command = [sys.executable, "-m", "vitrail", *map(str, arguments)]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = {"preexec_fn": listen, **options}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings, **options
    )


def listen():
    """Whoever started these tests may ignore signals, as `nohup` and the background of a script do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def until(wanted, process=None, seconds=120):
    end = time.monotonic() + seconds
    while not wanted():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)


def training(folder, cache, **options):
    """A training that has begun."""
    process = start("gan", "train", "digits", *LONG, "--run", folder, "--cache", cache, **options)
    until(lambda: "training" in log(folder), process)
    return process


def log(folder):
    try:
        return Path(folder, "events.jsonl").read_text()
    except FileNotFoundError:
        return ""


def checkpoints(folder):
    return sorted(path.name for path in Path(folder, "checkpoints").glob("step-*"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.mark.slow
@BOTH
def test_a_training_stores_a_checkpoint_and_ends_with_the_signals_code(tmp_path, cache, number, code):
    process = training(tmp_path / "run", cache)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert said.count("Error: Stopped.") == 1
    assert "Traceback" not in said
    assert len(checkpoints(tmp_path / "run")) >= 1
    assert json.loads(log(tmp_path / "run").splitlines()[-1])["event"] == "stopped"
    again = start("gan", "train", "--resume", tmp_path / "run", "--epochs", "100001", "--cache", cache)
    until(lambda: "Resumed after step" in log(tmp_path / "run"), again)
    again.send_signal(signal.SIGKILL)
    again.communicate()


@pytest.mark.slow
@BOTH
def test_a_second_one_ends_it_at_once(tmp_path, cache, number, code):
    process = training(tmp_path / "run", cache)
    os.kill(process.pid, signal.SIGSTOP)  # so that both are there before either is heard
    os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode in (code, -number)  # stored in time, or ended by the second


def test_the_second_of_these_signals_does_what_it_does_by_default():
    code = (
        "import signal, sys, time\n"
        "from vitrail.interrupts import Interrupts, stop_on_signals\n"
        "stop_on_signals()\n"
        "with Interrupts() as interrupts:\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    assert interrupts.wanted\n"
        "    print('still here', flush=True)\n"
        "    signal.raise_signal(signal.SIGHUP)\n"
        "    print('not ended', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, preexec_fn=listen)
    assert (done.returncode, done.stdout) == (-signal.SIGHUP, "still here\n"), done.stderr


@pytest.mark.slow
def test_a_signal_that_is_ignored_stays_ignored(tmp_path, cache):
    """As under `nohup`."""
    process = training(tmp_path / "run", cache, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    before = len(log(tmp_path / "run"))
    until(lambda: len(log(tmp_path / "run")) > before, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143


@pytest.mark.slow
def test_a_terminal_that_is_closed_stops_a_training(tmp_path, cache):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "vitrail", "gan", "train", "digits", *LONG]
    process = subprocess.Popen(
        [*command, "--run", str(tmp_path / "run"), "--cache", str(cache)],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: (listen(), os.close(os.open(os.ttyname(0), os.O_RDWR))),  # the session's own terminal
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)

    def begun():
        with suppress(BlockingIOError):
            os.read(ours, 100_000)
        return "training" in log(tmp_path / "run")

    until(begun, process)
    os.close(ours)
    assert process.wait(120) == 129
    assert checkpoints(tmp_path / "run")


@pytest.mark.slow
@BOTH
def test_what_was_finished_by_then_is_kept_and_the_code_tells(stripes, tmp_path, number, code):
    options = ("--backbone", "squeezenet", "--method", "rise", "--no-faithfulness", "--run", tmp_path / "run")
    process = start("explain", stripes / "train", *options)
    until(lambda: '"done": 2' in log(tmp_path / "run") or '"done": 3' in log(tmp_path / "run"), process)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "Stopped" in log(tmp_path / "run")


@pytest.mark.slow
def test_workers_of_shards_end_with_the_first_process(stripes, tmp_path):
    """A scheduler tells all processes of a job at once."""
    options = (
        "--backbone",
        "squeezenet",
        "--method",
        "rise",
        "--shards",
        12,
        "--workers",
        2,
        "--run",
        tmp_path / "run",
    )
    process = start("explain", stripes / "train", *options, start_new_session=True)
    until(lambda: list((tmp_path / "run" / "shards").glob("0*")), process)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert "Traceback" not in said
    until(lambda: not is_there(process.pid))  # nobody of the group is left


def is_there(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@BOTH
def test_a_signal_outside_of_any_command_has_its_code_too(number, code):
    program = (
        "import signal, sys\n"
        "import vitrail.cli.app as app\n"
        f"app.TaskGroup.invoke = lambda *_: signal.raise_signal({int(number)})\n"
        "sys.argv = ['vitrail', 'list']\n"
        "from vitrail.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, preexec_fn=listen
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_was_received_in_this_process():
    assert interrupts.stop_code() is None
