"""One job at a time, in order; each ends as it should, and what it had made stays."""

import json
import os
import signal
import time

import pytest

from processes import studio_workers
from vitrail.errors import BadSetting, VitrailError
from vitrail.studio.jobs import Jobs, Step
from vitrail.studio.run_monitor import RunMonitor

CHEAP = {"data": "digits", "epochs": 40, "batch": 16, "width": 8, "evaluate_every": 40, "encoder_epochs": 0}


@pytest.fixture(scope="module")
def jobs():
    made = Jobs()
    yield made
    made.close()


def until(wanted, seconds=90):
    start = time.monotonic()
    while not wanted():
        assert time.monotonic() - start < seconds, "nothing happened"
        time.sleep(0.05)


def training(folder, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "judges"
    return Step.of("gan-train", {**CHEAP, "cache": str(cache)}, folder)


def models(folder, name="squeezenet"):
    return Step.of("models", {"name": name}, folder)


def test_jobs_end_in_order_and_say_why_not(jobs, tmp_path):
    for name in "1234":
        (tmp_path / name).mkdir()  # as `new_folder` gives them
    good = jobs.submit([models(tmp_path / "1"), models(tmp_path / "2")])
    bad = jobs.submit([models(tmp_path / "3", "squeezenot"), models(tmp_path / "4")])
    assert jobs.jobs_ahead(bad) >= 1
    until(lambda: bad.finished)
    assert good.state == "done"
    assert (tmp_path / "2" / "result.json").is_file()
    assert bad.state == "failed"
    assert "squeezenet" in bad.message
    assert not (tmp_path / "4").exists()


def test_wrong_settings_never_wait(tmp_path):
    with pytest.raises(VitrailError, match="--epochs"):
        Step.of("gan-train", {"data": "digits", "epochs": 0}, tmp_path)


@pytest.mark.slow
def test_a_job_is_stopped_as_by_ctrl_c_and_the_next_one_runs(jobs, tmp_path, tmp_path_factory):
    long = jobs.submit([training(tmp_path / "long", tmp_path_factory)])
    (tmp_path / "waits").mkdir()
    waiting = jobs.submit([models(tmp_path / "waits")])
    last = jobs.submit([models(tmp_path / "last")])
    jobs.cancel(waiting)
    assert waiting.state == "stopped"
    monitor = RunMonitor(tmp_path / "long")

    def trains():
        monitor.refresh()
        return bool(monitor.curve)

    until(trains)
    assert monitor.seconds_left() is None or monitor.seconds_left() >= 0
    jobs.cancel(long)
    until(lambda: last.finished)
    assert (long.state, last.state) == ("stopped", "done")
    assert list((tmp_path / "long" / "checkpoints").glob("step-*.safetensors"))
    assert not (tmp_path / "waits").exists()
    monitor.refresh()
    assert monitor.finished
    assert monitor.error


def test_a_job_that_is_stopped_before_it_hears_is_stopped_all_the_same(tmp_path, tmp_path_factory):
    fresh = Jobs()  # its process starts with the job
    job = fresh.submit([training(tmp_path / "run", tmp_path_factory)])
    until(lambda: job.state == "running")
    fresh.cancel(job)
    until(lambda: job.finished)
    fresh.close()
    assert job.state == "stopped"


def test_a_killed_process_is_told_and_replaced(jobs, tmp_path, tmp_path_factory):
    job = jobs.submit([training(tmp_path / "killed", tmp_path_factory)])
    until(lambda: (tmp_path / "killed" / "events.jsonl").exists())
    (worker,) = studio_workers()
    os.kill(worker, signal.SIGKILL)
    until(lambda: job.finished)
    assert job.state == "failed"
    assert "ended unexpectedly" in job.message
    after = jobs.submit([models(tmp_path / "after")])
    until(lambda: after.finished)
    assert after.state == "done"


def test_the_queue_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("vitrail.studio.jobs.MAX_WAITING", 2)
    full = Jobs()
    for number in range(2):
        full.submit([models(tmp_path / str(number))])
    with pytest.raises(BadSetting, match="are waiting"):
        full.submit([models(tmp_path / "3")])
    full.close()


def test_a_line_that_is_being_written_is_read_the_next_time(tmp_path):
    log, monitor = tmp_path / "events.jsonl", RunMonitor(tmp_path)
    assert not monitor.refresh()
    log.write_bytes(b'{"event": "note", "text": "one"}\n{"event": "no')
    assert monitor.refresh()
    assert monitor.notes == ["one"]
    with log.open("ab") as file:
        file.write(b'te", "text": "two"}\nnot json\n{"event": "result"}\n')
    monitor.refresh()
    assert (monitor.notes, monitor.finished) == (["one", "two"], True)
    assert monitor.result() == {}


def test_what_a_run_says_is_believed_only_as_far_as_it_can_be_shown(tmp_path):
    monitor = RunMonitor(tmp_path)
    values = {"loss": 0.5, "gap": None, "name": "x", "list": [1], "huge": 10**400, "endless": float("inf")}
    lines = [
        {"event": "progress", "stage": "fit", "done": 1, "total": 4, "values": values},
        {"event": "progress", "stage": "fit", "done": 10**400, "total": 4},
        {"event": "progress", "stage": "fit", "done": 2, "total": 10**400},
        {"event": "preview", "file": "live/a.png", "values": values},
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "result.json").write_text("[" * 100_000)
    monitor.refresh()
    assert monitor.curve == [{"loss": 0.5, "gap": None}]
    assert monitor.previews == {"a": [{"loss": 0.5, "gap": None}]}
    assert monitor.progress is not None
    assert (monitor.progress.done, monitor.progress.total) == (1, 4)
    assert monitor.result() == {}


@pytest.mark.parametrize("seconds", [0, 0.01, 0.1, 1])
def test_a_queue_that_is_closed_leaves_no_process(seconds, tmp_path):
    before = set(studio_workers())
    closed = Jobs()
    closed.submit([models(tmp_path / "1")])
    closed.submit([models(tmp_path / "2")])
    time.sleep(seconds)
    closed.close()
    assert set(studio_workers()) == before
    time.sleep(0.2)
    assert set(studio_workers()) == before
