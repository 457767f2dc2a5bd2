"""`vitrail reproduce`: what it makes, what it says is missing, and that a run that was stopped is gone on with."""

import json
import os
import re
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from command import run

from vitrail.errors import BadImage, BadSetting
from vitrail.events import Checkpoint, Event, Note, Result
from vitrail.reproduction import run as reproduction
from vitrail.reproduction.budgets import BUDGETS, Budget
from vitrail.reproduction.plan import Chapter, Comparison, Findings, Section, Step
from vitrail.reproduction.task import Reproduce
from vitrail.run_writer import record
from vitrail.settings import setting
from vitrail.task import Task
from vitrail.tasks.gan_train import GanTrain

TINY = Budget(
    name="tiny",
    classified=1,
    grayscale=2,
    explained=1,
    attacked=1,
    fine_tuned={"backbone": ("squeezenet",), "epochs": 1},
    visualise_steps=(2, 3),
    faces={"epochs": 1, "size": 16, "width": 4, "eval_samples": 8, "final_eval_samples": 8, "autotune": False},
    digits={
        **{"epochs": 1, "size": 16, "width": 4, "batch": 32, "max_images": 64},
        **{"eval_samples": 16, "final_eval_samples": 16, "autotune": False},
    },
    mlp={"epochs": 2},
    about="The tiny budget.",
)


@pytest.fixture(scope="module", autouse=True)
def tiny_budget(tmp_path_factory):
    """The smallest sizes, and a machine without downloaded weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "quick", TINY)
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        yield


@pytest.fixture(scope="module")
def data(stripes, tmp_path_factory):
    """A folder with stripes for scenes and squares for digits, and nothing else."""
    root = tmp_path_factory.mktemp("data")
    (root / "scene15").symlink_to(stripes)
    (root / "mnist").mkdir()
    draws = np.random.default_rng(0)
    for step, count in (("train", 100), ("t10k", 40)):
        labels = np.arange(count, dtype=np.uint8) % 10
        pixels = draws.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            image[2 * label : 2 * label + 8, 4:24] = 250
        for kind, values in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = b"\x00\x00\x08" + bytes([values.ndim]) + np.array(values.shape, ">i4").tobytes()
            (root / "mnist" / f"{step}-{kind}-ubyte").write_bytes(head + values.tobytes())
    return root


def reproduced(chapter, data, folder):
    done = run("reproduce", chapter, "--data", data, "--run", folder, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), (folder / "report.html").read_text()


def sections(result, chapter=0):
    return {section["title"]: section for section in result["chapters"][chapter]["sections"]}


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer") / "run"
    return folder, *reproduced("transfer", data, folder)


@pytest.mark.slow
def test_the_first_lab_is_measured_beside_the_report(first):
    folder, result, _ = first
    svm = sections(result)["A linear SVM on 15 scenes"]
    measured = {entry["metric"]: entry for entry in svm["values"]}
    kept = json.loads((folder / "steps" / "svm-squeezenet" / "result.json").read_text())
    assert measured["squeezenet fire9 + SVM, test accuracy"]["measured"] == kept["test"]["accuracy"]
    assert measured["squeezenet, time"]["seconds"] == kept["seconds"]["total"]
    assert [point["C"] for point in kept["curve_C"]] == [0.01, 0.03, 0.1, 0.3, 1, 3, 10]
    layers = sections(result)["VGG16, layer by layer"]
    assert layers["values"][0] == {"metric": "parameters", "measured": 138_357_544, "report": None}
    heads = sections(result)["The network alone against the SVM"]
    assert heads["run"].keys() == {
        "svm-efficientnet-lite0", "logistic-efficientnet-lite0", "svm-squeezenet", "tuned-squeezenet"
    }  # fmt: skip


@pytest.mark.slow
def test_weights_that_are_not_there_are_said_in_their_place(first):
    _, result, page = first
    for title in ("Five guesses", "A linear SVM on 15 scenes"):
        missing = " ".join(sections(result)[title]["missing"])
        assert "weights of vgg16" in missing
        assert "vgg16.pth, given with --weights" in missing
    skipped = {entry["file"] for entry in result["skipped"]}
    assert skipped == {f"{step}-{network}" for step in ("named", "svm") for network in ("vgg16", "alexnet")}
    assert "weights of alexnet" in page


@pytest.mark.slow
def test_the_page_needs_nothing_beside_it(first):
    _, result, page = first
    assert "default-src 'none'" in page
    assert set(re.findall(r'src="([^":]*):', page)) == {"data"}
    assert "<script" not in page
    for section in sections(result).values():
        assert section["title"] in page
    assert page.count("<img") >= 5
    assert "138,357,544" in page
    assert "The tiny budget." in page


@pytest.mark.slow
def test_the_second_lab_runs_on_free_photographs(data, tmp_path):
    result, page = reproduced("explain", data, tmp_path / "run")
    found = sections(result)
    assert all(section["findings"] for section in found.values())
    assert [len(section["run"]) for section in found.values()] == [2, 2, 2, 4]
    assert "so efficientnet-lite0" in page
    assert (tmp_path / "run/steps/saliency-squeezenet/plots/regions.png").is_file()
    longer = json.loads((tmp_path / "run/steps/from-noise-longer/settings.json").read_text())["settings"]
    assert (longer["step_size"], longer["l2"], longer["steps"], longer["method"]) == (10, 0.01, 3, "pixels")
    start = json.loads((tmp_path / "run/steps/from-an-image/settings.json").read_text())["settings"]["start"]
    assert start.endswith("chelsea.png")


@pytest.mark.slow
def test_the_third_lab_compares_digits(data, tmp_path):
    result, page = reproduced("conditional-gan", data, tmp_path / "run")
    found = sections(result)
    assert all(section["findings"] for section in found.values())
    assert found["The two side by side"]["run"].keys() == {"digits-compared", "digits-dcgan", "digits-mlp"}
    settings = json.loads((tmp_path / "run/steps/digits-blind/settings.json").read_text())["settings"]
    assert (settings["mismatched_labels"], settings["discriminator_sees_label"], settings["max_images"]) == (
        False,
        False,
        64,
    )
    assert "Samples after epoch 1" in page


def test_data_that_is_missing_is_one_sentence_and_the_rest_goes_on(tmp_path):
    (tmp_path / "nothing").mkdir()
    result, page = reproduced("gan", tmp_path / "nothing", tmp_path / "run")
    for section in sections(result).values():
        (sentence,) = section["missing"]
        assert "celeba64' is missing" in sentence
        assert section["findings"] == []
    assert "is missing" in page


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("tp7", "--data", "."), "tp7", 2),
        (("transfer",), "--data is missing", 2),
        (("transfer", "--data", "nowhere"), "--data must be a folder; got 'nowhere', which is none.", 1),
        (
            ("transfer", "--data", ".", "--weights", "nowhere"),
            "--weights must be a folder; got 'nowhere', which is none.",
            1,
        ),
    ],
)
def test_wrong_settings_are_one_sentence(arguments, says, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("reproduce", *arguments, "--run", tmp_path / "run")
    assert done.exit_code == code
    assert says in done.stderr


CALLS: list[str] = []
"""What counted steps were run in this test."""


class Counted(Task):
    """A part that says that it was run."""

    name: str = setting(..., "What it is called")
    way: str = setting("ends", "ends, stops, ends-early, fails or warns")
    shade: int = setting(0, "A setting")

    def run(self) -> Iterator[Event]:
        CALLS.append(self.name)
        yield Note("begins")
        if self.way == "stops":
            raise KeyboardInterrupt
        if self.way == "warns":
            yield Note("A file is damaged.", "damaged", "a.png")
        if self.way == "fails":
            raise BadImage("No image could be read.")
        if self.way == "ends-early":  # as tasks do that keep what they have
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                yield Note("stopped")
        yield Result({"value": CALLS.count(self.name)})


def planned(monkeypatch, *ways, after=(), shade=0):
    """A chapter of steps called a, b, c ... that go these ways."""
    steps = [
        Step(name, "counted", Counted(name=name, way=way, shade=shade), after=after if name == "c" else ())
        for name, way in zip("abc", ways, strict=False)
    ]

    def say(results):
        return Findings(
            [f"{name} is {each['value']}" for name, each in results.items()], [Comparison("count", len(results))]
        )

    chapter = Chapter("transfer", "A chapter", [Section("A section", steps, say)])
    monkeypatch.setitem(reproduction.CHAPTERS, "transfer", lambda _: chapter)
    CALLS.clear()


def is_note(event):
    return isinstance(event, Note)


def go(folder, **changed):
    return list(record(Reproduce(chapter="transfer", data=folder.parent, **changed), "reproduce", folder))[-1].values


def test_what_went_wrong_in_a_step_is_no_mere_information(tmp_path, monkeypatch):
    planned(monkeypatch, "ends", "warns", "fails")
    events = record(Reproduce(chapter="transfer", data=tmp_path), "reproduce", tmp_path / "run")
    notes = [event for event in events if is_note(event) and event.kind != "info"]
    assert [(note.kind, note.path) for note in notes] == [("damaged", "a.png"), ("warning", "")]
    assert [note.text[0] for note in notes] == ["b", "c"]


@pytest.mark.parametrize("way", ["stops", "ends-early"])
def test_a_run_that_was_stopped_goes_on_where_it_was(way, tmp_path, monkeypatch):
    planned(monkeypatch, "ends", way, "ends")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run")
    assert CALLS == ["a", "b"]
    planned(monkeypatch, "ends", "ends", "ends")
    found = go(tmp_path / "run")
    assert CALLS == ["b", "c"]
    assert found["chapters"][0]["sections"][0]["findings"] == ["a is 1", "b is 1", "c is 1"]
    aside = [path.name for path in (tmp_path / "run/steps").iterdir() if "unfinished" in path.name]
    assert aside == ["b.unfinished-1"]
    assert go(tmp_path / "run")["chapters"] == found["chapters"]
    assert CALLS == ["b", "c"]


def test_the_page_of_a_run_that_was_gone_on_with_does_not_say_that_it_stopped(tmp_path, monkeypatch):
    planned(monkeypatch, "stops")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run")
    planned(monkeypatch, "ends")
    go(tmp_path / "run")
    done = run("report", tmp_path / "run", "--output", tmp_path / "page.html")
    assert done.exit_code == 0
    assert "stopped before its end" not in (tmp_path / "page.html").read_text()


def test_other_settings_make_a_part_anew(tmp_path, monkeypatch):
    planned(monkeypatch, "ends", "ends")
    go(tmp_path / "run")
    planned(monkeypatch, "ends", "ends", shade=1)
    go(tmp_path / "run")
    assert CALLS == ["a", "b"]


def test_what_was_made_from_a_part_is_made_again_after_it(tmp_path, monkeypatch):
    planned(monkeypatch, "ends", "ends", "ends", after=("a",))
    go(tmp_path / "run")
    result = tmp_path / "run/steps/a/result.json"
    os.utime(result, (result.stat().st_atime, result.stat().st_mtime + 60))
    CALLS.clear()
    go(tmp_path / "run")
    assert CALLS == ["c"]


def test_a_part_that_cannot_be_made_is_said_and_the_others_are_made(tmp_path, monkeypatch):
    planned(monkeypatch, "fails", "ends")
    section = go(tmp_path / "run")["chapters"][0]["sections"][0]
    assert section["missing"] == ["No image could be read."]
    assert section["findings"] == ["b is 1"]
    assert section["values"] == [{"metric": "count", "measured": 1, "report": None}]


def test_markup_in_what_is_said_stays_text(tmp_path, monkeypatch):
    planned(monkeypatch, "ends")
    chapter = Chapter(
        "transfer", "<b>A</b>", [Section("<i>", [Step("a", "x", None, "<script>")], lambda _: Findings(()))]
    )
    monkeypatch.setitem(reproduction.CHAPTERS, "transfer", lambda _: chapter)
    go(tmp_path / "run")
    page = (tmp_path / "run/report.html").read_text()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<b>A" not in page


def test_a_training_that_was_stopped_is_gone_on_with(data, judges, tmp_path, monkeypatch):
    task = GanTrain(data=str(data / "mnist"), cache=judges, conditional=False, **{**TINY.digits, "epochs": 2})
    chapter = Chapter("transfer", "", [Section("", [Step("gan", "gan-train", task)], lambda _: Findings(()))])
    monkeypatch.setitem(reproduction.CHAPTERS, "transfer", lambda _: chapter)
    home = tmp_path / "run"
    stopped = record(task, "gan-train", home / "steps" / "gan")
    next(event for event in stopped if isinstance(event, Checkpoint))
    stopped.close()  # as if the process had been killed
    # As it would have been left there by a reproduction.
    (home / "settings.json").write_text('{"task": "reproduce", "settings": {}}')
    notes = [
        event.text for event in record(Reproduce(chapter="transfer", data=data), "reproduce", home) if is_note(event)
    ]
    assert any("Resumed after step" in text for text in notes)
    assert json.loads((home / "steps/gan/result.json").read_text())["epochs"] == 2
    assert [path.name for path in (home / "steps").iterdir()] == ["gan"]


def test_another_tasks_folder_is_not_gone_on_with(tmp_path, monkeypatch):
    planned(monkeypatch, "ends")
    list(record(Counted(name="x"), "counted", tmp_path / "run"))
    with pytest.raises(Exception, match="exists and is not empty"):
        go(tmp_path / "run")


def test_weights_are_found_by_the_networks_name(tmp_path):
    from vitrail.reproduction.inputs import Inputs

    def inputs(weights):
        return Inputs(tmp_path, tmp_path / "run", weights, TINY, 0, "cpu")

    (tmp_path / "vgg16-397923af.pth").touch()
    (tmp_path / "squeezenet1_1.pth").touch()
    (tmp_path / "alexnet.txt").touch()
    given = inputs(tmp_path)
    assert given.weights_of("vgg16") == tmp_path / "vgg16-397923af.pth"
    assert given.second == "vgg16"
    assert given.weights_of("squeezenet") is None
    assert given.weights_of("alexnet") is None
    assert inputs(None).second == "efficientnet-lite0"


def test_a_folder_of_weights_must_be_one(tmp_path):
    with pytest.raises(BadSetting, match="--data must be a folder"):
        list(Reproduce(chapter="transfer", data=tmp_path / "none").run_in(tmp_path / "run"))


def test_the_full_budget_asks_for_what_the_tasks_take(data, stripes, tmp_path):
    home = tmp_path / "data"
    home.mkdir()
    for name in ("scene15", "mnist"):
        (home / name).symlink_to((data / name).resolve())
    (home / "celeba64").symlink_to(stripes / "train")
    inputs = reproduction.open_inputs(home, tmp_path / "run", weights=None, budget="full", seed=0, device="auto")
    chapters = [chapter(inputs) for chapter in reproduction.CHAPTERS.values()]
    steps = reproduction.plan_of(chapters)
    lacking = [step for step in steps if step.task is None]
    assert len(steps) - len(lacking) >= 25
    assert all("alexnet" in step.name.lower() or "vgg16" in step.name.lower() for step in lacking), lacking
    trained = {step.name: step.task for step in steps if isinstance(step.task, GanTrain)}
    assert {task.epochs for task in trained.values()} == {20, 25, 50}
