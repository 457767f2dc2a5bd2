import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from vitrail.cli.app import app
from vitrail.version import __version__


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((40, 50), 128, np.uint8)).save(path)
    return path


@pytest.mark.parametrize("arguments", [["--help"], ["transfer", "--help"], ["--version"]])
def test_help_imports_no_heavy_library(arguments):
    code = (
        "import sys, vitrail.cli.app as a\n"
        f"try: a.app({arguments!r}, standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'torchvision', 'sklearn', 'matplotlib', 'scipy', 'numpy', 'PIL'} & sys.modules.keys()\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_version():
    assert run("--version").output == f"vitrail {__version__}\n"


def test_a_users_error_is_one_line(tmp_path):
    result = run("classify", tmp_path / "nothing.png", "--runs", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There is no")
    assert result.stderr.count("\n") == 1


def test_a_wrong_option_is_a_usage_error():
    assert run("classify", "x.png", "--colour", "red").exit_code == 2


def test_classify_prints_json_and_keeps_a_run(tmp_path, picture):
    bad = tmp_path / "text.jpg"
    bad.write_text("no picture")
    result = run("classify", picture, bad, "--backbone", "squeezenet", "--json", "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "run" / "result.json").read_text())
    (entry,) = document["pictures"]
    assert len(entry["top"]) == 5
    assert 0 < sum(guess["probability"] for guess in entry["top"]) <= 1
    assert document["skipped"][0]["file"].endswith("text.jpg")


def test_an_earlier_run_is_never_overwritten(tmp_path, picture):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious.txt").write_text("kept")
    result = run("classify", picture, "--run", tmp_path / "run")
    assert result.exit_code == 1
    assert "not empty" in result.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["precious.txt"]
