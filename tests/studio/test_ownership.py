"""Who may see a run follows from where its inputs come from, whatever they are called."""

import json
from pathlib import Path

import pytest

from vitrail.errors import BadRun, BadSetting
from vitrail.studio.context import StudioContext
from vitrail.studio.jobs import Step
from vitrail.studio.ownership import Private, contains_private


@pytest.fixture
def context(tmp_path, monkeypatch):
    """A server whose jobs wait forever."""
    monkeypatch.setattr("threading.Thread.start", lambda _: None)
    (tmp_path / "runs").mkdir()
    (tmp_path / "uploads").mkdir()
    return StudioContext(tmp_path / "runs", (tmp_path,), tmp_path / "uploads")


def run_of(context, owner, name, settings):
    """The run folder of a job, as if it had been run."""
    folder = context.submit(owner, [(name, settings)]).steps[0].folder
    (folder / "settings.json").write_text(json.dumps({"task": name, "settings": {}}))
    (folder / "result.json").write_text('{"seed": 0}')
    return folder


def visible(context, folder):
    return [owner for owner in ("one", "other") if folder in context.run_folders(owner)]


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("explain", {"images": ["IMAGE"]}),
        ("explain", {"images": ["shared.png", "IMAGE"]}),
        ("visualise", {"classes": ["cat"], "start": "IMAGE"}),
        ("transfer", {"folder": "IMAGE"}),
        ("explain", {"images": ["shared.png"], "weights": "IMAGE"}),
    ],
)
def test_a_run_with_an_upload_in_any_setting_is_its_owners(context, task, settings):
    upload = Private(context.uploads / "image.png")
    given = {
        name: [upload if each == "IMAGE" else each for each in value]
        if isinstance(value, list)
        else (upload if value == "IMAGE" else value)
        for name, value in settings.items()
    }
    assert visible(context, run_of(context, "one", task, given)) == ["one"]


def test_a_folder_whose_name_begins_like_that_of_the_uploads_is_everybodys(context):
    for folder in (f"{context.uploads}-of-mine", f"{context.uploads.parent}/photos{context.uploads}"):
        assert visible(context, run_of(context, "one", "transfer", {"folder": folder})) == ["one", "other"]


def test_values_in_lists_and_mappings_are_found():
    assert contains_private({"a": [{"b": (Private("x"),)}]})
    assert not contains_private({"a": [{"b": ("x", Path("x"), 1, None)}]})
    step = Step.of("models", {"name": Private("squeezenet")})
    assert step.private
    assert step.settings["name"] == "squeezenet"


def test_a_run_of_another_visitors_run_is_refused_and_one_of_the_owners_is_private_too(context):
    classifier = run_of(context, "one", "transfer", {"folder": Private(context.uploads / "set")})
    assert context.check_network(str(classifier), "one") == str(classifier)
    with pytest.raises(BadSetting, match="not a network"):
        context.check_network(str(classifier), "other")
    with pytest.raises(BadRun):
        context.find_run(str(classifier), "other")
    settings = {"classes": ["cat"], "backbone": context.check_network(str(classifier), "one")}
    assert visible(context, run_of(context, "one", "visualise", settings)) == ["one"]
    replayed = context.find_run(str(classifier), "one")
    assert visible(context, run_of(context, "one", "compare", {"run_folders": [replayed, replayed]})) == ["one"]
