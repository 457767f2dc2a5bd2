"""The benchmarks are run by hand: what they import of the package must be there when they are."""

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


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
    failed = {step["step"]: step["cpu"]["error"] for step in steps if "error" in step.get("cpu", {})}
    assert failed == {}
    assert all(gap <= 1e-6 for step in steps for gap in step.get("largest_relative_gap", {}).values())
