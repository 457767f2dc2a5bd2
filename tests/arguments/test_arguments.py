"""Whatever is passed to the Python face: a result, or one sentence of ours; and a network stays as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ATTEMPTS = {"networks": 750, "metrics": 150, "files": 240}
"""Programs, and how many attempts each makes at least."""


@pytest.fixture(scope="module")
def made(request):
    done = subprocess.run([sys.executable, HERE / f"of_{request.param}.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return request.param, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("made", ATTEMPTS, indirect=True)
def test_every_bad_argument_is_one_sentence_of_ours_that_says_what_was_given(made):
    name, attempts = made
    tried = [each for each in attempts if "wrong" in each]
    assert len(tried) >= ATTEMPTS[name]
    assert not [each for each in tried if not each["ours"]]
    for each in tried:
        assert "got " in each["message"] or "Use " in each["message"] or each["kind"] != "BadSetting", each
        assert "\n" not in each["message"]
        assert len(each["message"]) < 400


@pytest.mark.parametrize("made", ["networks"], indirect=True)
def test_a_network_that_is_told_to_train_stays_as_it_is(made):
    (train,) = [each for each in made[1] if "wrong" not in each]
    assert train["same"]
    assert train["unchanged"]
