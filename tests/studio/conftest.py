"""One server for all tests of the page, started as a user does."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def studio(tmp_path_factory, stripes):
    """A running server: its address, its folder of runs, and the folder that pictures may be read from."""
    home = tmp_path_factory.mktemp("studio")
    (home / "runs").mkdir()
    options = ["--port", "0", "--runs", str(home / "runs"), "--allow", str(Path(stripes).parent)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(home / "cache"), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "vitrail", "studio", *options]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
    assert found, (home / "log").read_text()
    yield SimpleNamespace(address=found[0], runs=home / "runs", stripes=Path(stripes), home=home)
    server.send_signal(signal.SIGINT)
    server.stdout.close()
    assert server.wait(timeout=60) == 0
