"""Two processes come together, train and part, again and again: none may abort at its exit, or wait for ever."""

import json
import time

import pytest
from several import done

OPTIONS = ("--size", 16, "--width", 4, "--batch", 32, "--epochs", 1, "--max-images", 256, "--held-out", 0.2)
MEASURED = ("--eval-samples", 8, "--final-eval-samples", 8, "--no-autotune")


@pytest.mark.slow
def test_starts(campaign, tmp_path):
    aborted, seconds = [], []
    for start in range(campaign.count(1, 20)):
        folder, began = tmp_path / f"{start}", time.monotonic()
        command = ("gan", "train", "digits", *OPTIONS, *MEASURED, "--cache", tmp_path / "cache")
        code, _, errors = done(*command, "--seed", campaign.seed, "--run", folder)
        seconds.append(time.monotonic() - began)
        if code != 0 or "SIGABRT" in errors or "terminate called" in errors:
            aborted.append((start, code, errors))
        assert json.loads((folder / "result.json").read_text())["processes"] == 2
    campaign.figures.update(starts=len(seconds), aborted=len(aborted), longest_seconds=round(max(seconds), 1))
    assert aborted == []
