"""`vitrail gan sweep`: its runs, what it stores of them, and its errors."""

import csv
import importlib
import json
from dataclasses import replace
from math import isfinite

import numpy as np
import pytest
import torch
from command import run
from PIL import Image

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting, UnknownName
from vitrail.events import Checkpoint, Plot, Progress, Summary, Weights
from vitrail.events import Image as ImageEvent
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.networks import build, describe
from vitrail.gan.options import network_options
from vitrail.gan.sample_rows import generated_row, real_row, sample_sheet
from vitrail.result_differences import differences
from vitrail.tasks.gan_sweep import GanSweep
from vitrail.tasks.gan_train import GanTrain

GAN_SWEEP = importlib.import_module("vitrail.gan.sweep")  # the module: `vitrail.gan.sweep` is the function
TINY = (
    *("--size", 16, "--width", 4, "--epochs", 1, "--batch", 64, "--no-autotune"),
    *("--eval-samples", 64, "--final-eval-samples", 64),
)
SMALL = {"size": 16, "width": 4, "epochs": 1, "eval_samples": 64, "final_eval_samples": 64, "autotune": False}


@pytest.fixture(scope="module")
def swept(judges, tmp_path_factory):
    """Run folder of a sweep over two settings."""
    folder = tmp_path_factory.mktemp("sweep") / "run"
    varied = ("--set", "beta1=0.5,0.9", "--set", "loss=non-saturating,wasserstein-gp")
    done = run("gan", "sweep", "digits", *varied, *TINY, "--cache", judges, "--run", folder, "--json")
    assert done.exit_code == 0, done.output
    return folder, json.loads(done.stdout)


def rows_of(folder, name):
    with (folder / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_combination_is_a_run():
    runs = GanSweep(data="digits", values=("beta1=0.5,0.9", "d-steps=1,5"), learning_rate=1e-3).runs
    assert list(runs) == [f"beta1={beta1} d-steps={steps}" for beta1 in (0.5, 0.9) for steps in (1, 5)]
    assert [(task.beta1, task.d_steps) for task in runs.values()] == [
        (beta1, steps) for beta1 in (0.5, 0.9) for steps in (1, 5)
    ]
    assert {task.learning_rate for task in runs.values()} == {1e-3}
    assert all(type(task) is GanTrain for task in runs.values())


def test_one_setting_at_a_time_leaves_the_others_as_given():
    runs = GanSweep(
        data="digits", values=("beta1=0.9", "diffaugment=yes", "generator-learning-rate=1e-3"), one_at_a_time=True
    ).runs
    assert list(runs) == [
        "base",
        "beta1=0.9",
        "diffaugment=yes",
        "generator-learning-rate=1e-3",
    ]
    assert [task.diffaugment for task in runs.values()] == [None, None, True, None]


def test_equal_settings_are_trained_once():
    runs = GanSweep(data="digits", values=("beta1=0.5,.5,0.9", "loss=hinge", "beta1=0.90"))
    assert list(runs.runs) == ["beta1=0.5", "beta1=0.9"]
    assert {task.loss for task in runs.runs.values()} == {"hinge"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "No setting is varied. Use --set beta1=0.5,0.9."),
        (("--set", "beta1"), "--set takes NAME=VALUE,VALUE; got 'beta1'. Use --set beta1=0.5,0.9."),
        (("--set", "beta1=,"), "--set takes NAME=VALUE,VALUE; got 'beta1=,'"),
        (("--set", "beta3=1,2"), "--set knows no setting 'beta3'. Did you mean 'beta2'? Known: architecture,"),
        (("--set", "resume=a,b"), "--set knows no setting 'resume'."),
        (("--set", "data=a,b"), "--set cannot vary 'data'"),
        (("--set", "beta1=0.5,1.5"), "--beta1 must be less than 1; got '1.5'."),
        (("--set", "d-steps=1,101"), "--d-steps must be less than or equal to 100; got '101'."),
        (("--set", "conditional=yes,perhaps"), "--conditional must be"),
    ],
)
def test_a_wrong_setting_is_one_sentence_before_there_is_a_folder(options, says, tmp_path):
    done = run("gan", "sweep", "digits", *options, "--run", tmp_path / "run")
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--set", "loss=non-saturating,hings"), "Did you mean 'hinge'?"),
        (("--set", "size=16,20"), "got 20"),
        (("--set", "batch=64,5000"), "A batch of 5000 is larger than the data"),
        (("--set", "architecture=conditional-dcgan,dcgan", "--conditional"), "dcgan takes none"),
        (("--set", "loss=non-saturating,hinge", "--label-smoothing", "0.1"), "label smoothing"),
    ],
)
def test_errors_of_the_last_run_are_raised_before_the_first(options, says, tmp_path, monkeypatch):
    monkeypatch.setattr(GAN_SWEEP, "train", lambda *_, **__: pytest.fail("it trains"))
    done = run("gan", "sweep", "digits", *options, "--run", tmp_path / "run", "--cache", tmp_path)
    assert done.exit_code == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_errors_are_the_projects_own():
    with pytest.raises(UnknownName):
        GanSweep(data="digits", values=("beta3=1",))
    with pytest.raises(BadSetting):
        GanSweep(data="digits", values=("beta1=2",))


def test_the_result_has_the_settings_of_each_run(swept):
    folder, result = swept
    assert result == json.loads((folder / "result.json").read_text())
    assert [one["settings"] for one in result["runs"]] == [
        {"beta1": beta1, "loss": loss} for beta1 in (0.5, 0.9) for loss in ("non-saturating", "wasserstein-gp")
    ]
    for one in result["runs"]:
        distance = one["metrics"][0]
        assert distance["name"] == "frechet-distance"
        assert distance["extractor"]["sha256"] == result["judge"]["sha256"]
        values = [distance["value"], distance["baseline"], one["label_agreement"], one["images_per_second"]]
        assert all(map(isfinite, values))
        assert one["seconds"]["training"] > 0
        assert (one["epochs"], one["mode"]) == (1, "reference")
    assert result["runs"][0]["last_epoch"]["d_real"] > 0
    assert result["runs"][1]["last_epoch"]["d_real"] is None  # a critic's scores are no probabilities
    assert (result["failed"], result["omitted"]) == ([], 0)
    assert len(result["backbone"]) == 1


def test_one_table_has_every_value(swept):
    folder, result = swept
    rows = rows_of(folder, "sweep")
    assert [row["setting"] for row in rows] == [one["name"] for one in result["runs"]]
    name = result["runs"][0]["metrics"][0]["label"]
    assert name == f"FD[judge@{result['judge']['sha256'][:8]}, 128, 64]"
    for row, one in zip(rows, result["runs"], strict=True):
        assert float(row[name]) == one["metrics"][0]["value"]
        assert float(row["FD of real images"]) == one["metrics"][0]["baseline"]
        assert all(isfinite(float(row[key])) for key in ("coverage", "label agreement", "D loss", "G loss", "images/s"))
    assert rows[0].keys() >= {"epochs", "D(x)", "D(G(z))", "alarms"}


def test_plots_are_stored_and_checkpoints_are_not(swept):
    folder, _ = swept
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"images", "plots", "tables"}
    drawn = [*(folder / "plots").iterdir(), *(folder / "images").iterdir()]
    assert {path.name for path in drawn} == {"losses.png", "distance.png", "samples.png"}
    for path in drawn:
        with Image.open(path) as image:
            assert np.asarray(image).std() > 0


def test_progress_bears_the_name_of_its_run(judges):
    sweep = GanSweep(data="digits", values=("beta1=0.5,0.9",), cache=judges, **SMALL)
    events = list(sweep.run())
    parts = {event.stage for event in events if isinstance(event, Progress)} - {"judge"}
    assert parts == {"beta1=0.5: training", "beta1=0.9: training", "runs"}
    assert not any(isinstance(event, Checkpoint | Weights) for event in events)
    assert [event.name for event in events if isinstance(event, Plot | ImageEvent)] == ["losses", "distance", "samples"]
    (summary,) = (event for event in events if isinstance(event, Summary))
    assert {"runs", "best run", "Fréchet distance"} <= {label for label, _ in summary.lines}
    assert len(summary.lines) <= 12
    notes = [event.text for event in events if hasattr(event, "text")]
    assert sum("Judge:" in note for note in notes) == 1


def interrupting(monkeypatch, error):
    """Every second training ends in `error` after its first step."""
    trains, calls = GAN_SWEEP.train, []

    def interrupted(data, **keywords):
        calls.append(data)
        if len(calls) % 2:
            yield from trains(data, **keywords)
        else:
            yield Progress("training", 1, 2, values={"step": 1.0})
            raise error

    monkeypatch.setattr(GAN_SWEEP, "train", interrupted)


def test_ctrl_c_keeps_the_finished_runs(judges, tmp_path, monkeypatch):
    interrupting(monkeypatch, KeyboardInterrupt())
    where = ("--cache", judges, "--run", tmp_path / "run")
    done = run("gan", "sweep", "digits", "--set", "beta1=0.5,0.7,0.9", *TINY, *where)
    assert done.exit_code == 0, done.output
    assert "1 run was finished" in done.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [one["name"] for one in result["runs"]] == ["beta1=0.5"]
    assert result["omitted"] == 2
    assert [row["setting"] for row in rows_of(tmp_path / "run", "sweep")] == ["beta1=0.5"]


def test_ctrl_c_before_a_run_has_finished_ends_the_sweep(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(GAN_SWEEP, "train", interrupted)
    options = ("--set", "beta1=0.5,0.9", *TINY, "--cache", tmp_path, "--run", tmp_path / "run")
    assert run("gan", "sweep", "digits", *options).exit_code == 130


def test_a_training_that_fails_does_not_end_the_sweep(judges, tmp_path, monkeypatch):
    interrupting(monkeypatch, BadSetting("These numbers are none."))
    options = ("--set", "beta1=0.5,0.7,0.9", *TINY, "--cache", judges, "--run", tmp_path / "run")
    done = run("gan", "sweep", "digits", *options)
    assert done.exit_code == 0, done.output
    assert "beta1=0.7 is left out" in done.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [one["name"] for one in result["runs"]] == ["beta1=0.5", "beta1=0.9"]
    assert result["failed"] == [{"name": "beta1=0.7", "reason": "These numbers are none."}]


def test_if_all_trainings_fail_the_last_error_is_raised(tmp_path, monkeypatch):
    def broken(*_, **__):
        yield Progress("training", 1, 2, values={"step": 1.0})
        raise BadSetting("These numbers are none.")

    monkeypatch.setattr(GAN_SWEEP, "train", broken)
    options = ("--set", "beta1=0.5,0.9", *TINY, "--cache", tmp_path, "--run", tmp_path / "run")
    done = run("gan", "sweep", "digits", *options)
    assert done.exit_code == 1
    assert "Error: These numbers are none.\n" in done.stderr


def generator_of(train, **settings):
    about = describe(train, network_options(GanTrain(data="digits", width=4, **settings).model_dump()))
    return GeneratorNetwork(build(about).generator.eval(), about)


@pytest.mark.parametrize("told", ["classes", "attributes", "nothing"])
def test_a_sheet_shows_real_images_in_the_order_of_the_samples(told):
    labels = torch.tensor([0, 1, 2] * 8)
    if told == "attributes":
        labels = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]] * 6)
    names = {"classes": ("a", "b", "c"), "attributes": ("Male", "Young"), "nothing": ()}[told]
    shades = torch.arange(24, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 16, 16).contiguous()
    train = PixelSet(shades, labels if names else torch.zeros(24, dtype=torch.long), names)
    generator = generator_of(train)
    samples, real = generated_row(generator), real_row(train, generator)
    assert samples.labels == real.labels
    assert samples.images.shape == real.images.shape
    first = {"classes": "a", "attributes": "−Male −Young", "nothing": ""}[told]
    assert real.labels[0] == first
    filled = [int(image[0, 0, 0]) for image in real.images]
    wanted = {"classes": [0, 3, 6, 9, 12, 15], "attributes": [2, 3, 6, 7, 10, 11], "nothing": [0, 1, 2, 3, 4, 5]}[told]
    assert filled[:6] == wanted


def test_generators_of_other_sizes_and_labels_fit_on_one_sheet():
    shades = torch.zeros(24, 1, 16, 16, dtype=torch.uint8)
    train = PixelSet(shades, torch.tensor([0, 1, 2] * 8), ("a", "b", "c"))
    rows = [("16", generated_row(generator_of(train))), ("none", generated_row(generator_of(train, conditional=False)))]
    large = replace(train, images=train.images.repeat(1, 1, 2, 2))
    about = describe(large, network_options(GanTrain(data="digits", width=4).model_dump()))
    rows.append(("32", generated_row(GeneratorNetwork(build(about).generator.eval(), about))))
    assert sample_sheet(rows).startswith(b"\x89PNG")


def test_a_repeated_sweep_differs_in_what_came_out_only():
    old = {"runs": [{"name": "a", "seconds": {"total": 1.0}, "images_per_second": 3.0, "epochs": 2}]}
    again = {"runs": [{"name": "a", "seconds": {"total": 2.0}, "images_per_second": 4.0, "epochs": 2}]}
    assert differences(old, again) == set()
    again["runs"][0]["epochs"] = 3
    assert differences(old, again) == {"runs"}
