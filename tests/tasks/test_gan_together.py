"""`torchrun -m vitrail gan train`: two processes train as one; how they stop, resume and fail."""

import json
import os
import re
import signal
import time

import pytest
import torch
from command import run
from safetensors.torch import load_file
from several import done, own_errors, rank_of, start

from vitrail.gan_training.checkpoints import unpack

TINY = ("--size", 16, "--width", 4, "--batch", 8, "--eval-samples", 12, "--final-eval-samples", 12, "--no-autotune")
TOLERANCE = 1e-5  # of values and weights after few steps: two processes add in another order than one


def training(data, folder, *options, cache):
    return ("gan", "train", data, "--run", folder, "--cache", cache, *TINY, *options)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def last_checkpoint(folder):
    return unpack(sorted((folder / "checkpoints").glob("step-*"))[-1])


def wait_for_step(process, folder, step):
    for _ in range(1200):
        names = sorted(path.name for path in (folder / "checkpoints").glob("step-*"))
        if names and int(names[-1][5:13]) >= step:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no checkpoint came")


@pytest.mark.slow
def test_two_processes_train_as_one_does(stripes, cache, tmp_path):
    """Batch normalisation, mismatched labels, losses and metrics are those of the whole batch; grids are equal."""
    alone = run(*training(stripes, tmp_path / "one", "--epochs", 2, cache=cache))
    assert alone.exit_code == 0, alone.output
    code, printed, errors = done(*training(stripes, tmp_path / "two", "--epochs", 2, cache=cache))
    assert code == 0, errors
    assert printed.count("Fréchet distance") == 1
    (one, about_one), (two, about_two) = (last_checkpoint(tmp_path / name) for name in ("one", "two"))
    assert two.keys() - one.keys() == {"rank1.random"}
    weights = [name for name in one if name.startswith(("generator.", "discriminator.", "ema."))]
    assert len(weights) == 34
    for name in weights:
        assert (one[name] - two[name]).abs().max() < TOLERANCE, name
    for before, after in zip(about_one["history"], about_two["history"], strict=True):
        assert after == pytest.approx(before, rel=1e-3)
    grids = [tmp_path / name / "images" / "samples_0001.png" for name in ("one", "two")]
    assert grids[0].read_bytes() == grids[1].read_bytes()
    results = [result_of(tmp_path / name) for name in ("one", "two")]
    assert [result["processes"] for result in results] == [1, 2]
    assert results[0]["judge"] == results[1]["judge"]
    assert sorted(path.name for path in (tmp_path / "two" / "images").iterdir()) == sorted(
        path.name for path in (tmp_path / "one" / "images").iterdir()
    )


@pytest.mark.slow
def test_resume_is_bit_identical(stripes, cache, tmp_path):
    """The random numbers of dropout, which differ between ranks, too; Ctrl-C reaches the ranks through torchrun."""
    options = ("--architecture", "conditional-mlp", "--epochs", 60)
    code, _, errors = done(*training(stripes, tmp_path / "whole", *options, cache=cache))
    assert code == 0, errors
    broken = start(*training(stripes, tmp_path / "broken", *options, cache=cache))
    wait_for_step(broken, tmp_path / "broken", 6)
    broken.send_signal(signal.SIGINT)
    _, errors = broken.communicate(timeout=60)
    assert [sentence[:8] for sentence in own_errors(errors)] == ["Stopped."]
    assert not (tmp_path / "broken" / "result.json").exists()
    reached = last_checkpoint(tmp_path / "broken")[1]["position"]
    again = start("gan", "train", "--resume", tmp_path / "broken")
    wait_for_step(again, tmp_path / "broken", reached + 3)
    again.send_signal(signal.SIGTERM)
    _, errors = again.communicate(timeout=60)
    assert [sentence[:8] for sentence in own_errors(errors)] == ["Stopped."]
    code, _, errors = done("gan", "train", "--resume", tmp_path / "broken")
    assert code == 0, errors
    (one, about_one), (two, about_two) = (last_checkpoint(tmp_path / name) for name in ("whole", "broken"))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    assert not torch.equal(one["random"], one["rank1.random"])
    assert about_one == about_two
    assert result_of(tmp_path / "whole")["metrics"] == result_of(tmp_path / "broken")["metrics"]
    stored = (load_file(tmp_path / name / "weights" / "generator.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(a, b) for a, b in zip(*(each.values() for each in stored), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others_and_the_latest_checkpoint_is_resumed(stripes, cache, tmp_path, killed):
    process = start(*training(stripes, tmp_path / "r", "--epochs", 2000, "--evaluate-every", 2000, cache=cache))
    wait_for_step(process, tmp_path / "r", 6)
    os.kill(rank_of(process, killed), signal.SIGKILL)
    began = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert process.returncode != 0
    assert len(own_errors(errors)) <= 1, errors
    reached = last_checkpoint(tmp_path / "r")[1]
    alone = run("gan", "train", "--resume", tmp_path / "r")
    assert alone.exit_code == 1
    assert "2 processes, not with 1" in alone.stderr
    settings = json.loads((tmp_path / "r" / "settings.json").read_text())
    settings["settings"]["epochs"] = reached["epochs_done"] + 1
    (tmp_path / "r" / "settings.json").write_text(json.dumps(settings))
    code, _, errors = done("gan", "train", "--resume", tmp_path / "r")
    assert code == 0, errors
    assert result_of(tmp_path / "r")["epochs"] == reached["epochs_done"] + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--batch", 7), "--batch 8"),  # raised by both ranks
        (("--generator-learning-rate", "1e30", "--epochs", 3), "failed in epoch 1"),  # by rank 0
        (("--run", "."), "exists and is not empty"),
    ],
)
def test_an_error_is_printed_once(stripes, cache, tmp_path, options, says):
    code, _, errors = done(*training(stripes, tmp_path / "r", *options, cache=cache))
    assert code == 1
    (sentence,) = own_errors(errors)
    assert says in sentence


def test_other_commands_refuse_torchrun():
    from click.testing import Result
    from typer.testing import CliRunner

    from vitrail.cli.app import app

    def of_rank(rank) -> Result:
        return CliRunner().invoke(app, ["gan", "sample", "r"], env={"RANK": str(rank), "WORLD_SIZE": "2"})

    first, second = of_rank(0), of_rank(1)
    assert (first.exit_code, second.exit_code) == (2, 2)
    assert re.search("`vitrail gan sample` is the work of one process; torchrun started 2", first.stderr)
    assert second.output == ""


def test_one_process_of_torchrun_is_one(tmp_path):
    from typer.testing import CliRunner

    from vitrail.cli.app import app

    done = CliRunner().invoke(app, ["models"], env={"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"})
    assert done.exit_code == 0, done.output
