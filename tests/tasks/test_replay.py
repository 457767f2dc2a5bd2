"""`vitrail replay`: runs that cannot be repeated."""

import json
import shutil

import pytest
from command import run


@pytest.mark.parametrize("settings", [{"code_size": 3}, {"backbone": {}}, {"folds": 0}])
def test_a_run_of_another_version_is_said_to_be_one(settings, classifier, tmp_path):
    shutil.copytree(classifier, tmp_path / "old")
    recorded = json.loads((tmp_path / "old" / "settings.json").read_text())
    recorded["settings"] |= settings
    (tmp_path / "old" / "settings.json").write_text(json.dumps(recorded))
    environment = json.loads((tmp_path / "old" / "environment.json").read_text())
    (tmp_path / "old" / "environment.json").write_text(json.dumps({**environment, "vitrail": "0.0.9"}))
    done = run("replay", tmp_path / "old", "--runs", tmp_path / "again")
    assert done.exit_code == 1
    assert "made by Vitrail 0.0.9" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("command", ["train", "", "gan_train", "helpers:more"])
def test_a_run_of_a_command_that_this_version_lacks_is_said_to_be_one(command, classifier, tmp_path):
    shutil.copytree(classifier, tmp_path / "old")
    recorded = json.loads((tmp_path / "old" / "settings.json").read_text())
    (tmp_path / "old" / "settings.json").write_text(json.dumps(recorded | {"task": command}))
    done = run("replay", tmp_path / "old", "--runs", tmp_path / "again")
    assert done.exit_code == 1
    assert f"with the command {command!r}, which this version lacks. Use that version" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "again").exists()
