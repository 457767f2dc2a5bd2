"""Class visualisation through the task, on small networks."""

import json
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import vitrail.transfer.classifier
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting, UnknownName
from vitrail.events import Attachment, Note, Preview, Progress, Result, Summary, Table
from vitrail.events import Image as ImageEvent
from vitrail.formatting import percent
from vitrail.images import read_pixels, to_unit
from vitrail.plots.animation import animation
from vitrail.run_writer import record
from vitrail.tasks.visualise import Visualise


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2))
        self.head = nn.Linear(8, 4)

    def forward(self, images):
        return self.head(self.features(images).mean(dim=(2, 3)))


def network(seed, classes=("tench, Tinca tinca", "red fox", "grey fox", "spider")):
    torch.manual_seed(seed)
    return Backbone.wrap(Small(), mean=(0.5,) * 3, std=(0.02,) * 3, classes=classes, size=24, name=f"small{seed}")


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    networks = {"own": network(0), "other": network(1), "letters": network(2, ("a", "b", "c", "d"))}
    real = vitrail.transfer.classifier.load
    monkeypatch.setattr(
        vitrail.transfer.classifier, "load", lambda source, **options: networks.get(source) or real(source, **options)
    )
    return networks


def settings(**changed):
    return {"classes": ("spider",), "backbone": "own", "judge": "other", "steps": 12, **changed}


def made(folder, **changed):
    events = list(record(Visualise(**settings(**changed)), "visualise", folder))
    assert isinstance(events[-1], Result)
    return events, json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("method", ["fourier", "maco", "pixels"])
def test_what_is_reported_is_true_of_the_saved_file(tmp_path, method, small_networks):
    _, result = made(tmp_path / "run", method=method)
    (entry,) = result["classes"]
    image = to_unit(read_pixels(tmp_path / "run" / entry["output"]))[None]
    for key, name in (("probability", "own"), ("judge_probability", "other")):
        assert entry[key] == float(small_networks[name](image).softmax(dim=1)[0, 3])
    assert (entry["index"], entry["name"], entry["steps"]) == (3, "spider", 12)
    assert result["forwards"] == 2 * 12 + 6 + 1  # the steps, the frames of the strip, the saved image


def test_two_runs_are_bit_identical(tmp_path):
    for run in ("one", "two"):
        made(tmp_path / run, classes=("spider", "0"))
    for file in (tmp_path / "one" / "images").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / "images" / file.name).read_bytes()


def test_classes_are_given_by_name_or_index_and_others_refused(tmp_path):
    _, result = made(tmp_path / "run", classes=("Spider", "3", "tench"), steps=1)
    assert [entry["index"] for entry in result["classes"]] == [3, 0]
    with pytest.raises(UnknownName, match="spider"):
        made(tmp_path / "bad", classes=("spidr",))
    with pytest.raises(BadSetting, match="red fox.*grey fox"):
        made(tmp_path / "worse", classes=("fox",))


def test_an_image_that_only_its_own_network_recognises_is_labelled_so(tmp_path):
    events, result = made(tmp_path / "run", classes=("0", "1", "2", "3"), steps=40)
    captions = {event.name: event.caption for event in events if isinstance(event, ImageEvent)}
    verdicts = {entry["judge_agrees"] for entry in result["classes"]}
    assert verdicts == {True, False}
    for entry in result["classes"]:
        caption = captions[Path(entry["output"]).stem]
        alone = entry["probability"] >= 0.5 and not entry["judge_agrees"]
        assert ("its own network only" in caption) == alone


def test_a_second_network_has_the_same_classes(tmp_path):
    with pytest.raises(BadSetting, match="classes of the second network 'small2'"):
        made(tmp_path / "bad", judge="letters")
    _, result = made(tmp_path / "run", judge="auto", steps=1)
    assert result["judge"] is None
    assert result["classes"][0]["judge_probability"] is None


def test_a_sweep_has_an_image_for_each_combination(tmp_path, monkeypatch):
    import vitrail.tasks.visualise_report as report

    drawn, sheet_of = [], report.contact_sheet

    def spied(images, captions, columns):
        if len(images) == 8:
            drawn.append((images, captions, columns))
        return sheet_of(images, captions, columns)

    monkeypatch.setattr(report, "contact_sheet", spied)
    words = ("step-size=1,5", "steps=3,6")  # as a shell passes them without quotes
    events, result = made(tmp_path / "run", classes=("spider", *words), sweep="l2=1e-3,1", judge="none")
    combinations = {(entry["step_size"], entry["l2"], entry["steps"]) for entry in result["classes"]}
    assert combinations == {(size, l2, steps) for size in (1, 5) for l2 in (1e-3, 1) for steps in (3, 6)}
    captions = " ".join(event.caption for event in events if isinstance(event, ImageEvent))
    assert "spider, step size 5, l2 0.001, 6 steps" in captions
    assert all((tmp_path / "run" / entry["output"]).is_file() for entry in result["classes"])
    (sheet,) = drawn
    assert [caption.split(":")[0] for caption in sheet[1]][:2] == [
        "spider, step size 1, l2 0.001, 3 steps",
        "spider, step size 1, l2 0.001, 6 steps",
    ]
    for wrong in ("step-size=0", "depth=1", "steps=1.5", "l2=a"):
        with pytest.raises(BadSetting, match="--sweep"):
            Visualise(**settings(sweep=wrong))


def test_channels_are_visualised_too(tmp_path):
    _, result = made(tmp_path / "run", classes=(), channel="features.0:2", steps=30)
    assert result["classes"] == []
    assert result["channels"][0]["channel"] == "features.0:2"
    assert result["channels"][0]["activation"] > 0
    for wrong in ("features.0", "features.0:8"):
        with pytest.raises(BadSetting, match="LAYER:INDEX|has 8 channels"):
            made(tmp_path / wrong.replace(":", "_"), classes=(), channel=wrong)


def test_the_animation_and_the_strip_have_the_frames(tmp_path):
    events, _ = made(tmp_path / "run", steps=8)
    (gif,) = [event.data for event in events if isinstance(event, Attachment)]
    assert Image.open(BytesIO(gif)).n_frames == 8
    assert [event.done for event in events if isinstance(event, Progress)] == list(range(1, 9))
    assert (tmp_path / "run" / "images" / "3_spider_strip.png").is_file()


def test_an_animation_holds_its_images():
    greys = [torch.full((5, 7, 3), value, dtype=torch.uint8).numpy() for value in (0, 128, 255)]
    gif = Image.open(BytesIO(animation(greys, milliseconds=50)))
    assert (gif.n_frames, gif.size, gif.info["loop"]) == (3, (7, 5), 0)


def test_ctrl_c_saves_the_images_of_the_last_step():
    task = Visualise(**settings()).run()
    fourth = next(event for event in task if isinstance(event, Progress) and event.done == 4)
    events = [fourth, task.throw(KeyboardInterrupt), *task]
    assert any(isinstance(event, Note) and event.kind == "stopped" for event in events)
    (entry,) = events[-1].values["classes"]
    assert entry["steps"] == 4
    assert entry["output"] in [f"images/{event.name}.png" for event in events if isinstance(event, ImageEvent)]


@pytest.mark.parametrize("method", ["fourier", "maco", "pixels"])
def test_the_last_progress_says_the_probability_of_the_result(tmp_path, method):
    events, result = made(tmp_path / "run", method=method, steps=15, preview_every=1e-9)
    (entry,) = result["classes"]
    *_, last = (event for event in events if isinstance(event, Progress))
    assert f"probability {entry['probability']:.2f} at step 15" in last.detail
    *_, preview = (event for event in events if isinstance(event, Preview))
    assert preview.values == {"step": 15.0, "probability": entry["probability"]}


def test_the_summary_has_both_networks_and_chance_level(tmp_path):
    events, result = made(tmp_path / "run", classes=("spider", "0"))
    *_, summary, _ = events
    assert isinstance(summary, Summary)
    lines = dict(summary.lines)
    assert percent(result["classes"][0]["probability"]) in lines["spider"]
    assert percent(result["classes"][0]["judge_probability"]) in lines["spider"]
    assert lines["chance level"].startswith("25.0 %")
    assert len(lines) <= 12
    assert not [event for event in events if isinstance(event, Table) and event.prominent]


def test_an_image_can_be_the_start(tmp_path):
    Image.new("RGB", (30, 40), (200, 30, 30)).save(tmp_path / "red.png")
    _, result = made(tmp_path / "run", start=str(tmp_path / "red.png"), method="pixels", steps=1, step_size=0.01)
    mean = to_unit(read_pixels(tmp_path / "run" / result["classes"][0]["output"])).mean(dim=(1, 2))
    assert mean.tolist() == pytest.approx([200 / 255, 30 / 255, 30 / 255], abs=0.03)


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": ()},
        {"method": "maco", "start": "a.png"},
        {"method": "pixels", "size": 32},
        {"method": "maco", "sweep": "step-size=1"},
    ],
)
def test_incompatible_settings_are_refused(changed):
    with pytest.raises(BadSetting):
        Visualise(**settings(**changed))


@pytest.mark.parametrize("method", ["fourier", "maco"])
def test_a_network_that_takes_one_size_only_gets_that_size(tmp_path, small_networks, method):
    torch.manual_seed(0)
    fixed = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 15 * 15, 4))
    small_networks["own"] = Backbone.wrap(fixed, mean=(0.5,) * 3, std=(0.02,) * 3, classes=list("abcd"), size=64)
    _, result = made(tmp_path / "run", classes=("c",), judge="none", method=method)
    assert result["classes"][0]["probability"] > 0.3
