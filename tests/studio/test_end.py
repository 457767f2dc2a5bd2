"""How the page ends: soon, whatever hangs; and what it leaves behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from vitrail.studio import serve

TRAINING = """
import sys
from pathlib import Path
from vitrail.studio.context import StudioContext
from vitrail.studio import serve
application = serve.application

def with_a_job(runs, roots):
    app, context = application(runs, roots)
    context.submit([("gan-train", {"data": "digits", "epochs": 100000, "width": 8, "evaluate_every": 100000,
                                   "autotune": False})])
    return app, context

serve.application = with_a_job
sys.argv = ["vitrail", "studio", "--port", "0", "--runs", sys.argv[1]]
from vitrail.cli import main
main()
"""


def started(command, home):
    """A server: its process, its address."""
    surroundings = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    log = (home / "log").open("w")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, env=surroundings, cwd=home,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # whoever started these tests may ignore it
    )  # fmt: skip
    log.close()
    found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", process.stdout.readline())
    assert found, (home / "log").read_text()
    process.stdout.close()
    urllib.request.urlopen(found[0]).close()
    return process, found[0]


def with_a_training(home):
    (home / "training.py").write_text(TRAINING)
    process, address = started([sys.executable, str(home / "training.py"), str(home / "runs")], home)
    until(lambda: any("training" in log.read_text() for log in home.glob("runs/gan-train-*/events.jsonl")))
    (worker,) = children(process.pid)
    return process, address, worker


def children(pid):
    found = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(number) for numbers in found for number in numbers]


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def until(wanted, seconds=120):
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)


def hanging(address):
    """Connections that never end: half a request, half an upload, a stream that nobody reads."""
    parts = urlsplit(address)
    host = f"Host: {parts.netloc}\r\n"
    form = "Content-Type: multipart/form-data; boundary=b"
    requests = (
        f"GET {parts.path} HTTP/1.1\r\n{host}",
        f"POST {parts.path}gradio_api/queue/join HTTP/1.1\r\n{host}Content-Length: 900\r\n\r\n{{",
        f"POST {parts.path}gradio_api/upload HTTP/1.1\r\n{host}Content-Length: 900\r\n{form}\r\n\r\n--b\r\n",
        f"GET {parts.path}gradio_api/heartbeat/x HTTP/1.1\r\n{host}\r\n",
    )
    opened = []
    for request in requests:
        connection = socket.create_connection((parts.hostname, parts.port))
        connection.sendall(request.encode())
        opened.append(connection)
    time.sleep(0.5)
    return opened


def test_everything_together_takes_less_than_three_seconds():
    assert serve.LAST_SECONDS < 3


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_it_ends_whatever_hangs(tmp_path, number, code):
    process, address = started([sys.executable, "-m", "vitrail", "studio", "--port", "0", "--runs", "runs"], tmp_path)
    connections = hanging(address)
    process.send_signal(number)
    began = time.monotonic()
    assert process.wait(60) == code
    print(f"ended after {time.monotonic() - began:.1f} s")
    for connection in connections:
        connection.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_worker_ends_after_the_page_and_stores_a_checkpoint(tmp_path, number):
    process, _, worker = with_a_training(tmp_path)
    process.send_signal(number)
    process.wait(60)
    until(lambda: not is_alive(worker))
    (run,) = (tmp_path / "runs").glob("gan-train-*")
    assert list((run / "checkpoints").glob("step-*.safetensors"))
    assert '"event": "stopped"' in (run / "events.jsonl").read_text()
    size = (run / "events.jsonl").stat().st_size
    time.sleep(0.5)
    assert (run / "events.jsonl").stat().st_size == size
    assert run.stat().st_mode & 0o077 == 0  # what the page makes is its owner's


@pytest.mark.slow
def test_the_address_and_young_uploads_outlive_a_kill_and_old_ones_do_not(tmp_path):
    command = [sys.executable, "-m", "vitrail", "studio", "--port", "0", "--runs", "runs"]
    process, address = started(command, tmp_path)
    process.kill()
    process.wait()
    files = tmp_path / "runs" / ".studio" / "uploads" / "files"
    for name, days in (("old", 2), ("young", 0.1)):
        (files / name).mkdir()
        (files / name / "a.png").write_bytes(b"x")
        for path in (files / name / "a.png", files / name):
            os.utime(path, (time.time() - days * 86_400,) * 2)
    process, again = started(command, tmp_path)
    assert urlsplit(again).path == urlsplit(address).path
    assert [(files / name).exists() for name in ("old", "young")] == [False, True]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
