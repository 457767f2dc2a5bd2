"""The Python face: `gan.train` and `gan.evaluate` on a few digits."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vitrail import gan
from vitrail.datasets.pixel_data import PixelOptions
from vitrail.errors import BadRun, BadSetting
from vitrail.events import Checkpoint, Note, Progress
from vitrail.gan.checkpoints import file_name, latest_checkpoint, retained_names
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.training import check_training
from vitrail.gan.training_data import read_data_options
from vitrail.gan_training.alarms import Alarm
from vitrail.gan_training.checkpoints import pack, unpack

SMALL = {
    "networks": gan.NetworkOptions(width=4, latent_size=8),
    "evaluation": gan.EvaluationOptions("judge", samples=32, final_samples=32),
    "batch": 16,
    "autotune": False,
}


@pytest.fixture(scope="module")
def data():
    return gan.open_training_data("digits", PixelOptions(size=16, images=64))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def events(data, cache):
    return list(gan.train(data, epochs=2, cache=cache, **SMALL))


def test_the_last_event_has_the_generator_and_its_metrics(events, data):
    end = events[-1]
    assert isinstance(end, gan.TrainingEnd)
    named = {entry["name"] for entry in (*end.metrics, *end.values["refused"])}
    assert {"frechet-distance", "kernel-distance", "coverage", "novelty"} <= named
    assert {entry["n"] for entry in end.metrics} == {32}
    assert [entry["epoch"] for entry in end.history] == [1, 2]
    assert end.description["data"]["sha256"] == data.train.sha256
    images = end.generator(torch.randn(3, 8), torch.tensor([0, 1, 2]))
    assert images.shape == (3, 1, 16, 16)
    assert json.loads(json.dumps(end.values)) == end.values


def test_every_epoch_has_an_event_and_a_checkpoint(events):
    assert isinstance(next(event for event in events if not isinstance(event, Note | Progress)), gan.TrainingStart)
    assert [event.epoch for event in events if isinstance(event, gan.EpochEnd)] == [1, 2]
    assert [event.name for event in events if isinstance(event, Checkpoint)] == [file_name(4), file_name(8)]


LONG = {**SMALL, "batch": 64, "epochs": 100, "evaluation": replace(SMALL["evaluation"], every=45)}


def test_a_long_run_shows_and_stores_some_of_its_epochs(data, cache):
    events = list(gan.train(data, cache=cache, **LONG))
    shown = [event.epoch for event in events if isinstance(event, gan.EpochEnd)]
    assert shown == sorted({1, 45, 90, *range(5, 101, 5)})  # the first, those that are measured, every fifth
    stored = [event.name for event in events if isinstance(event, Checkpoint)]
    assert [name for name in stored if name in set(map(file_name, shown))] == list(map(file_name, shown))
    assert [entry["epoch"] for entry in events[-1].history] == list(range(1, 101))


def test_a_kill_costs_no_more_than_a_minute_of_a_long_run(data, cache, monkeypatch):
    monkeypatch.setattr("vitrail.gan.training.UNSTORED", 0.0)
    events = gan.train(data, cache=cache, **{**LONG, "epochs": 40})
    assert [event.name for event in events if isinstance(event, Checkpoint)] == [file_name(1 + n) for n in range(40)]


def test_nothing_of_a_long_run_is_lost_between_the_epochs_that_are_shown(data, cache):
    stored = []

    def run():
        for event in gan.train(data, cache=cache, **LONG):
            stored.extend([event.name] if isinstance(event, Checkpoint) else [])
            if isinstance(event, Progress) and event.values.get("step") == 51:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert stored[-1] == file_name(51)


def test_a_resumed_training_is_bit_identical(events, data, cache, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    first = next(event for event in events if isinstance(event, Checkpoint))
    (tmp_path / "checkpoints" / first.name).write_bytes(first.data)
    resumed = list(gan.train(data, epochs=2, cache=cache, resume=tmp_path, **SMALL))[-1]
    assert resumed.metrics == events[-1].metrics
    weights = zip(resumed.generator.parameters(), events[-1].generator.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in weights)


def test_fewer_epochs_than_a_resumed_run_has_done_are_refused(events, data, cache, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for event in events:  # the last one, and that of the best epoch
        if isinstance(event, Checkpoint):
            (tmp_path / "checkpoints" / event.name).write_bytes(event.data)
    with pytest.raises(BadSetting, match="2 epochs.*got 1.*Use 4"):
        list(gan.train(data, epochs=1, cache=cache, resume=tmp_path, **SMALL))


def test_a_run_on_other_images_is_not_resumed(events, cache, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    first = next(event for event in events if isinstance(event, Checkpoint))
    (tmp_path / "checkpoints" / first.name).write_bytes(first.data)
    other = gan.open_training_data("digits", PixelOptions(size=16, images=72))
    with pytest.raises(BadRun, match="other"):
        list(gan.train(other, epochs=2, cache=cache, resume=tmp_path, **SMALL))


def test_the_data_of_a_generator_can_be_opened_again(events, data, tmp_path):
    description = json.loads(json.dumps(events[-1].description))
    source, options = read_data_options(description, home=tmp_path, download=False)
    assert gan.open_training_data(source, options).train.sha256 == data.train.sha256
    assert options.home == tmp_path


@pytest.mark.parametrize("change", [None, {"source": 5}, {"options": {}}, {"source": "digits"}])
def test_a_damaged_description_of_data_is_refused(change, tmp_path):
    with pytest.raises(BadRun, match="trained on"):
        read_data_options({"data": change}, home=tmp_path, download=False)


def test_settings_are_checked_without_training(data):
    checked = {**SMALL, "options": gan.TrainingOptions(), "seed": 0}
    check_training(data, **checked)
    with pytest.raises(BadSetting, match="larger than the data"):
        check_training(data, **{**checked, "batch": 100})
    with pytest.raises(BadSetting, match="label smoothing"):
        check_training(data, **{**checked, "options": gan.TrainingOptions(loss="hinge", label_smoothing=0.1)})


def trained(end):
    """The generator that an evaluation takes."""
    return GeneratorNetwork(end.generator, end.description)


def test_an_evaluation_has_the_baselines_of_the_training(events, data, cache):
    end = list(gan.evaluate(trained(events[-1]), data, extractor="judge", samples=32, gan_train=False, cache=cache))[-1]
    assert isinstance(end, gan.EvaluationEnd)
    assert [each["baseline"] for each in end.metrics] == [each["baseline"] for each in events[-1].metrics]
    assert end.gan_train is None


def test_an_evaluation_refuses_images_with_other_names(events, data, cache):
    renamed = replace(data.opened, train=replace(data.train, names=tuple("abcdefghij")))
    other = gan.TrainingData("digits", data.options, renamed)
    with pytest.raises(BadSetting, match="same classes or attributes"):
        list(gan.evaluate(trained(events[-1]), other, samples=32, cache=cache))


def test_the_latest_and_the_best_checkpoints_are_retained(tmp_path):
    names = []
    for step in (1, 2, 3, 4):
        names = retained_names(names, file_name(step), best=file_name(2), count=2)
    assert names == [file_name(2), file_name(3), file_name(4)]
    assert retained_names(names, file_name(5), best=None, count=1) == [file_name(5)]
    names = []
    for step in range(1, 11):  # each is the best so far
        names = retained_names(names, file_name(step), best=file_name(step), count=2)
    assert sorted(names) == [file_name(9), file_name(10)]
    with pytest.raises(BadRun, match="no checkpoint"):
        latest_checkpoint(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for step in (9, 10):
        Path(tmp_path / "checkpoints" / file_name(step)).touch()
    assert latest_checkpoint(tmp_path).name == file_name(10)


@pytest.mark.parametrize(
    "healing",
    [{"d_halvings": "3"}, {"d_halvings": -1}, {"d_halvings": 1000}, {"d_halvings": True}, {"diffaugment": 1}, 5],
)
def test_a_checkpoint_with_damaged_remedies_is_refused(events, data, cache, tmp_path, healing):
    (tmp_path / "checkpoints").mkdir()
    first = next(event for event in events if isinstance(event, Checkpoint))
    file = tmp_path / "checkpoints" / first.name
    file.write_bytes(first.data)
    tensors, header = unpack(file)
    file.write_bytes(pack(tensors, {**header, "healing": healing}))
    with pytest.raises(BadRun, match="is damaged .*healing"):
        list(gan.train(data, epochs=2, cache=cache, resume=tmp_path, **SMALL))


@pytest.mark.parametrize("size", [16, 48])
def test_a_size_that_an_architecture_has_not_is_refused_before_the_judge_is_trained(tmp_path, size):
    data = gan.open_training_data("digits", PixelOptions(size=size, images=64))
    with pytest.raises(BadSetting, match=f"32, 64, 128, 256 pixels; got {size}"):
        list(gan.train(data, networks=gan.NetworkOptions("projected"), cache=tmp_path))
    assert not (tmp_path / "judges").exists()


def resumed_from_the_last(events, folder, data, **options):
    """The events of a run that was killed after its last checkpoint."""
    (folder / "checkpoints").mkdir()
    for event in events:
        if isinstance(event, Checkpoint):
            (folder / "checkpoints" / event.name).write_bytes(event.data)
    return list(gan.train(data, resume=folder, **options))


def test_a_run_that_an_alarm_stopped_is_not_gone_on_with(data, cache, tmp_path, monkeypatch):
    alarm = Alarm("discriminator-too-strong", "d_real", 1.0, 0.9, "D is too strong.")
    monkeypatch.setattr("vitrail.gan.alarm_monitor.training_alarms", lambda *_, **__: [alarm])
    options = {**SMALL, "cache": cache, "epochs": 10, "on_alarm": "stop"}
    events = list(gan.train(data, **options))
    stopped = [entry["epoch"] for entry in events[-1].history]
    assert 1 <= len(stopped) < 10
    killed = tmp_path / "killed"
    killed.mkdir()
    assert [entry["epoch"] for entry in resumed_from_the_last(events, killed, data, **options)[-1].history] == stopped
    for name, change in (("warned", {"on_alarm": "warn"}), ("longer", {"epochs": 15})):
        folder = tmp_path / name
        folder.mkdir()
        resumed = resumed_from_the_last(events, folder, data, **{**options, **change})[-1]
        assert len(resumed.history) > len(stopped), name


def test_more_updates_of_D_than_batches_in_an_epoch(data, cache, tmp_path):
    """64 images are two batches of 32: each step of five updates ends two epochs or three."""
    adam = gan.OptimizerOptions(updates=5)
    options = {**SMALL, "batch": 32, "epochs": 21, "cache": cache, "options": gan.TrainingOptions(discriminator=adam)}
    options["evaluation"] = replace(SMALL["evaluation"], every=2)
    events = list(gan.train(data, **options))
    history = events[-1].history
    assert [entry["epoch"] for entry in history] == [2, 5, 7, 10, 12, 15, 17, 20, 22]
    assert all("coverage_ratio" in entry or "frechet-distance" in entry for entry in history)
    resumed = resumed_from_the_last(events, tmp_path, data, **options)
    assert resumed[-1].metrics == events[-1].metrics


def test_an_epoch_that_breaks_off_is_the_one_that_had_begun(data, cache):
    adam = gan.OptimizerOptions(learning_rate=1e30)
    notes = []

    def run():
        for event in gan.train(data, cache=cache, epochs=3, options=gan.TrainingOptions(generator=adam), **SMALL):
            notes.extend([event.text] if isinstance(event, Note) else [])

    with pytest.raises(BadSetting, match="failed in epoch 1"):
        run()
    assert any("Alarm (nan, epoch 1)" in text for text in notes)


def test_equal_images_are_noted(data, cache):
    same = replace(data.train, images=data.train.images[:1].expand(64, -1, -1, -1).contiguous())
    equal = gan.TrainingData("digits", data.options, replace(data.opened, train=same))
    steps = gan.train(equal, cache=cache, **SMALL)
    assert Note("All training images are equal. Use different ones.", "warning") in (next(steps), next(steps))
