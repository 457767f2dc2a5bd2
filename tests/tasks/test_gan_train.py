"""`vitrail gan train`: what it leaves behind, that it goes on to the bit, and what it says when something is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run
from PIL import Image
from safetensors.torch import load_file

from vitrail.gan_training.checkpoints import pack, unpack

TINY = ("--size", 16, "--width", 4, "--batch", 8, "--samples", 12, "--final-samples", 12, "--speed", "plain")


def trained(data, folder, *options, cache):
    return run("gan", "train", data, "--run", folder, "--cache", cache, *TINY, *options)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(stripes, cache, tmp_path_factory):
    """A run of four epochs on stripes."""
    folder = tmp_path_factory.mktemp("gan") / "run"
    done = trained(stripes, folder, "--epochs", 4, cache=cache)
    assert done.exit_code == 0, done.output
    return folder


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def last_checkpoint(folder):
    return unpack(sorted((folder / "checkpoints").glob("step-*"))[-1])


def test_every_figure_has_its_floor_and_says_what_measured_it(finished):
    result = result_of(finished)
    assert result["task"] == "gan-train"
    sha = result["judge"]["sha256"]
    assert {each["metric"] for each in result["metrics"]} >= {
        *("frechet-distance", "kernel-distance", "precision", "recall", "density", "coverage"),
        *("distance-ratio", "unique-neighbours", "novelty"),
    }
    for each in result["metrics"]:
        assert each["name"].endswith(f"[judge@{sha[:8]}, 128, 12]")
        assert np.isfinite([each["value"], each["floor"]]).all()
        assert each["n"] == 12
        assert each["backbone"] == {"name": "judge", "sha256": sha}
    assert 0 <= result["label_agreement"] <= 1
    assert result["judge"]["n"] == 12
    assert result["choices"]["way"] == "plain"
    assert result["images_per_second"] > 0
    assert result["steps"] == 12
    assert result["epochs"] == 4


def test_its_evolution_is_kept(finished):
    names = {path.name for folder in ("images", "plots") for path in (finished / folder).iterdir()}
    assert {f"samples_{epoch:04d}.png" for epoch in range(1, 5)} | {"real.png", "samples.png"} <= names
    assert {"losses.png", "beliefs.png", "distance.png", "scores.png", "evolution.gif"} <= names
    with Image.open(finished / "images" / "evolution.gif") as animation:
        assert animation.n_frames == 4
    lines = [json.loads(line) for line in (finished / "events.jsonl").read_text().splitlines()]
    figures = [line["values"] for line in lines if line.get("stage") == "training"]
    assert figures[-1]["step"] == 12
    assert {"discriminator_loss", "generator_loss", "real", "d_fake_before_g", "d_fake_after_g"} <= figures[0].keys()
    history = (finished / "tables" / "history.csv").read_text().splitlines()
    assert len(history) == 5
    last = dict(zip(history[0].split(","), history[-1].split(","), strict=True))
    told = result_of(finished)["last_epoch"]
    assert told == {name: float(last[name]) for name in told}
    assert {"discriminator_loss", "generator_loss", "real", "d_fake_before_g", "d_fake_after_g"} <= told.keys()


def test_the_last_checkpoints_and_the_best_are_kept(finished):
    kept = sorted(path.name for path in (finished / "checkpoints").iterdir())
    best = f"step-{result_of(finished)['best']['step']:08d}.safetensors"
    assert set(kept) == {best, "step-00000009.safetensors", "step-00000012.safetensors"}


def test_the_generator_that_is_kept_made_the_samples_that_are_shown(finished, tmp_path):
    shown = np.asarray(Image.open(finished / "images" / "samples.png"))
    made = run("gan", "sample", finished, "--class", "across", "--seed", 0, "--count", 1, "--run", tmp_path / "one")
    assert made.exit_code == 0, made.output
    tile = np.asarray(Image.open(tmp_path / "one" / "images" / "sample_000000.png"))
    enlarged = tile.repeat(3, axis=0).repeat(3, axis=1)  # 16 pixels are shown as 48
    height, width = shown.shape[:2]
    places = [
        (top, left)
        for top in range(15, 30)
        for left in range(width - 48)
        if np.array_equal(shown[top : top + 48, left : left + 48], enlarged)
    ]
    assert places


def test_a_sample_is_the_same_in_any_company(finished, tmp_path):
    for name, options in (("many", ("--seed", 3, "--count", 9)), ("one", ("--seed", 8, "--count", 1))):
        done = run("gan", "sample", finished, "--class", "noise", *options, "--run", tmp_path / name)
        assert done.exit_code == 0, done.output
    many, one = ((tmp_path / name / "images" / "sample_000008.png").read_bytes() for name in ("many", "one"))
    assert many == one
    entries = result_of(tmp_path / "many")["images"]
    assert [entry["seed"] for entry in entries] == list(range(3, 12))
    assert {entry["class"] for entry in entries} == {"noise"}


def test_it_is_measured_again_alike(finished, cache, tmp_path):
    done = run("gan", "evaluate", finished, "--cache", cache, "--samples", 12, "--run", tmp_path / "e")
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "e")
    floors = {each["name"]: each["floor"] for each in result["metrics"]}
    assert floors == {each["name"]: each["floor"] for each in result_of(finished)["metrics"]}
    assert result["gan_train"].keys() == {"accuracy", "floor", "n"}


def test_it_is_measured_again_without_what_cannot_be_read(finished, stripes, cache, tmp_path):
    copy = shutil.copytree(stripes, tmp_path / "data")
    (copy / "train" / "noise" / "0.png").write_text("no image")
    options = ("--cache", cache, "--samples", 12, "--no-gan-train", "--run", tmp_path / "e")
    done = run("gan", "evaluate", finished, "--data", copy, *options)
    assert done.exit_code == 0, done.output
    assert "noise/0.png" in result_of(tmp_path / "e")["skipped"][0]["reason"]


def test_few_real_images_are_measured_without_neighbours(stripes, cache, tmp_path):
    done = trained(stripes / "train", tmp_path / "r", "--epochs", 1, "--held-out", 0.1, cache=cache)
    assert done.exit_code == 0, done.output
    measured = {each["metric"] for each in result_of(tmp_path / "r")["metrics"]}
    assert "frechet-distance" in measured
    assert "coverage" not in measured


def test_a_judge_that_the_disk_does_not_give_is_made_again(stripes, cache, finished, tmp_path, monkeypatch):
    read_bytes = Path.read_bytes

    def failing(path):
        if path.parent.name == "judges":
            raise OSError(5, "Input/output error")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    done = trained(stripes, tmp_path / "r", "--epochs", 1, cache=cache)
    assert done.exit_code == 0, done.output
    assert result_of(tmp_path / "r")["judge"] == result_of(finished)["judge"]


def test_a_run_without_labels_or_that_tells_none(stripes, cache, tmp_path):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, "--conditional", "no", cache=cache)
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "r")
    assert result["architecture"] == "dcgan"
    assert result["label_agreement"] is None
    done = run("gan", "sample", tmp_path / "r", "--class", "noise", "--run", tmp_path / "s")
    assert done.exit_code == 1
    assert "told nothing" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--architecture", "conditional-mlp", "--updates", "2:1"),
        ("--architecture", "residual", "--loss", "relativistic", "--augment"),
        ("--loss", "wasserstein-gp", "--discriminator-sees-label", "no", "--updates", "1:2"),
        ("--loss", "saturating", "--smoothing", "0.1", "--mismatched", "yes", "--generator-beta1", "0"),
    ],
)
def test_every_knob_turns(stripes, cache, tmp_path, options):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, *options, cache=cache)
    assert done.exit_code == 0, done.output
    assert np.isfinite([each["value"] for each in result_of(tmp_path / "r")["metrics"]]).all()


def start(data, folder, cache, *options):
    command = [
        sys.executable,
        "-m",
        "vitrail",
        "gan",
        "train",
        data,
        "--run",
        folder,
        "--cache",
        cache,
        *TINY,
        *options,
    ]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=surroundings
    )


def wait_for_checkpoints(process, folder, count):
    for _ in range(1200):
        names = sorted(path.name for path in Path(folder, "checkpoints").glob("step-*"))
        if names and int(names[-1][5:13]) >= 3 * count:
            return
        assert process.poll() is None
        time.sleep(0.05)
    raise AssertionError("no checkpoint came")


def test_ctrl_c_and_kill_lose_nothing(stripes, cache, tmp_path):
    """Stopped by Ctrl-C, gone on with, killed, gone on with: every tensor and figure as in one run."""
    epochs = ("--epochs", 40)
    whole = start(stripes, tmp_path / "whole", cache, *epochs)
    assert whole.wait(300) == 0
    broken = start(stripes, tmp_path / "broken", cache, *epochs)
    wait_for_checkpoints(broken, tmp_path / "broken", 2)
    broken.send_signal(signal.SIGINT)
    assert broken.wait(60) == 130
    assert not (tmp_path / "broken" / "result.json").exists()
    reached = last_checkpoint(tmp_path / "broken")[1]["position"]
    resume = [sys.executable, "-m", "vitrail", "gan", "train", "--resume", str(tmp_path / "broken")]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    again = subprocess.Popen(resume, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=surroundings)
    wait_for_checkpoints(again, tmp_path / "broken", reached // 3 + 3)
    again.send_signal(signal.SIGKILL)
    again.wait(60)
    last = subprocess.run(resume, capture_output=True, check=False, env=surroundings)
    assert last.returncode == 0, last.stderr.decode()
    (one, about_one), (two, about_two) = (last_checkpoint(tmp_path / name) for name in ("whole", "broken"))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    assert about_one == about_two
    assert result_of(tmp_path / "whole")["metrics"] == result_of(tmp_path / "broken")["metrics"]
    kept = (load_file(tmp_path / name / "weights" / "generator.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(a, b) for a, b in zip(*(each.values() for each in kept), strict=True))


def test_ctrl_c_in_an_epochs_last_step_ends_the_epoch(stripes, cache, tmp_path, finished, monkeypatch):
    from vitrail.tasks.gan_training_state import Training

    add = Training.add

    def interrupted(self, step):
        add(self, step)
        if step.index == 6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Training, "add", interrupted)
    assert trained(stripes, tmp_path / "r", "--epochs", 4, cache=cache).exit_code == 130
    monkeypatch.undo()
    assert run("gan", "train", "--resume", tmp_path / "r").exit_code == 0
    assert last_checkpoint(tmp_path / "r")[1]["history"] == last_checkpoint(finished)[1]["history"]
    films = [(folder / "images" / "evolution.gif").read_bytes() for folder in (tmp_path / "r", finished)]
    assert films[0] == films[1]


def test_a_finished_run_is_gone_on_with_only_for_more_epochs(finished):
    done = run("gan", "train", "--resume", finished)
    assert done.exit_code == 1
    assert "finished, its 4 epochs are done; --epochs 8 would go on" in done.stderr


def test_other_settings_than_the_runs_are_refused(finished):
    done = run("gan", "train", "--resume", finished, "--epochs", 9, "--batch", 16)
    assert done.exit_code == 1
    assert "--resume goes on with batch = 8; got 16" in done.stderr


def copy_of(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def test_more_epochs_go_on(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "images" / "samples_0002.png").unlink()
    done = run("gan", "train", "--resume", folder, "--epochs", 5)
    assert done.exit_code == 0, done.output
    with Image.open(folder / "images" / "evolution.gif") as film:
        assert film.n_frames == 4
    assert result_of(folder)["epochs"] == 5
    assert result_of(folder)["steps"] == 15
    assert "resume" not in json.loads((folder / "settings.json").read_text())["settings"]


def test_a_checkpoint_cut_short_or_of_other_players(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "result.json").unlink()
    last = sorted((folder / "checkpoints").glob("step-*"))[-1]
    data = last.read_bytes()
    last.write_bytes(data[: len(data) // 2])
    done = run("gan", "train", "--resume", folder)
    assert done.exit_code == 1
    assert "cut short or damaged" in done.stderr
    last.write_bytes(data)
    tensors, about = unpack(last)
    about["players"]["arguments"]["width"] = 8
    last.write_bytes(pack(tensors, about))
    done = run("gan", "train", "--resume", folder)
    assert done.exit_code == 1
    assert "other players" in done.stderr


def test_a_full_disk_leaves_the_checkpoint_before(stripes, cache, tmp_path, monkeypatch):
    from vitrail import files

    write, room = files._write_all, 2

    def full(descriptor, data):
        nonlocal room
        if b"players" in bytes(memoryview(data).cast("B")[:20_000]):
            room -= 1
            if room < 0:
                raise OSError(28, "No space left on device")
        write(descriptor, data)

    monkeypatch.setattr(files, "_write_all", full)
    done = trained(stripes, tmp_path / "r", "--epochs", 4, cache=cache)
    assert done.exit_code == 1
    assert "the disk is full" in done.stderr
    monkeypatch.undo()
    assert last_checkpoint(tmp_path / "r")[1]["epochs_done"] == 2
    assert run("gan", "train", "--resume", tmp_path / "r").exit_code == 0
    assert result_of(tmp_path / "r")["epochs"] == 4


@pytest.fixture
def only(monkeypatch):
    """Alarms of other kinds than the one looked for are kept out: so small a game raises many."""
    from vitrail.tasks import gan_training_state

    def keep(name):
        for table in ("game_alarms", "sample_alarms"):
            found = getattr(gan_training_state, table)

            def kept(*given, found=found, **options):
                return (alarm for alarm in found(*given, **options) if alarm.name == name)

            monkeypatch.setattr(gan_training_state, table, kept)

    return keep


def test_a_collapse_is_reported_at_the_next_measurement(stripes, cache, tmp_path, monkeypatch, only):
    """A generator that makes real images, and from the third epoch on always the same one."""
    from vitrail.tasks.gan_training_state import Training

    def images(self, _, evaluation):
        return (
            self.train.images[: evaluation.count] if self.epochs_done < 3 else self.train.images[:1].repeat(12, 1, 1, 1)
        )

    only("mode-collapse")
    monkeypatch.setattr(Training, "images", images)
    done = trained(stripes, tmp_path / "r", "--epochs", 6, "--on-alarm", "stop", cache=cache)
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "r")
    (alarm,) = result["alarms"]
    assert (alarm["epoch"], result["epochs"]) == (3, 3)
    assert alarm["value"] < alarm["threshold"]
    assert result["best"]["epoch"] < 3


def test_a_game_that_blows_up_at_once_says_so(stripes, cache, tmp_path):
    done = trained(stripes, tmp_path / "r", "--epochs", 6, "--generator-rate", "1e30", cache=cache)
    assert done.exit_code == 1
    assert "broke down in epoch 1" in done.stderr
    assert "--rate 2e-05 may work" in done.stderr


@pytest.mark.parametrize("on_alarm", ["warn", "rollback"])
def test_a_game_that_blows_up_later_leaves_its_best(stripes, cache, tmp_path, monkeypatch, only, on_alarm):
    from vitrail.tasks.gan_training_state import Training

    end, seen = Training.end_epoch, []

    def broken(self):
        means = end(self)
        seen.append(means)
        if len(seen) == 3:
            for weights in self.game.generator.parameters():
                weights.data.fill_(float("nan"))
            return {**means, "generator_loss": float("nan")}
        return means

    only("nan")
    monkeypatch.setattr(Training, "end_epoch", broken)
    done = trained(stripes, tmp_path / "r", "--epochs", 5, "--on-alarm", on_alarm, cache=cache)
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "r")
    assert [alarm["name"] for alarm in result["alarms"]][:1] == ["nan"]
    assert result["alarms"][0]["value"] is None
    assert result["epochs"] == (3 if on_alarm == "warn" else 5)
    assert result["rollbacks"] == (0 if on_alarm == "warn" else 1)
    assert np.isfinite([each["value"] for each in result["metrics"]]).all()


def test_a_rollback_goes_on_from_the_best_at_half_the_rates(stripes, cache, tmp_path, monkeypatch, only):
    from vitrail.gan_training.alarms import Alarm
    from vitrail.tasks import gan_training_state

    seen = []

    def once(steps, relative=False):
        seen.append(steps)
        if len(seen) == 3:
            yield Alarm("discriminator-blind", "difference", 0.0, 0.02, "D is blind.")

    only("none")
    monkeypatch.setattr(gan_training_state, "game_alarms", once)
    done = trained(stripes, tmp_path / "r", "--epochs", 5, "--on-alarm", "rollback", cache=cache)
    assert done.exit_code == 0, done.output
    assert "Rolled back to epoch" in done.stdout
    assert result_of(tmp_path / "r")["rollbacks"] == 1
    assert result_of(tmp_path / "r")["epochs"] == 5
    assert last_checkpoint(tmp_path / "r")[1]["rollbacks"] == 1  # a resumed run would not go back behind it


def test_a_checkpoint_after_a_rollback_is_the_last_one(stripes, cache, monkeypatch, only):
    """Those of the steps that were undone are gone: a resumed run would go on from the latest."""
    from vitrail.events import Checkpoint, Note
    from vitrail.gan_training.alarms import Alarm
    from vitrail.tasks import gan_training_state
    from vitrail.tasks.gan_train import GanTrain

    looks = []

    def in_the_fifth(steps, relative=False):
        looks.append(steps)
        if len(looks) == 5:
            yield Alarm("discriminator-blind", "difference", 0.0, 0.02, "D is blind.")

    only("none")
    monkeypatch.setattr(gan_training_state, "game_alarms", in_the_fifth)
    small = {"size": 16, "width": 4, "batch": 8, "samples": 12, "final_samples": 12, "speed": "plain"}
    task = GanTrain(data=str(stripes), epochs=6, evaluate_every=3, keep=3, on_alarm="rollback", cache=cache, **small)
    events = list(task.run())
    back = next(row for row, event in enumerate(events) if isinstance(event, Note) and "Rolled back" in event.text)
    before = [event for event in events[:back] if isinstance(event, Checkpoint)][-1]
    after = next(event for event in events[back:] if isinstance(event, Checkpoint))
    assert after.name == "step-00000009.safetensors"
    assert max(before.retained) == "step-00000012.safetensors"
    assert max(after.retained) == after.name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--updates", "5"), "--updates takes D:G"),
        (("--architecture", "dcgan", "--conditional", "yes"), "the dcgan takes none"),
        (("--architecture", "conditional-mpl"), "Did you mean 'conditional-mlp'"),
        (("--loss", "hing"), "Did you mean 'hinge'"),
        (("--size", "20"), "makes images of 8, 16, 32, 64, 128 pixels; got 20"),
        (("--batch", "99"), "larger than the data"),
        (("--loss", "hinge", "--smoothing", "0.1"), "no probabilities to smooth"),
        (("--loss", "relativistic", "--mismatched", "yes"), "takes no mismatched labels"),
        (("--discriminator-sees-label", "no", "--mismatched", "yes"), "it must see them"),
    ],
)
def test_bad_settings_are_one_sentence(stripes, cache, tmp_path, options, says):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, *options, cache=cache)
    assert done.exit_code in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_nothing_to_learn_from():
    done = run("gan", "train", "--epochs", 1)
    assert done.exit_code == 1
    assert "nothing to learn from" in done.stderr


def test_what_is_no_training_is_not_measured_again(finished, cache, tmp_path):
    done = run("gan", "sample", finished, "--count", 1, "--run", tmp_path / "s")
    assert done.exit_code == 0, done.output
    done = run("gan", "evaluate", tmp_path / "s", "--cache", cache, "--run", tmp_path / "e")
    assert done.exit_code == 1
    assert "holds no generator" in done.stderr
    done = run("gan", "sample", finished, "--seed", 2**70, "--run", tmp_path / "t")
    assert done.exit_code == 1
    assert "--seed must be less than" in done.stderr


def test_curves_for_tensorboard_are_written_if_asked_for(stripes, cache, tmp_path):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, "--tensorboard", tmp_path / "board", cache=cache)
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "board").iterdir()
    written = file.read_bytes()
    for name in (b"discriminator_loss", b"d_fake_after_g", b"frechet-distance"):
        assert name in written


def test_curves_for_tensorboard_need_an_extra(stripes, cache, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    done = trained(stripes, tmp_path / "r", "--epochs", 1, "--tensorboard", tmp_path / "board", cache=cache)
    assert done.exit_code == 1
    assert "pip install 'vitrail[tensorboard]'" in done.stderr


def test_a_training_is_repeated_with_equal_figures(tmp_path):
    options = (
        "--epochs",
        1,
        "--width",
        4,
        "--images",
        64,
        "--samples",
        16,
        "--final-samples",
        16,
        "--speed",
        "plain",
    )
    done = run("gan", "train", "digits", *options, "--cache", tmp_path / "cache", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    again = run("replay", tmp_path / "run", "--runs", tmp_path / "again", "--json")
    assert json.loads(again.stdout)["differences"] == []
