import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from vitrail.cli.app import app
from vitrail.cli.printer import Printer
from vitrail.cli.progress import SHORTENING, ProgressLines
from vitrail.events import Note, Progress, Result, Summary, Table
from vitrail.tasks import TASKS
from vitrail.version import __version__


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def image(tmp_path):
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


def test_a_word_between_colons_stays_a_word(tmp_path):
    assert ":smile: d" in run("classify", tmp_path / ":smile: d", "--run", tmp_path / "r").stderr


@pytest.mark.parametrize(("encoding", "expected"), [("cp1252", "Linf ö"), ("ascii", "Linf \\xf6"), ("utf-8", "L∞ ö")])
def test_what_an_encoding_lacks_is_a_stand_in(encoding, expected, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    Printer(False).show(iter([Note("L∞ ö")]))
    out.flush()
    assert out.buffer.getvalue().decode(encoding).strip() == expected


def test_a_users_error_is_one_line(tmp_path):
    result = run("classify", tmp_path / "nothing.png", "--runs", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There is no")
    assert result.stderr.count("\n") == 1


def test_a_wrong_option_is_a_usage_error():
    assert run("classify", "x.png", "--colour", "red").exit_code == 2


def test_classify_prints_json_and_keeps_a_run(tmp_path, image):
    bad = tmp_path / "text.jpg"
    bad.write_text("no image")
    result = run("classify", image, bad, "--backbone", "squeezenet", "--json", "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "run" / "result.json").read_text())
    (entry,) = document["images"]
    assert len(entry["top"]) == 5
    assert 0 < sum(guess["probability"] for guess in entry["top"]) <= 1
    assert document["skipped"][0]["file"].endswith("text.jpg")


def test_an_earlier_run_is_never_overwritten(tmp_path, image):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious.txt").write_text("kept")
    result = run("classify", image, "--run", tmp_path / "run")
    assert result.exit_code == 1
    assert "not empty" in result.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["precious.txt"]


def test_what_is_printed_is_what_a_reader_needs(tmp_path, stripes):
    where = ["--cache", tmp_path / "c", "--run", tmp_path / "run"]
    said = run("transfer", stripes, "--backbone", "squeezenet", *where).stdout
    block, table = said.split("Per class", 1)
    for part in (
        "36 images of 3 classes (train 24, test 12)",
        "100.0 % (95 % interval",
        "chance",
        "curve_C.png",
        "confusion.png",
    ):
        assert part in block
    assert "recall" in table
    assert f"vitrail predict {tmp_path / 'run'}" in table
    assert len([line for line in block.splitlines() if line]) <= 12


def test_completion_offers_the_commands():
    words = {"_VITRAIL_COMPLETE": "complete_bash", "COMP_WORDS": "vitrail tr", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "vitrail"], env={**os.environ, **words}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["transfer"]


def test_settings_come_from_a_file_and_options_win(tmp_path, image):
    config = tmp_path / "classify.yaml"
    config.write_text("backbone: squeezenet\ntop-k: 2\n")
    done = run("classify", image, "--config", config, "--top-k", 3, "--json", "--run", tmp_path / "run")
    result = json.loads(done.stdout)
    assert result["backbone"][0]["name"] == "squeezenet"
    assert len(result["images"][0]["top"]) == 3


def test_models_lists_what_there_is_and_the_layers_of_one():
    listed = json.loads(run("models", "--json").stdout)["models"]
    (vgg,) = [entry for entry in listed if entry["name"] == "vgg16"]
    assert vgg["parameters"] == 138_357_544
    assert {"multiply_adds", "size", "licence", "weights_here"} <= vgg.keys()
    said = run("models", "vgg16").stdout
    assert "fc6" in said
    assert "512×7×7" in said
    assert "138,357,544" in said


def test_a_report_calls_the_network_by_its_name(tmp_path, image):
    assert run("classify", image, "--backbone", "squeezenet", "--run", tmp_path / "run").exit_code == 0
    assert run("report", tmp_path / "run", "--output", tmp_path / "r.html").exit_code == 0
    page = (tmp_path / "r.html").read_text()
    assert ">squeezenet<" in page
    assert "name squeezenet" not in page


def test_a_table_in_a_pipe_is_whole(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    columns = [f"heading-{number}" for number in range(40)]
    Printer(False).show(iter([Table("wide", "Wide", columns, [["x" * 30] * 40]), Result({})]))
    printed = capsys.readouterr().out
    assert all(column in printed for column in columns)
    assert printed.count("x" * 30) == 40


def test_a_title_breaks_between_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    title = "Adversarial images; norms of the perturbation in pixel intensity, 0 to 1"
    Printer(False).show(iter([Table("wide", title, ("image", "norm"), [["cat.png", 1.5]]), Result({})]))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert title in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("terminal", [True, False])
def test_long_work_says_once_how_long_and_what_shortens_it(terminal, monkeypatch):
    clock, written = [0.0], io.StringIO()
    monkeypatch.setattr("vitrail.cli.progress.time.monotonic", lambda: clock[0])
    lines = ProgressLines(
        Console(file=written, width=80, force_terminal=terminal, _environ={}, highlight=False, soft_wrap=True),
        ("--epochs", "--size"),
    )
    lines.start()
    for second in range(20):
        clock[0] = float(second)
        lines.update(Progress("Training", second, 600, unit="steps"))
    lines.stop()
    said = written.getvalue()
    assert said.count("to go") == 1
    assert "Training: about 9 min 55 s to go. Use --epochs or --size to shorten such a run." in said


def test_a_terminal_shows_at_once_that_work_begins_and_nothing_of_it_stays():
    written = io.StringIO()
    console = Console(file=written, width=80, force_terminal=True, _environ={}, highlight=False, soft_wrap=True)
    lines = ProgressLines(console)
    lines.start()
    shown = written.getvalue()
    assert "starting" in shown
    lines.update(Progress("features", 1, 1))
    assert written.getvalue().endswith("\x1b[2K")  # the line is erased
    lines.stop()
    assert "features" not in written.getvalue()
    quiet = io.StringIO()
    ProgressLines(Console(file=quiet)).start()
    assert quiet.getvalue() == ""


class Unread(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("progress", [False, True])
def test_where_nobody_reads_stderr_the_outcome_is_on_stdout_all_the_same(as_json, progress, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", Unread())
    printer = Printer(as_json)
    events = [Progress("features", 1, 1)] * progress
    printer.show(iter([*events, Note("A note."), Summary([("accuracy", "93 %")]), Result({"accuracy": 0.93})]))
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"accuracy": 0.93} if as_json else "accuracy  93 %" in printed
    assert isinstance(printer.fault, BrokenPipeError) == (progress or as_json)


def test_a_stage_that_begins_anew_is_timed_anew(monkeypatch):
    clock, written = [0.0], io.StringIO()
    monkeypatch.setattr("vitrail.cli.progress.time.monotonic", lambda: clock[0])
    lines = ProgressLines(Console(file=written, width=80))
    for second in range(40):
        clock[0] = float(second)
        lines.update(Progress("features", 1 + second % 20 * 30, 600))  # two passes of 20 seconds each
    assert "to go" not in written.getvalue()


def test_short_work_does_not_say_how_long(monkeypatch):
    clock, written = [0.0], io.StringIO()
    monkeypatch.setattr("vitrail.cli.progress.time.monotonic", lambda: clock[0])
    lines = ProgressLines(Console(file=written, width=80), ("--epochs",))
    for second in range(20):
        clock[0] = float(second)
        lines.update(Progress("Training", second, 40, unit="steps"))
    assert "to go" not in written.getvalue()


@pytest.mark.parametrize("task", SHORTENING)
def test_what_shortens_a_run_is_an_option_of_its_task(task):
    said = " ".join(run(*(("gan", task[4:]) if task.startswith("gan-") else (task,)), "--help").stdout.split())
    assert all(option in said for option in SHORTENING[task])


@pytest.mark.parametrize("columns", ["60", "80"])
def test_an_error_is_broken_between_words_on_a_terminal(columns):
    """In a terminal of its own, which `script` gives."""
    command = f"{sys.executable} -m vitrail predict none a.png"
    environment = {**os.environ, "COLUMNS": columns, "TERM": "xterm", "NO_COLOR": "1"}
    done = subprocess.run(["script", "-qec", command, "/dev/null"], env=environment, capture_output=True, text=True)
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout).splitlines()]
    assert "holds no classifier. Use a finished run of `vitrail transfer`." in " ".join(lines)
    assert all(len(line) <= int(columns) for line in lines)


@pytest.mark.parametrize("columns", [60, 80])
def test_a_list_of_names_has_them_all_at_any_width(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    Printer(False).show(TASKS["list"]().run())
    said = " ".join(capsys.readouterr().out.split())
    for name in ("classify", "predict", "squeezenet1_1", "guided-backprop", "carlini-wagner"):
        assert name in said
    assert "…" not in said


def test_what_is_not_stored_is_not_said_to_be(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    Printer(False).show(TASKS["models"]().run())
    said = capsys.readouterr().out
    assert "tables/" not in said
    assert "licence" in said


def test_a_settings_file_may_give_what_the_command_line_must_otherwise(tmp_path):
    (tmp_path / "a.yaml").write_text(f"folder: {tmp_path}/nothing\n")
    done = run("transfer", "--config", tmp_path / "a.yaml", "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert "nothing' does not exist" in done.stderr
    (tmp_path / "a.yaml").write_text("backbone: squeezenet\n")
    done = run("transfer", f"--config={tmp_path / 'a.yaml'}")
    assert done.exit_code == 2
    assert "FOLDER is missing" in done.stderr
