"""Settings in a file, commands that are corrected, and runs that are gone on with after something was moved."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from command import run as command
from drawings import NAMES, lay
from small_runs import QUICK, contents, gan_options, refused, succeeded

from vitrail.gan.run_state import RunState

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """A classifier of yes and no, and one of 1, 2 and 3, each with its images."""
    home = tmp_path_factory.mktemp("classifiers")
    for root, names in (("words", ("yes", "no")), ("numbers", ("1", "2", "3"))):
        lay(home / root, dict.fromkeys(names, 6))
        succeeded(home / f"{root}-run", "transfer", home / root, *QUICK, "--no-use-cache")
    return home


ATTACKS = {
    "a word": ("words", "yes", "no", "target: no"), "a number": ("numbers", "1", "3", "target: 3"),
    "a list": ("numbers", "1", "2", "target: [2]"), "a quoted word": ("words", "no", "yes", "target: 'yes'"),
}  # fmt: skip


@pytest.mark.parametrize("what", ATTACKS)
def test_a_class_in_a_file_is_that_of_the_command_line(what, classifiers):
    """23: The class is called `no` or `3`, which YAML takes for something else."""
    root, source, target, line = ATTACKS[what]
    image = classifiers / root / source / "000.png"
    Path("a.yaml").write_text(f"backbone: {classifiers / root}-run\n{line}\nsteps: 4\n")
    typed = ("--backbone", f"{classifiers / root}-run", "--target", target, "--steps", 4)
    first = succeeded("typed", "attack", image, *typed).result["images"]
    again = succeeded("read", "attack", image, "--config", "a.yaml").result["images"]
    assert again == first
    assert again[0]["target"]["name"] == target
    if what == "a number":
        Path("b.yaml").write_text(f"{Path('a.yaml').read_text()}images: {image}\n")  # the image too, one for a list
        assert succeeded("whole", "attack", "--config", "b.yaml").result["images"] == first
        Path("c.yaml").write_text(f"backbone: {classifiers / root}-run\n{line}\nmethod: gradient\nfaithfulness: no\n")
        run = succeeded("map", "explain", image, "--config", "c.yaml")
        assert run.result["images"][0]["target"]["name"] == target


def test_the_settings_of_a_run_are_such_a_file(classifiers):
    """23: The `settings.json` of a run is given as `--config`, as it is and with something changed."""
    image = classifiers / "words" / "yes" / "000.png"
    options = ("--backbone", classifiers / "words-run", "--target", "no", "--steps", 4)
    first = succeeded("first", "attack", image, *options)
    again = succeeded("again", "attack", "--config", "first/settings.json")
    assert again.result["images"] == first.result["images"]
    assert "yes" in refused("attack", "--config", "first/settings.json", "--target", "yes")
    sentence = refused("explain", "--config", "first/settings.json")
    assert "holds the settings of attack. Use those of a run of explain." in sentence


def test_what_to_learn_from_may_stand_in_the_file(classifiers, stored):
    """23: The folder of images, which is given without an option, stands in the file; a single number is a list."""
    lines = [f"folder: {classifiers / 'words'}", "backbone: tiny", "layer: features", "C: 1", "find-copies: no"]
    Path("a.yaml").write_text("\n".join([*lines, f"cache: {stored}", ""]))
    run = succeeded("run", "transfer", "--config", "a.yaml")
    assert (run.classes, run.result["choice"]["C"]) == (["no", "yes"], 1)


def test_a_run_folder_in_the_file_is_taken_or_the_option_named(classifiers, stored):
    """23: The file names the run folder too, which is no setting of the work: taken, or said where it belongs."""
    Path("a.yaml").write_text("backbone: tiny\nlayer: features\nC: 1\nrun: chosen\n")
    done = command("transfer", classifiers / "words", "--config", "a.yaml", "--cache", stored)
    if done.exit_code:
        assert "--run" in done.stderr
        assert not Path("chosen").exists()
    else:
        assert Path("chosen/result.json").exists()


def test_a_mistake_in_a_command_is_corrected_with_the_same_run(stored):
    """30: A layer that is not there, and then one that is, with the same `--run`."""
    data = lay("data", dict.fromkeys(NAMES, 4))
    wrong = ("--backbone", "tiny", "--layer", "no-such-layer", "--cache", stored)
    assert "no-such-layer" in refused("transfer", data, *wrong, "--run", "run")
    assert succeeded("run", "transfer", data, *QUICK, "--cache", stored).classes == list(NAMES)


def test_the_advice_on_a_batch_too_large_is_followed_with_the_same_run(stored):
    """30: Nothing but defaults, and fewer images than a batch has; then the command that the message names."""
    data = lay("data", {".": 20})
    words = ("gan", "train", data, *gan_options(batch=None), "--cache", stored)
    sentence = refused(*words, "--run", "run")
    assert sentence == "A batch of 64 is larger than the data (15 images). Use --batch 15."
    assert succeeded("run", *words, *sentence.rpartition("Use ")[2].rstrip(".").split()).data["images"] == 20


def test_a_run_that_is_there_is_not_written_into(classifiers):
    """30: The run folder holds an earlier run: the command is refused, and the folder stays as it was."""
    shutil.copytree(classifiers / "words-run", "run")
    assert "not empty" in refused("transfer", classifiers / "words", *QUICK, "--run", "run")


@pytest.fixture(scope="module")
def once(stored, tmp_path_factory):
    """In a folder: a generator's run of one epoch in `run`, and its images in `data`; typed there."""
    before, home = Path.cwd(), tmp_path_factory.mktemp("once")
    os.chdir(home)
    lay("data", {".": 20})
    succeeded("run", "gan", "train", "data", *gan_options(), "--cache", stored)
    os.chdir(before)
    return home


@pytest.fixture
def trained(once):
    """A copy of it in `here`, seen from the folder around."""
    return shutil.copytree(once, "here")


def resume(*options, data=(), to="here/run"):
    return command("gan", "train", *data, "--resume", to, *options)


def test_a_resume_that_failed_once_changed_nothing(trained):
    """35: The disk with the images is not there when a training is gone on with; then it is."""
    Path("here/data").rename("here/gone")
    before = contents(Path("here"))
    done = resume("--epochs", 3)
    assert done.exit_code in (1, 2)
    assert done.stderr.endswith("which is not there. Use --data PATH, where the images are now.\n")
    assert contents(Path("here")) == before
    assert json.loads(Path("here/run/settings.json").read_text())["settings"]["epochs"] == 1
    Path("here/gone").rename("here/data")
    done = resume("--epochs", 3)
    assert done.exit_code == 0, done.output
    assert json.loads(Path("here/run/result.json").read_text())["epochs"] == 3
    done = command("replay", "here/run", "--json")
    assert (done.exit_code, json.loads(done.stdout)["equal"]) == (0, True)


@pytest.mark.parametrize("wrong", [("--epochs", 3, "--batch", 4), ("--epochs", 3, "--size", 32), ()], ids=str)
def test_a_resume_with_other_settings_changes_nothing(wrong, trained):
    """35: A setting is changed that cannot be, or there is nothing left to do."""
    assert "Use --epochs" in (said := refused("gan", "train", "--resume", "here/run", *wrong)) or "Leave it out" in said


def test_a_run_is_gone_on_with_from_another_directory(trained, stored):
    """18: The run and its images stay, and the commands are typed elsewhere."""
    options = ("--samples", 12, "--no-gan-train", "--feature-extractor", "tiny", "--cache", stored)
    assert "not those of the training" not in succeeded("e", "gan", "evaluate", "here/run", *options).said
    assert resume("--epochs", 2).exit_code == 0
    done = command("replay", "here/run", "--json")
    assert (done.exit_code, json.loads(done.stdout)["equal"]) == (0, True)


def test_a_run_is_gone_on_with_after_its_images_were_moved(trained, stored):
    """18: The images are in another folder by now: the message names the option, and the option helps."""
    Path("here/data").rename("moved")
    done = command("gan", "evaluate", "here/run", "--samples", 12, "--no-gan-train", "--cache", stored, "--run", "e")
    assert done.exit_code == 1
    assert "Use --data PATH, where the images are now." in done.stderr
    assert not Path("e").exists()
    options = ("--samples", 12, "--no-gan-train", "--feature-extractor", "tiny", "--cache", stored, "--data", "moved")
    run = succeeded("e", "gan", "evaluate", "here/run", *options)
    assert "not those of the training" not in run.said
    assert resume("--epochs", 2, "--data", "moved").exit_code == 0
    assert resume("--epochs", 3, data=["moved"]).exit_code == 0
    assert command("gan", "sample", "here/run", "--count", 2, "--run", "s").exit_code == 0
    assert command("report", "here/run", "--output", "page.html").exit_code == 0


@pytest.mark.parametrize("moved", [False, True])
def test_a_classifiers_run_is_repeated_from_another_directory(moved, stored):
    """18: A run of `transfer`, whose folder of images was given as it is seen from its own directory."""
    Path("here").mkdir()
    os.chdir("here")
    lay("data", dict.fromkeys(NAMES, 4))
    succeeded("run", "transfer", "data", *QUICK, "--cache", stored)
    os.chdir("..")
    options = []
    if moved:
        Path("here/data").rename("moved")
        assert "Use --data PATH, where the images are now." in refused("replay", "here/run", "--runs", "here")
        options = ["--data", "moved"]
    done = command("replay", "here/run", "--json", *options)
    assert (done.exit_code, json.loads(done.stdout)["equal"]) == (0, True), done.output
    images = sorted(Path("moved" if moved else "here/data").rglob("*.png"))
    assert len(succeeded("p", "predict", "here/run", *images, "--cache", stored).result["images"]) == 12


def test_a_training_that_is_stopped_names_the_way_on(monkeypatch, stored):
    """25: Ctrl-C while a generator is trained: the message is the command that goes on, and that command works."""
    add = RunState.add

    def interrupted(self, step):
        add(self, step)
        if step.index == 4:
            signal.raise_signal(signal.SIGINT)

    lay("data", {".": 24})
    with monkeypatch.context() as patched:
        patched.setattr(RunState, "add", interrupted)
        done = command("gan", "train", "data", *gan_options(epochs=3), "--cache", stored, "--run", "run")
    assert done.exit_code == 130
    last = done.stderr.splitlines()[-1]
    assert last == "Error: Stopped. Use `vitrail gan train --resume run` to go on."
    assert len(succeeded("s", "gan", "sample", "run", "--count", 2).result["images"]) == 2
    done = command(*last.split("`")[1].split()[1:])
    assert done.exit_code == 0, done.output
    assert json.loads(Path("run/result.json").read_text())["epochs"] == 3
