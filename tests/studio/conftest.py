"""One server for all tests of the page, started as a user does."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import run


@pytest.fixture(scope="session")
def studio(tmp_path_factory, stripes):
    """A running server: its address, its folder of runs, and the folder that images may be read from."""
    home = tmp_path_factory.mktemp("studio")
    (home / "runs").mkdir()
    options = ["--port", "0", "--runs", str(home / "runs"), "--allow", str(Path(stripes).parent)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(home / "cache"), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "vitrail", "studio", *options]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    found = re.search(r"(http://127\.0\.0\.1:\d+)/([\w-]{32})/", server.stdout.readline())
    assert found, (home / "log").read_text()
    yield SimpleNamespace(
        address=found[0], origin=found[1], key=found[2], runs=home / "runs", stripes=Path(stripes), home=home
    )
    server.send_signal(signal.SIGINT)
    server.stdout.close()
    assert server.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def classifiers(studio):
    """Run folders of two classifiers, made by the command line."""
    folders = [studio.runs / "transfer-one", studio.runs / "transfer-two"]
    for folder in folders:
        options = ("--backbone", "squeezenet", "--layer", "fire9", "--no-use-cache", "--run", folder)
        done = run("transfer", studio.stripes, *options)
        assert done.exit_code == 0, done.output
    return folders
