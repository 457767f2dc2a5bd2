"""Options that cannot be, and outputs that cannot be written: the exit code, and one sentence."""

import os
import subprocess
import sys

import numpy as np
import pytest
from command import run

import vitrail
from vitrail.errors import BadSetting
from vitrail.tasks import TASKS

INFINITE = [
    ("attack", "a.png", "--epsilon"),
    ("attack", "a.png", "--confidence"),
    ("attack", "a.png", "--magnify"),
    ("attack", "a.png", "--step-size"),
    ("explain", "a.png", "--noise"),
    ("audit", "folder", "--linf"),
    ("transfer", "folder", "--C"),
    ("transfer", "folder", "--learning-rate"),
    ("visualise", "spider", "--step-size"),
    ("gan", "train", "digits", "--learning-rate"),
    ("gan", "train", "digits", "--gradient-penalty"),
]


def assert_wrong_option(done, *words):
    assert done.exit_code == 2, done.output
    said = " ".join(done.stderr.split())
    assert all(word in said for word in words), said
    assert "Traceback" not in said


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e400"])
@pytest.mark.parametrize("words", INFINITE, ids=lambda words: f"{words[0]} {words[-1]}")
def test_numbers_are_finite(words, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_wrong_option(run(*words, value), words[-1])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["explain a.png", "attack a.png", "transfer folder", "visualise spider", "audit folder"]
)
@pytest.mark.parametrize("seed", [-1, 2**32, 2**80, 0.5])
def test_seeds_are_whole_numbers_of_32_bits(name, seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_wrong_option(run(*name.split(), "--seed", seed), "--seed")


@pytest.mark.parametrize(
    "words",
    [
        "classify {}",
        "classify a --run {}",
        "classify a --runs {}",
        "classify a --config {}",
        "report {}",
        "predict {} a",
    ]
    + ["audit {}", "gan sample {}", "explain a --weights {}"],
)
def test_an_empty_path_is_not_the_working_directory(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_wrong_option(run(*(word.format("") for word in words.split())), "the path is empty")


@pytest.mark.parametrize(
    "words", ["transfer a --layer ,", "transfer a --backbone ,,", "explain a --method ,", "transfer a --C ,"]
)
def test_a_list_has_something_between_its_commas(words):
    assert_wrong_option(run(*words.split()), words.split()[2], "Use a,b")


@pytest.mark.parametrize(
    "words", ["classify {}", "transfer {}", "report {}", "gan sample {}", "predict {} a", "classify a --run {}"]
)
@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000])
def test_a_name_that_is_too_long_is_said_to_be(words, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*words.format(name).split())
    assert done.exit_code == 1
    assert done.stderr.count("Error: ") == 1
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("top_k: 1\ntop-k: 2", "gives 'top-k' twice"),
        ("top_k: 1\ntop_k: 2", "'top_k' is given twice"),
        ("depth: 1", "Unknown setting 'depth'"),
        ("tpo_k: 1", "Did you mean 'top-k'"),
        ("top_k: .inf", "--top-k must be"),
        ("backbone: [a]", "--backbone must be a text"),
    ],
)
def test_a_wrong_settings_file_is_one_sentence(text, words, tmp_path):
    (tmp_path / "settings.yaml").write_text(text)
    assert_wrong_option(run("classify", "a.png", "--config", tmp_path / "settings.yaml"), words)


def test_numbers_and_nothing_in_a_settings_file_are_what_they_say(tmp_path):
    (tmp_path / "settings.yaml").write_text("target: 5\nmethod:\nsamples: 3")
    done = run("explain", tmp_path / "none.png", "--config", tmp_path / "settings.yaml")
    assert "There is no image" in done.stderr


def test_a_pipe_is_no_settings_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert_wrong_option(run("classify", "a.png", "--config", tmp_path / "pipe"), "it is a pipe or a device.")


def test_a_reader_that_leaves_is_no_failure_and_a_full_disk_is_one():
    command = [sys.executable, "-m", "vitrail", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as closed:
        closed.stdout.close()
        assert closed.stderr.read() == ""
    assert closed.returncode == 0
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left" in done.stderr


@pytest.mark.parametrize(
    ("words", "near"),
    [("transfers a", "transfer"), ("gan trains a", "train"), ("studios", "studio"), ("gans train", "gan")],
)
def test_a_wrong_command_is_answered_with_a_near_one(words, near):
    assert_wrong_option(run(*words.split()), words.split()[-2 if " " in words else 0], near)


BLANK = [
    (name, field)
    for name, task in ((name, TASKS[name]) for name in TASKS)
    for field, info in task.model_fields.items()
    if isinstance(info.default, str | tuple) and info.default
]


@pytest.mark.parametrize(("name", "field"), BLANK)
@pytest.mark.parametrize("value", ["", (), []])
def test_an_empty_value_is_not_taken_for_the_default(name, field, value):
    task = TASKS[name]
    needed = {each: ("a",) for each, info in task.model_fields.items() if info.is_required()}
    needed |= {each: "a" for each in needed if "tuple" not in str(task.model_fields[each].annotation)}
    with pytest.raises(BadSetting, match="is empty|must be"):
        task(**{**needed, field: value})


@pytest.mark.parametrize("value", [np.zeros(3), [np.zeros(3)]])
def test_an_array_is_no_path_in_our_words(value):
    with pytest.raises(BadSetting, match="--images must be"):
        TASKS["classify"](images=value)


def test_paths_are_taken_where_names_are(tmp_path):
    assert TASKS["attack"](images=(tmp_path,), backbone=tmp_path).backbone == str(tmp_path)
    assert TASKS["explain"](images=(tmp_path,), backbone=(tmp_path, "squeezenet")).backbone == (
        str(tmp_path),
        "squeezenet",
    )
    assert TASKS["gan-train"](data=tmp_path).data == str(tmp_path)


@pytest.mark.parametrize("value", ["", [""], ("a", "")])
def test_an_empty_path_is_refused_in_python_too(value):
    with pytest.raises(BadSetting, match="must be a path"):
        TASKS["classify"](images=value)
    with pytest.raises(BadSetting, match="must be a path"):
        TASKS["classify"](images=("a",), weights="")


@pytest.mark.parametrize("value", [5, b"a", ""])
def test_a_run_folder_is_a_path(value):
    with pytest.raises(BadSetting, match="run_dir must be a path"):
        vitrail.run("classify", images=("a",), run_dir=value)


@pytest.mark.parametrize("value", [["a"], 1.5, {"a": 1}, 3, True])
@pytest.mark.parametrize("name", [name for name in TASKS if "resume" in TASKS[name].model_fields])
def test_a_run_to_resume_is_a_path(name, value):
    with pytest.raises(BadSetting, match="--resume must be a path"):
        TASKS[name](resume=value)
