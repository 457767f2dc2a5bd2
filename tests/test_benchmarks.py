"""The benchmarks are run by hand: what they import of the package must be there when they are."""

import ast
import json
import signal
import subprocess
import sys
import tarfile
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark_module(monkeypatch):
    """Imports a benchmark by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    return import_module


@pytest.mark.parametrize("program", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(program):
    names = []
    for node in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "vitrail":
            names += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [(alias.name, "") for alias in node.names if alias.name.partition(".")[0] == "vitrail"]
    for module, name in names:
        found = import_module(module)
        assert not name or hasattr(found, name) or import_module(f"{module}.{name}"), (module, name)


@pytest.mark.slow
def test_every_step_of_the_benchmark_of_a_gpu_runs():
    """At its smallest, on the CPU: on a card nothing may fail that could have been seen without one."""
    command = [sys.executable, str(FOLDER / "gpu.py"), "--tiny", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(steps) > 40
    failed = {step["step"]: step for step in steps if "error" in step or "error" in step.get("cpu", {})}
    assert failed == {}
    engines = {name: value for step in steps if step["step"].startswith("engines-") for name, value in step.items()}
    assert engines["channels-last float32"]["relative_error"] < 1e-3
    assert not any("error" in value for value in engines.values() if isinstance(value, dict))
    assert all(gap <= 1e-6 for step in steps for gap in step.get("largest_relative_gap", {}).values())


def steps_of(*arguments, bare=False):
    """The lines of JSON of the benchmark of a GPU at its smallest; `bare`: without optional packages."""
    program = [str(Path(__file__).with_name("bare_python.py"))] * bare + [str(FOLDER / "gpu.py")]
    command = [sys.executable, *program, "--tiny", "--device", "cpu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_benchmark_of_a_gpu_needs_no_optional_package_and_says_what_its_time_did_not_allow(tmp_path):
    output = tmp_path / "new" / "gpu.json"
    steps = steps_of("--minutes", "0", "--output", str(output), bare=True)
    assert len(steps) > 40
    assert {step["skipped"] for step in steps} == {"the 0 minutes are used up"}
    assert json.loads(output.read_text())["steps"] == steps


@pytest.mark.slow
def test_steps_of_the_benchmark_of_a_gpu_run_without_optional_packages():
    steps = steps_of("--only", "classify", "explain-squeezenet", "gan-train-dcgan", bare=True)
    assert [step["step"] for step in steps] == ["classify", "explain-squeezenet", "gan-train-dcgan"]
    assert not any("error" in step["cpu"] for step in steps)


def test_a_step_that_goes_on_after_the_time_is_stopped_and_the_next_ones_do_not_begin(
    benchmark_module, monkeypatch, tmp_path
):
    gpu, steps = benchmark_module("gpu"), benchmark_module("gpu_steps")
    monkeypatch.setattr(gpu, "GRACE", 0.2)
    monkeypatch.setattr(gpu.vitrail, "run", lambda *_, **__: time.sleep(30))
    before = signal.getsignal(signal.SIGALRM)
    try:
        bench = gpu.Bench(("cpu",), tmp_path, gpu.Budget(0.1 / 60))
        first, second = (bench.compare(steps.Step(name, "classify", {})) for name in ("one", "two"))
        check = gpu.within(bench.budget, dict)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert first["cpu"]["error"].startswith("TimeUp: stopped")
    assert first["cpu"]["seconds"] < 10
    assert "used up" in second["skipped"]
    assert "used up" in check["skipped"]


@pytest.fixture
def data_sets(tmp_path):
    """Made-up images in the folders that are packed for a machine with a GPU."""
    rng, folder = np.random.default_rng(0), tmp_path / "data"

    def draw(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)

    for part in ("train", "test"):
        for name in ("coast", "forest"):
            for index in range(25):
                draw(folder / "scene15" / part / name / f"{index:02}.png")
    for index in range(40):
        draw(folder / "imagenet256" / "images" / f"{index:02}.png")
        draw(folder / "celeba64" / "images" / f"{index:02}.png")
    rows = "\n".join(f"{index:02}.png,{index % 2}" for index in range(40))
    (folder / "celeba64" / "labels.csv").write_text(f"file,Male\n{rows}\n")
    return folder


def test_the_data_of_a_gpu_are_packed_as_the_benchmark_reads_them(benchmark_module, monkeypatch, data_sets, tmp_path):
    packing, steps = benchmark_module("pack_gpu_data"), benchmark_module("gpu_steps")
    monkeypatch.setattr(packing, "FACES", 10)
    lines = list(packing.pack(data_sets, tmp_path / "one.tar"))
    assert [line["files"] for line in lines] == [2 * (20 + 10), 32, 11, 0, 103]
    assert lines[-1]["bytes"] == (tmp_path / "one.tar").stat().st_size
    list(packing.pack(data_sets, tmp_path / "two.tar"))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    unpacked = tmp_path / "unpacked"
    assert sorted(path.name for path in unpacked.iterdir()) == ["faces", "photos", "scene15"]
    assert len(list((unpacked / "scene15" / "train" / "coast").iterdir())) == 20
    faces = sorted(path.name for path in (unpacked / "faces" / "images").iterdir())
    assert [row.split(",")[0] for row in (unpacked / "faces" / "labels.csv").read_text().split()[1:]] == faces
    assert faces[:2] == ["00.png", "04.png"]
    used = {name: step.settings for step in steps.steps(unpacked) for name in [step.name]}
    assert len(used["classify"]["images"]) == 32
    assert used["gan-train-faces"]["labels"].is_file()
    assert len(used["gan-edit"]["images"]) == 4


def test_data_that_are_too_large_or_missing_are_not_packed(benchmark_module, data_sets, tmp_path):
    packing = benchmark_module("pack_gpu_data")
    size = list(packing.pack(data_sets, tmp_path / "fits.tar"))[-1]["bytes"]
    list(packing.pack(data_sets, tmp_path / "fits.tar", limit=size))
    with pytest.raises(SystemExit, match="too large: .* MB of .*Use smaller"):
        list(packing.pack(data_sets, tmp_path / "large.tar", limit=size - 10 * 1024))
    assert not (tmp_path / "large.tar").exists()
    (data_sets / "imagenet256").rename(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match="no images in .*Use a folder"):
        list(packing.pack(data_sets, tmp_path / "missing.tar"))


@pytest.mark.slow
def test_every_peer_that_is_here_runs(tmp_path):
    """fastai is not: it needs an environment of its own."""
    tools = ("vitrail", "scikit-learn", "tutorial")
    command = [sys.executable, str(FOLDER / "peers.py"), "--tiny", "--output", str(tmp_path / "peers.json")]
    done = subprocess.run([*command, "--tools", *tools], capture_output=True, text=True, check=True)
    runs = json.loads((tmp_path / "peers.json").read_text())
    assert runs.keys() == {f"drawn/{tool}" for tool in tools}
    assert all(run["n"] == 9 and run["cpu_seconds"] > 0 for run in runs.values())
    assert max(map(len, done.stdout.splitlines())) <= 80
    again = subprocess.run([*command, "--tools", *tools], capture_output=True, text=True, check=True)
    assert again.stdout.splitlines() == done.stdout.splitlines()[-len(again.stdout.splitlines()) :]
