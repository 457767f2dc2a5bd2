"""Every command that uses a trained generator ends with a summary of at most twelve lines, and commands to copy."""

import pytest
from gan_folders import trained_on_attributes

from vitrail.events import Result, Summary
from vitrail.tasks import TASKS


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return trained_on_attributes(tmp_path_factory.mktemp("summaries"))


SETTINGS = {
    "gan-sample": {"count": 3, "label": ("bright=1",)},
    "gan-evaluate": {"samples": 8},
    "gan-interpolate": {"steps": 2},
    "gan-export": {},
    "gan-edit": {"attributes": ("bright=0",), "inversion_steps": 2},
}
LABELS = {
    "gan-sample": {"images", "generator", "label", "files"},
    "gan-evaluate": {"Fréchet distance", "measured with"},
    "gan-interpolate": {"frames", "seeds", "labels", "files"},
    "gan-export": {"safetensors", "difference"},
    "gan-edit": {"images", "edit", "reconstruction error"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_command_ends_with_a_summary(name, home):
    settings = dict(SETTINGS[name], generator=home / "run")
    if "cache" in TASKS[name].model_fields:
        settings["cache"] = home / "cache"
    if name == "gan-edit":
        settings["images"] = [home / "data" / "images" / "01.png"]
    *events, summary, result = TASKS[name](**settings).run()
    assert isinstance(summary, Summary)
    assert isinstance(result, Result)
    assert not any(isinstance(event, Summary) for event in events)
    assert LABELS[name] | {"time"} <= {label for label, _ in summary.lines}
    assert len(summary.lines) <= 12
    assert summary.next_steps
    assert all(step.startswith("vitrail gan ") for step in summary.next_steps)
