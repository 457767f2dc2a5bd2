"""`vitrail gan train`: the run folder, bit-identical resume, alarms, and messages for wrong settings."""

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
from vitrail.images import read_pixels

TINY = ("--size", 16, "--width", 4, "--batch", 8, "--eval-samples", 12, "--final-eval-samples", 12, "--no-autotune")


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


def test_every_metric_has_its_baseline_and_feature_extractor(finished):
    result = result_of(finished)
    assert result["task"] == "gan-train"
    sha = result["judge"]["sha256"]
    neighbours = {"precision", "recall", "density", "coverage"}
    assert {each["name"] for each in result["metrics"]} >= {
        *("frechet-distance", "kernel-distance", "distance-ratio", "unique-neighbours", "novelty")
    }
    assert {each["name"]: each["reason"] for each in result["refused"]} == dict.fromkeys(
        neighbours, "fewer than 50 images on each side (12)"
    )
    for each in result["metrics"]:
        assert each["label"].endswith(f"[judge@{sha[:8]}, 128, 12]")
        assert np.isfinite([each["value"], each["baseline"]]).all()
        assert each["n"] == 12
        constant = each["extractor"].pop("constant")
        assert each["extractor"] == {"name": "judge", "sha256": sha, "dimension": 128}
        assert 0 <= constant < 128
    assert "too few" in result["uncertified"]
    assert 0 <= result["label_agreement"] <= 1
    assert result["judge"]["n"] == 12
    assert result["choices"]["mode"] == "reference"
    assert result["images_per_second"] > 0
    assert result["steps"] == 12
    assert result["epochs"] == 4


def test_samples_and_curves_of_every_epoch_are_stored(finished):
    names = {path.name for folder in ("images", "plots") for path in (finished / folder).iterdir()}
    assert {f"samples_{epoch:04d}.png" for epoch in range(1, 5)} | {"real.png", "samples.png"} <= names
    assert {"losses.png", "beliefs.png", "distance.png", "scores.png", "evolution.gif"} <= names
    with Image.open(finished / "images" / "evolution.gif") as animation:
        assert animation.n_frames == 4
    lines = [json.loads(line) for line in (finished / "events.jsonl").read_text().splitlines()]
    values = [line["values"] for line in lines if line.get("stage") == "training"]
    assert values[-1]["step"] == 12
    assert {"discriminator_loss", "generator_loss", "d_real", "d_fake_before_g", "d_fake_after_g"} <= values[0].keys()
    history = (finished / "tables" / "history.csv").read_text().splitlines()
    assert len(history) == 5
    last = dict(zip(history[0].split(","), history[-1].split(","), strict=True))
    means = result_of(finished)["last_epoch"]
    assert means == {name: float(last[name]) for name in means}
    assert {"discriminator_loss", "generator_loss", "d_real", "d_fake_before_g", "d_fake_after_g"} <= means.keys()


def test_no_note_is_given_twice_and_progress_is_short(finished):
    lines = [json.loads(line) for line in (finished / "events.jsonl").read_text().splitlines()]
    notes = [line["text"] for line in lines if line["event"] == "note"]
    assert len(notes) > 1
    assert len(notes) == len(set(notes))
    details = [line["detail"] for line in lines if line.get("stage") == "training"]
    assert details
    assert max(map(len, details)) <= 40
    assert all("img/s" in detail for detail in details)


def test_the_latest_checkpoints_and_the_best_are_retained(finished):
    names = sorted(path.name for path in (finished / "checkpoints").iterdir())
    best = f"step-{result_of(finished)['best']['step']:08d}.safetensors"
    assert set(names) == {best, "step-00000009.safetensors", "step-00000012.safetensors"}


def test_the_stored_generator_is_that_of_the_samples(finished, tmp_path):
    shown = np.asarray(Image.open(finished / "images" / "samples.png"))
    sampled = run("gan", "sample", finished, "--class", "across", "--seed", 0, "--count", 1, "--run", tmp_path / "one")
    assert sampled.exit_code == 0, sampled.output
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


def test_a_sample_does_not_depend_on_its_batch(finished, tmp_path):
    for name, options in (("many", ("--seed", 3, "--count", 9)), ("one", ("--seed", 8, "--count", 1))):
        done = run("gan", "sample", finished, "--class", "noise", *options, "--run", tmp_path / name)
        assert done.exit_code == 0, done.output
    many, one = ((tmp_path / name / "images" / "sample_000008.png").read_bytes() for name in ("many", "one"))
    assert many == one
    entries = result_of(tmp_path / "many")["images"]
    assert [entry["seed"] for entry in entries] == list(range(3, 12))
    assert {entry["class"] for entry in entries} == {"noise"}


def test_an_evaluation_has_the_same_baselines(finished, cache, tmp_path):
    done = run("gan", "evaluate", finished, "--cache", cache, "--samples", 12, "--run", tmp_path / "e")
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "e")
    baselines = {each["name"]: each["baseline"] for each in result["metrics"]}
    assert baselines == {each["name"]: each["baseline"] for each in result_of(finished)["metrics"]}
    assert result["gan_train"].keys() == {"accuracy", "baseline", "n"}


def test_an_evaluation_skips_unreadable_images(finished, stripes, cache, tmp_path):
    copy = shutil.copytree(stripes, tmp_path / "data")
    (copy / "train" / "noise" / "0.png").write_text("no image")
    options = ("--cache", cache, "--samples", 12, "--no-gan-train", "--run", tmp_path / "e")
    done = run("gan", "evaluate", finished, "--data", copy, *options)
    assert done.exit_code == 0, done.output
    assert "noise/0.png" in result_of(tmp_path / "e")["skipped"][0]["reason"]


def test_with_few_real_images_there_is_no_prdc(stripes, cache, tmp_path):
    done = trained(stripes / "train", tmp_path / "r", "--epochs", 1, "--held-out", 0.1, cache=cache)
    assert done.exit_code == 0, done.output
    measured = {each["name"] for each in result_of(tmp_path / "r")["metrics"]}
    assert "frechet-distance" in measured
    assert "coverage" not in measured


def test_an_unreadable_cached_judge_is_trained_again(stripes, cache, finished, tmp_path, failing_reads):
    failing_reads(lambda path: path.parent.name == "judges")
    done = trained(stripes, tmp_path / "r", "--epochs", 1, cache=cache)
    assert done.exit_code == 0, done.output
    assert result_of(tmp_path / "r")["judge"] == result_of(finished)["judge"]


def test_an_unconditional_run(stripes, cache, tmp_path):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, "--no-conditional", cache=cache)
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "r")
    assert result["architecture"] == "dcgan"
    assert result["label_agreement"] is None
    done = run("gan", "sample", tmp_path / "r", "--class", "noise", "--run", tmp_path / "s")
    assert done.exit_code == 1
    assert "noise" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--architecture", "conditional-mlp", "--d-steps", 2),
        ("--architecture", "residual", "--loss", "relativistic", "--diffaugment"),
        ("--loss", "wasserstein-gp", "--no-discriminator-sees-label", "--g-steps", 2),
        ("--loss", "saturating", "--label-smoothing", "0.1", "--mismatched-labels", "--generator-beta1", "0"),
    ],
)
def test_options_reach_the_training(stripes, cache, tmp_path, options):
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


@pytest.mark.slow
def test_ctrl_c_and_kill_lose_nothing(stripes, cache, tmp_path):
    """Stopped by Ctrl-C, resumed, killed, resumed: every tensor and metric as in an uninterrupted run."""
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
    stored = (load_file(tmp_path / name / "weights" / "generator.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(a, b) for a, b in zip(*(each.values() for each in stored), strict=True))


def test_ctrl_c_in_an_epochs_last_step_ends_the_epoch(stripes, cache, tmp_path, finished, monkeypatch):
    from vitrail.gan.run_state import RunState

    add = RunState.add

    def interrupted(self, step):
        add(self, step)
        if step.index == 6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(RunState, "add", interrupted)
    assert trained(stripes, tmp_path / "r", "--epochs", 4, cache=cache).exit_code == 130
    monkeypatch.undo()
    assert run("gan", "train", "--resume", tmp_path / "r").exit_code == 0
    assert last_checkpoint(tmp_path / "r")[1]["history"] == last_checkpoint(finished)[1]["history"]
    films = [(folder / "images" / "evolution.gif").read_bytes() for folder in (tmp_path / "r", finished)]
    assert films[0] == films[1]


def test_a_resumed_run_takes_no_other_folder(finished, tmp_path):
    done = run("gan", "train", "--resume", finished, "--epochs", 9, "--run", tmp_path / "other")
    assert done.exit_code == 1
    assert f"A resumed run goes on in its own folder, '{finished}'. Leave out --run." in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_finished_run_is_resumed_only_for_more_epochs(finished):
    done = run("gan", "train", "--resume", finished)
    assert done.exit_code == 2
    assert "--epochs 8" in done.stderr


def test_a_resumed_run_refuses_other_settings(finished):
    done = run("gan", "train", "--resume", finished, "--epochs", 9, "--batch", 16)
    assert done.exit_code == 2
    assert "batch = 8; got 16" in done.stderr


def copy_of(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("trouble", ["no data", "other data", "damaged checkpoints"])
def test_a_resume_that_fails_changes_no_byte_and_succeeds_later(trouble, finished, stripes, cache, tmp_path):
    folder, data = copy_of(finished, tmp_path), tmp_path / "data"
    shutil.copytree(stripes, data)
    settings = (folder / "settings.json").read_text()
    (folder / "settings.json").write_text(settings.replace(str(stripes), str(data)))
    image = next(data.rglob("*.png"))
    if trouble == "no data":
        data.rename(tmp_path / "moved")
    elif trouble == "other data":
        Image.new("RGB", (20, 20), "red").save(image)
    else:
        for file in (folder / "checkpoints").iterdir():
            file.write_bytes(file.read_bytes()[:-1000])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = ("gan", "train", "--resume", folder, "--epochs", 5, "--cache", cache)
    done = run(*again)
    assert done.exit_code in (1, 2), done.output
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    if trouble == "no data":
        (tmp_path / "moved").rename(data)
        assert run(*again).exit_code == 0


def test_a_finished_run_is_resumed_for_more_epochs(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "images" / "samples_0002.png").unlink()
    done = run("gan", "train", "--resume", folder, "--epochs", 5)
    assert done.exit_code == 0, done.output
    with Image.open(folder / "images" / "evolution.gif") as film:
        assert film.n_frames == 4
    assert result_of(folder)["epochs"] == 5
    assert result_of(folder)["steps"] == 15
    assert "resume" not in json.loads((folder / "settings.json").read_text())["settings"]


def test_a_truncated_checkpoint_or_one_of_other_networks_is_refused(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "result.json").unlink()
    last = sorted((folder / "checkpoints").glob("step-*"))[-1]
    data = last.read_bytes()
    last.write_bytes(data[: len(data) // 2])
    done = run("gan", "train", "--resume", folder)
    assert done.exit_code == 1
    assert "truncated or damaged" in done.stderr
    last.write_bytes(data)
    tensors, about = unpack(last)
    about["networks"]["arguments"]["width"] = 8
    last.write_bytes(pack(tensors, about))
    done = run("gan", "train", "--resume", folder)
    assert done.exit_code == 1
    assert "other networks" in done.stderr


def test_a_full_disk_leaves_the_checkpoint_before(stripes, cache, tmp_path, monkeypatch):
    from vitrail import files

    write, room = files.write_all, 2

    def full(descriptor, data):
        nonlocal room
        if b"networks" in bytes(memoryview(data).cast("B")[:20_000]):
            room -= 1
            if room < 0:
                raise OSError(28, "No space left on device")
        write(descriptor, data)

    monkeypatch.setattr(files, "write_all", full)
    done = trained(stripes, tmp_path / "r", "--epochs", 4, cache=cache)
    assert done.exit_code == 1
    assert "the disk is full" in done.stderr
    monkeypatch.undo()
    assert last_checkpoint(tmp_path / "r")[1]["epochs_done"] == 2
    assert run("gan", "train", "--resume", tmp_path / "r").exit_code == 0
    assert result_of(tmp_path / "r")["epochs"] == 4


@pytest.fixture
def only(monkeypatch):
    """Only one kind of alarm is raised: so small a training raises many."""
    from vitrail.gan import alarm_monitor

    def keep(name):
        for table in ("training_alarms", "sample_alarms"):
            alarms = getattr(alarm_monitor, table)

            def of_that_kind(*given, alarms=alarms, **options):
                return (alarm for alarm in alarms(*given, **options) if alarm.name == name)

            monkeypatch.setattr(alarm_monitor, table, of_that_kind)

    return keep


def test_a_collapse_is_reported_at_the_next_measurement(stripes, cache, tmp_path, monkeypatch, only):
    """A generator that gives real images, and from the third epoch on always the same one."""
    from vitrail.metrics.sample_evaluation import SampleEvaluation

    measure, calls = SampleEvaluation.measure, []

    def collapsing(self, pixels, labels, *, conditional):
        calls.append(pixels)
        real = torch.cat(
            [read_pixels(file, short_side=16, crop=16)[None, :1] for file in sorted(stripes.rglob("*.png"))]
        )
        pixels = real[:12] if len(calls) < 3 else real[:1].repeat(12, 1, 1, 1)
        return measure(self, pixels, labels, conditional=conditional)

    only("mode-collapse")
    monkeypatch.setattr(SampleEvaluation, "measure", collapsing)
    done = trained(stripes, tmp_path / "r", "--epochs", 6, "--on-alarm", "stop", cache=cache)
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "r")
    (alarm,) = result["alarms"]
    assert (alarm["epoch"], result["epochs"]) == (3, 3)
    assert alarm["value"] < alarm["threshold"]
    assert result["best"]["epoch"] < 3


def test_a_training_that_fails_at_once_says_so(stripes, cache, tmp_path):
    done = trained(stripes, tmp_path / "r", "--epochs", 6, "--generator-learning-rate", "1e30", cache=cache)
    assert done.exit_code == 1
    assert "failed in epoch 1" in done.stderr
    assert "--learning-rate" in done.stderr


@pytest.mark.parametrize("on_alarm", ["warn", "rollback"])
def test_a_training_that_fails_later_leaves_its_best_epoch(stripes, cache, tmp_path, monkeypatch, only, on_alarm):
    from vitrail.gan.run_state import RunState

    end, calls = RunState.end_epoch, []

    def broken(self):
        means = end(self)
        calls.append(means)
        if len(calls) == 3:
            for weights in self.gan.generator.parameters():
                weights.data.fill_(float("nan"))
            return {**means, "generator_loss": float("nan")}
        return means

    only("nan")
    monkeypatch.setattr(RunState, "end_epoch", broken)
    done = trained(stripes, tmp_path / "r", "--epochs", 5, "--on-alarm", on_alarm, cache=cache)
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "r")
    assert [alarm["name"] for alarm in result["alarms"]][:1] == ["nan"]
    assert result["alarms"][0]["value"] is None
    assert result["epochs"] == (3 if on_alarm == "warn" else 5)
    assert result["rollbacks"] == (0 if on_alarm == "warn" else 1)
    assert np.isfinite([each["value"] for each in result["metrics"]]).all()


def test_a_rollback_resumes_from_the_best_epoch_at_half_the_rates(stripes, cache, tmp_path, monkeypatch, only):
    from vitrail.gan import alarm_monitor
    from vitrail.gan_training.alarms import Alarm

    calls = []

    def once(steps, relative=False):
        calls.append(steps)
        if len(calls) == 3:
            yield Alarm("discriminator-blind", "difference", 0.0, 0.02, "D is blind.")

    only("none")
    monkeypatch.setattr(alarm_monitor, "training_alarms", once)
    done = trained(stripes, tmp_path / "r", "--epochs", 5, "--on-alarm", "rollback", cache=cache)
    assert done.exit_code == 0, done.output
    assert "Rolled back to epoch" in done.stdout
    assert result_of(tmp_path / "r")["rollbacks"] == 1
    assert result_of(tmp_path / "r")["epochs"] == 5
    assert last_checkpoint(tmp_path / "r")[1]["rollbacks"] == 1  # a resumed run would not go back behind it


def test_healing_lasts_beyond_a_resume(stripes, cache, tmp_path, monkeypatch, only):
    from vitrail.gan import alarm_monitor
    from vitrail.gan.run_state import RunState
    from vitrail.gan_training.alarms import Alarm

    calls, rates = [], []

    def first(steps, relative=False):
        calls.append(steps)
        if len(calls) == 1:
            yield Alarm("discriminator-too-strong", "doubt", 0.0, 0.05, "D is too strong.")
            yield Alarm("copies", "novelty", 0.0, 0.5, "Samples are copies.")

    only("none")
    monkeypatch.setattr(alarm_monitor, "training_alarms", first)
    monkeypatch.setattr(alarm_monitor, "GRACE", 0)
    done = trained(stripes, tmp_path / "r", "--epochs", 2, "--on-alarm", "heal", cache=cache)
    assert done.exit_code == 0, done.output
    healed = "Healing: the learning rate of D is halved and D sees images through DiffAugment."
    assert healed in " ".join(done.stdout.split())
    taken = RunState.take_remedies

    def noting(state, monitor):
        taken(state, monitor)
        rates.append([state.gan.adams[name].param_groups[0]["lr"] for name in ("generator", "discriminator")])
        rates.append(state.gan.options.diffaugment)

    monkeypatch.setattr(RunState, "take_remedies", noting)
    assert run("gan", "train", "--resume", tmp_path / "r", "--epochs", 3, "--cache", cache).exit_code == 0
    rollbacks = result_of(tmp_path / "r")["rollbacks"]
    assert rates == [[2e-4 / 2**rollbacks, 1e-4 / 2**rollbacks], True]
    assert result_of(tmp_path / "r")["healing"] == {"d_halvings": 1, "diffaugment": True}


def test_a_checkpoint_after_a_rollback_is_the_last_one(stripes, cache, monkeypatch, only):
    """Checkpoints of undone steps are removed: a resumed run would start from the latest."""
    from vitrail.events import Checkpoint, Note
    from vitrail.gan import alarm_monitor
    from vitrail.gan_training.alarms import Alarm
    from vitrail.tasks.gan_train import GanTrain

    checks = []

    def in_the_fifth(steps, relative=False):
        checks.append(steps)
        if len(checks) == 5:
            yield Alarm("discriminator-blind", "difference", 0.0, 0.02, "D is blind.")

    only("none")
    monkeypatch.setattr(alarm_monitor, "training_alarms", in_the_fifth)
    small = {"size": 16, "width": 4, "batch": 8, "eval_samples": 12, "final_eval_samples": 12}
    small |= {"autotune": False, "keep_checkpoints": 3}
    task = GanTrain(data=str(stripes), epochs=6, evaluate_every=3, on_alarm="rollback", cache=cache, **small)
    events = list(task.run())
    back = next(
        row for row, event in enumerate(events) if isinstance(event, Note) and event.text.startswith("Rolled back")
    )
    before = [event for event in events[:back] if isinstance(event, Checkpoint)][-1]
    after = next(event for event in events[back:] if isinstance(event, Checkpoint))
    assert after.name == "step-00000009.safetensors"
    assert max(before.retained) == "step-00000012.safetensors"
    assert max(after.retained) == after.name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--d-steps", "0"), "--d-steps"),
        (("--architecture", "dcgan", "--conditional"), "dcgan takes none"),
        (("--architecture", "conditional-mpl"), "Did you mean 'conditional-mlp'"),
        (("--loss", "hing"), "Did you mean 'hinge'"),
        (("--size", "20"), "generates images of 16, 32, 64, 128 pixels; got 20"),
        (("--batch", "99"), "larger than the data"),
        (("--loss", "hinge", "--label-smoothing", "0.1"), "label smoothing"),
        (("--loss", "relativistic", "--mismatched-labels"), "mismatched labels"),
        (("--no-discriminator-sees-label", "--mismatched-labels"), "--mismatched-labels needs"),
    ],
)
def test_bad_settings_are_one_sentence(stripes, cache, tmp_path, options, says):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, *options, cache=cache)
    assert done.exit_code in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_no_images_given():
    done = run("gan", "train", "--epochs", 1)
    assert done.exit_code == 2
    assert "No images were given" in done.stderr


def test_only_a_training_is_evaluated(finished, cache, tmp_path):
    done = run("gan", "sample", finished, "--count", 1, "--run", tmp_path / "s")
    assert done.exit_code == 0, done.output
    done = run("gan", "evaluate", tmp_path / "s", "--cache", cache, "--run", tmp_path / "e")
    assert done.exit_code == 1
    assert "holds no generator" in done.stderr
    done = run("gan", "sample", finished, "--seed", 2**70, "--run", tmp_path / "t")
    assert done.exit_code == 2
    assert "--seed must be less than" in done.stderr


def test_tensorboard_curves(stripes, cache, tmp_path):
    done = trained(stripes, tmp_path / "r", "--epochs", 1, "--tensorboard", tmp_path / "board", cache=cache)
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "board").iterdir()
    written = file.read_bytes()
    for name in (b"discriminator_loss", b"d_fake_after_g", b"frechet-distance"):
        assert name in written


def test_tensorboard_needs_an_extra(stripes, cache, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    done = trained(stripes, tmp_path / "r", "--epochs", 1, "--tensorboard", tmp_path / "board", cache=cache)
    assert done.exit_code == 1
    assert "pip install 'vitrail[tensorboard]'" in done.stderr


@pytest.mark.slow
def test_replay_gives_equal_metrics(tmp_path):
    options = (
        "--epochs",
        1,
        "--width",
        4,
        "--max-images",
        64,
        "--eval-samples",
        16,
        "--final-eval-samples",
        16,
        "--no-autotune",
    )
    done = run("gan", "train", "digits", *options, "--cache", tmp_path / "cache", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    again = run("replay", tmp_path / "run", "--runs", tmp_path / "again", "--json")
    assert json.loads(again.stdout)["differences"] == []
