"""What the pages tell a reader to do works: their blocks are run, in order, in an empty folder."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SLOW = (
    "start.md",
    "tutorials/own-images.md",
    "tutorials/robust.md",
    "tutorials/believable-gan.md",
    "extending.md",
    "api/attributions.md",
    "api/vitrail.md",
    "api/gan.md",
    "api/gan_architectures.md",
    "api/gan_training.md",
    "api/metrics.md",
    "api/transfer.md",
)
PAGES = ("api/audit.md", "api/dataset_check.md", *(pytest.param(page, marks=pytest.mark.slow) for page in SLOW))


def run(folder, *pages):
    """Runs pages as a process of its own: their caches, seeds and entry points are nobody else's."""
    paths = (folder, ROOT / "src", os.environ.get("PYTHONPATH", ""))
    world = {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(map(str, paths))}
    world |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # other tests run beside it
    command = [sys.executable, Path(__file__).with_name("run_page.py"), *pages]
    return subprocess.run(command, cwd=folder, env={**os.environ, **world}, capture_output=True, text=True)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_works(page, tmp_path):
    done = run(tmp_path, DOCS / page)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout


def test_a_page_that_is_wrong_is_found_out(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```bash\nvitrail classify nothing.png\n```\n")
    assert "exit code 1" in run(tmp_path, page).stderr
    page.write_text("```python\nassert 1 == 2\n```\n")
    assert "AssertionError" in run(tmp_path, page).stderr


@pytest.mark.slow
def test_the_examples_of_all_commands_work_one_after_the_other(tmp_path):
    spec = importlib.util.spec_from_file_location("command_pages", DOCS / "extensions" / "command_pages.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    for number, name in enumerate(
        name for name in pages.EXAMPLES if name != "studio"
    ):  # which serves until it is stopped
        (tmp_path / f"{number:02d}.md").write_text(pages.page(name))
    done = run(tmp_path, DOCS / "commands" / "index.md", *sorted(tmp_path.glob("*.md")))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
