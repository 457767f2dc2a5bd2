"""Images in shards: the same as at once, whoever does them, and nothing that is finished is done again."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest
from command import run

from vitrail.sharding.part import part_file, read_part
from vitrail.sharding.shard import Shard, shards

ONE = ("--workers", "1", "--json")


def result(*arguments):
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def kept(folder):
    """The shards' files and their bytes."""
    return {file.name: file.read_bytes() for file in sorted((folder / "shards").iterdir())}


@pytest.mark.parametrize("total", [0, 1, 7, 64, 1000])
@pytest.mark.parametrize("count", [1, 3, 64])
def test_shards_are_all_images_once_and_differ_by_one(total, count):
    rows = [range(total)[shard.rows(total)] for shard in shards(count)]
    assert [row for part in rows for row in part] == list(range(total))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "x", "1/0", "-1/3", "1/9999999", "1/2/3", ""])
def test_a_shard_outside_its_range_is_an_error(text, classifier, stripes):
    done = run("predict", classifier, stripes / "test", "--shard", text)
    assert done.exit_code == 2
    assert "--shard takes K/N, with K from 1 to N; got" in done.output


def test_shards_are_counted_from_one_and_sort():
    assert str(Shard.parse("3/64")) == "000003-of-000064"


def test_predictions_in_shards_equal_those_of_one_run(classifier, stripes, tmp_path):
    at_once = result("predict", classifier, stripes / "test", "--run", tmp_path / "a", "--no-use-cache", "--json")
    cut = result("predict", classifier, stripes / "test", "--run", tmp_path / "b", "--shards", 5, *ONE)
    assert [row["file"] for row in cut["images"]] == [row["file"] for row in at_once["images"]]
    assert [row["top"][0]["name"] for row in cut["images"]] == [row["top"][0]["name"] for row in at_once["images"]]
    for mine, other in zip(cut["images"], at_once["images"], strict=True):
        assert [top["probability"] for top in mine["top"]] == pytest.approx(
            [top["probability"] for top in other["top"]], abs=1e-4
        )
    assert cut["shards"] == {"count": 5, "computed": 5, "folder": "shards", "engine": "local"}
    assert cut["n"] == 12


def test_single_shards_in_any_order_are_merged_without_work(classifier, stripes, tmp_path):
    args = ("predict", classifier, stripes / "test")
    whole = result(*args, "--run", tmp_path / "whole", "--shards", 3, *ONE)
    for shard in ("3/3", "1/3", "2/3"):
        alone = result(*args, "--run", tmp_path / "out", "--shard", shard, "--json")
        assert (alone["shard"], alone["n"], alone["skipped"]) == (shard, 4, [])
        assert alone.keys() >= {"task", "backbone", "device", "seconds", "run"}
    again = run(*args, "--run", tmp_path / "out", "--shard", "2/3")
    assert "Shard 2 of 3" in again.output
    merged = result(*args, "--run", tmp_path / "out", "--shards", 3, *ONE)
    assert merged["shards"]["computed"] == 0
    assert merged["images"] == whole["images"]
    assert kept(tmp_path / "out") == kept(tmp_path / "whole")
    assert (tmp_path / "out/logs/000002-of-000003/events.jsonl").is_file()


def test_finished_shards_stay_and_missing_ones_are_computed(classifier, stripes, tmp_path):
    args = ("predict", classifier, stripes / "test", "--run", tmp_path / "run", "--shards", 4, *ONE)
    first, files = result(*args), kept(tmp_path / "run")
    lost = tmp_path / "run/shards/000003-of-000004.jsonl"
    lost.unlink()
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "run/shards").iterdir()}
    second = result(*args)
    assert second["shards"]["computed"] == 1
    assert second["images"] == first["images"]
    assert kept(tmp_path / "run") == files
    assert all(file.stat().st_mtime_ns == at for file, at in times.items())


def test_shards_of_other_images_or_settings_are_not_resumed(classifier, stripes, tmp_path):
    args = ("predict", classifier, stripes / "test", "--run", tmp_path / "run", "--shards", 2, *ONE)
    result(*args)
    other = run(*args, "--top-k", 2)
    assert other.exit_code == 1
    assert "made with other settings" in other.output
    more = run("predict", classifier, stripes / "train", "--run", tmp_path / "run", "--shards", 2)
    assert more.exit_code == 1
    assert "were made with other images" in more.output
    another = run("explain", stripes / "test", "--run", tmp_path / "run", "--shards", 2)
    assert another.exit_code == 1
    assert "exists and is not empty" in another.output


def test_a_damaged_shard_is_named_and_computed_again_once_removed(classifier, stripes, tmp_path):
    args = ("predict", classifier, stripes / "test", "--run", tmp_path / "run", "--shards", 2, *ONE)
    first = result(*args)
    bad = tmp_path / "run/shards/000002-of-000002.jsonl"
    bad.write_bytes(bad.read_bytes()[:-200])
    damaged = run(*args)
    assert damaged.exit_code == 1
    assert "000002-of-000002.jsonl" in damaged.output
    bad.unlink()
    assert result(*args)["images"] == first["images"]


def test_unreadable_images_are_skipped_by_name_and_shards_may_be_empty(classifier, stripes, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(stripes / "test" / "noise", folder)
    for name in ("0.png", "1.png"):  # the whole of two shards
        (folder / name).write_bytes(b"no image")
    found = result("predict", classifier, folder, "--run", tmp_path / "run", "--shards", 6, *ONE)
    assert [skip["file"].rpartition("/")[2] for skip in found["skipped"]] == ["0.png", "1.png"]
    assert [row["file"].rpartition("/")[2] for row in found["images"]] == ["2.png", "3.png"]
    assert [row["index"] for row in found["images"]] == [2, 3]
    for name in ("2.png", "3.png"):
        (folder / name).write_bytes(b"")
    none = run("predict", classifier, folder, "--run", tmp_path / "none", "--shards", 2)
    assert none.exit_code == 1
    assert "No image could be read" in none.output


def test_images_in_tar_files_and_tables_are_those_of_the_folder(classifier, stripes, tmp_path):
    files = sorted((stripes / "test").rglob("*.png"))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for file in files:
            archive.add(file, f"{file.parent.name}/{file.name}")
    (tmp_path / "list.csv").write_text("file\n" + "".join(f"{file}\n" for file in files))
    tops = [
        [
            row["top"]
            for row in result("predict", classifier, source, "--run", tmp_path / name, "--shards", 2, *ONE)["images"]
        ]
        for name, source in (("1", stripes / "test"), ("2", tmp_path / "a.tar"), ("3", tmp_path / "list.csv"))
    ]
    assert tops[0] == tops[1] == tops[2]


def test_maps_in_shards_are_those_at_once(stripes, tmp_path):
    files = sorted((stripes / "test" / "down").iterdir())[:2]
    args = ("explain", *files, "--method", "gradient,grad-cam", "--backbone", "squeezenet", "--no-faithfulness")
    at_once = result(*args, "--run", tmp_path / "a", "--json")
    result(*args, "--run", tmp_path / "b", "--shards", 2, *ONE)
    parts = [read_part(part_file(tmp_path / "b" / "shards" / str(shard)), within=tmp_path) for shard in shards(2)]
    for method in ("gradient", "grad-cam"):
        maps = np.concatenate([part.tensors[f"squeezenet/{method}"] for part in parts])
        kept_maps = [
            np.load(tmp_path / "a" / each["array"])
            for row in at_once["images"]
            for each in row["maps"]
            if each["method"] == method
        ]
        assert np.allclose(maps, kept_maps, atol=1e-4 * np.abs(maps).max())
    assert run(*args, "--shards", 2, "--segment").exit_code == 2


@pytest.mark.slow
def test_an_audit_in_shards_says_what_it_says_at_once(classifier, stripes, tmp_path):
    args = ("audit", stripes / "test", "--backbone", classifier, "--linf", "0.02", "--l2", "1", "--max-images", 2)
    at_once = result(*args, "--run", tmp_path / "a", "--json")
    cut = result(*args, "--run", tmp_path / "b", "--shards", 2, *ONE)
    assert cut["n"] == at_once["n"] == 2
    assert [point["accuracy"] for point in cut["curve"]] == [point["accuracy"] for point in at_once["curve"]]
    assert cut["minimal_l2"]["mean"] == pytest.approx(at_once["minimal_l2"]["mean"], rel=0.02)
    assert (tmp_path / "b/plots/curve_l2.png").is_file()


@pytest.mark.slow
def test_a_classifier_from_features_in_shards_equals_that_of_one_run(stripes, tmp_path):
    args = ("transfer", stripes, "--backbone", "squeezenet", "--layer", "fire9,conv10")
    at_once = result(*args, "--run", tmp_path / "a", "--no-use-cache", "--json")
    cut = result(*args, "--run", tmp_path / "b", "--shards", 5, *ONE)
    assert cut["test"] == at_once["test"]
    assert cut["choice"]["C"] == at_once["choice"]["C"]
    assert cut["computed"] == 36
    other_c = result(*args, "--run", tmp_path / "b", "--shards", 5, "--C", "1", *ONE)  # the same features serve
    assert other_c["shards"]["computed"] == 0
    assert other_c["choice"]["C"] == 1


@pytest.mark.slow
def test_features_in_shards_are_the_same_files_again(stripes, tmp_path):
    args = ("transfer", stripes, "--backbone", "squeezenet", "--layer", "fire9", "--C", "1", "--shards", 2, *ONE)
    first, again = (result(*args, "--run", tmp_path / name) for name in "ab")
    assert kept(tmp_path / "a") == kept(tmp_path / "b")
    assert first["engines"]["squeezenet"].keys() == {"engine", "device"}
    assert first["test"] == again["test"]


@pytest.mark.slow
def test_two_processes_give_bit_identical_shards(classifier, stripes, tmp_path):
    args = ("predict", classifier, stripes / "test", "--shards", 4, "--json")
    one = result(*args, "--run", tmp_path / "one", "--workers", 1)
    two = result(*args, "--run", tmp_path / "two", "--workers", 2)
    assert kept(tmp_path / "one") == kept(tmp_path / "two")
    assert two["images"] == one["images"]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_an_error_and_finished_shards_stay(stripes, tmp_path):
    killed = []

    def kill_one_worker():
        while not list((tmp_path / "run").glob("shards/0*")):  # by then both are at work, one on its second shard
            time.sleep(0.01)
        workers = multiprocessing.active_children()
        workers[0].kill()
        killed.append(workers[0].pid)

    killer = threading.Thread(target=kill_one_worker, daemon=True)
    killer.start()
    long = ("--backbone", "tiny", "--method", "rise", "--samples", 3000, "--no-faithfulness")
    args = ("explain", stripes / "test", *long, "--run", tmp_path / "run", "--shards", 6, "--workers", 2)
    done = run(*args)
    killer.join(timeout=60)
    assert killed
    assert done.exit_code == 1
    assert "exit code -9" in done.output
    assert result(*args, "--json")["n"] == 12


@pytest.mark.slow
def test_an_error_in_a_worker_is_reported_as_in_one_process(classifier, stripes, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(classifier, folder)
    about = json.loads((folder / "weights/head.json").read_text())
    about["members"][0]["layers"] = ["no-such-layer"]
    (folder / "weights/head.json").write_text(json.dumps(about))
    done = run("predict", folder, stripes / "test", "--run", tmp_path / "run", "--shards", 2, "--workers", 2)
    assert done.exit_code == 1
    assert "no-such-layer" in done.output
    assert "Traceback" not in done.output


def on_ray(*arguments, **more):
    command = [sys.executable, "-m", "vitrail", *map(str, arguments), "--engine", "ray", "--workers", "2", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.slow
def test_workers_of_ray_give_the_same_to_the_bit(classifier, stripes, tmp_path):
    args = ("predict", classifier, stripes / "test", "--shards", 3)
    here = result(*args, "--run", tmp_path / "here", *ONE)
    out, log = (there := on_ray(*args, "--run", tmp_path / "there")).communicate(timeout=300)
    assert there.returncode == 0, log
    assert kept(tmp_path / "here") == kept(tmp_path / "there")
    assert json.loads(out)["images"] == here["images"]
    assert json.loads(out)["shards"]["engine"] == "ray"


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_what_ray_was_doing_when_a_process_was_killed_is_done_after_all(victim, stripes, tmp_path):
    args = ("explain", stripes / "train", "--method", "smooth-grad", "--samples", 20, "--backbone", "squeezenet")
    args += ("--shards", 8)
    here = result(*args, "--run", tmp_path / "here", *ONE)
    there = on_ray(*args, "--run", tmp_path / "there")
    files = tmp_path / "there" / "shards"
    while there.poll() is None and len(list(files.glob("0*"))) < 2:
        time.sleep(0.2)
    pid = there.pid if victim == "driver" else actors_of(there.pid)[0]
    os.kill(pid, signal.SIGKILL)
    out, log = there.communicate(timeout=600)
    if victim == "driver":
        made = len(list(files.glob("0*")))
        assert 2 <= made < 8
        out, log = (there := on_ray(*args, "--run", tmp_path / "there")).communicate(timeout=600)
        assert json.loads(out)["shards"]["computed"] <= 8 - made
    assert there.returncode == 0, log
    assert kept(tmp_path / "here") == kept(tmp_path / "there")
    assert json.loads(out)["means"] == here["means"]


def actors_of(driver):
    """Processes of the actors that do shards, among the descendants of a driver."""
    lines = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    rows = [line.split(None, 2) for line in lines]
    family = {driver}
    for _ in range(5):
        family |= {int(pid) for pid, parent, _ in rows if int(parent) in family}
    return [int(pid) for pid, _, name in rows if int(pid) in family and "MapWorker" in name]
