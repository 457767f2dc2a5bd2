"""Whatever is passed to the Python face: a result, or one sentence of ours; and the network stays as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("argument_errors.py")


@pytest.fixture(scope="module")
def attempts():
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_bad_argument_passes_or_ends_in_an_error_of_a_library(attempts):
    tried = [each for each in attempts if "wrong" in each]
    assert len(tried) > 700
    assert not [each for each in tried if not each["ours"]]


def test_each_sentence_says_what_was_given(attempts):
    for each in attempts:
        if "wrong" in each and each["kind"] == "BadSetting":
            assert "got " in each["message"] or "Use " in each["message"], each
            assert "\n" not in each["message"]
            assert len(each["message"]) < 400


def test_a_network_that_is_told_to_train_stays_as_it_is(attempts):
    (train,) = [each for each in attempts if each["door"] == "train"]
    assert train["same"]
    assert train["unchanged"]
