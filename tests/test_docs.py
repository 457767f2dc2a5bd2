"""The pages say what the code does: every command, backbone, room, benchmark and link exists."""

import re
from pathlib import Path

import pytest

from vitrail.backbones import BACKBONES
from vitrail.tasks import TASKS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "vitrail"
COMMANDS, METHODS = ROOT / "docs" / "commands", ROOT / "docs" / "methods"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]
CODE = re.compile(r"^```.*?^```$", re.M | re.S)
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", CODE.sub("", page.read_text())):
        if not target.startswith("https://"):
            path = (page.parent / target).resolve()
            written = path.parent == COMMANDS and path.stem in TASKS  # while the site is built
            assert written or path.exists(), target


def test_every_page_is_named_in_the_contents():
    contents = (ROOT / "docs" / "index.md").read_text()
    for page in (*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("tutorials/*.md"), *METHODS.glob("*.md")):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert name == "index" or f"\n{name}\n" in contents, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(r"`((?:tests|benchmarks|docs)/[\w/.-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("command", TASKS)
def test_the_readme_shows_every_command(command):
    assert f"vitrail {command.replace('gan-', 'gan ')}" in README


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "tiny"])  # which is that of the tests
def test_the_readme_names_every_backbone(name):
    assert f"`{name}NAME`" in README if name.endswith(":") else f"`{name}`" in README


def test_the_architecture_shows_every_room():
    rooms = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    rooms |= {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    shown = set(re.findall(r"\w+", " ".join(re.findall(r"^\|.*\|$", (ROOT / "ARCHITECTURE.md").read_text(), re.M))))
    assert rooms <= shown


def test_every_benchmark_is_in_the_table():
    table = (ROOT / "benchmarks" / "README.md").read_text()
    for path in (ROOT / "benchmarks").glob("*.py"):
        assert f"benchmarks/{path.name}" in table, path.name


def test_what_very_many_images_cost_follows_from_what_one_does():
    page = (ROOT / "docs" / "scale.md").read_text()
    slopes = {
        name: float(value.replace(",", ""))
        for name, value in re.findall(r"^\| ([\w -]+, \S+) \| ([\d.,]+) \|$", page, re.M)
    }
    rows = re.findall(
        r"^\| ([\w -]+, \S+) \| (\d+) million \| ([\d.,]+) (\w+) \| ([\d.,]+) (\w+) \| ([\d.,]+) (\w+) \|$", page, re.M
    )
    assert len(slopes) == 4
    assert len(rows) == 2 * len(slopes)
    for name, millions, *cells in rows:
        for workers, value, unit in zip((1, 8, 64), cells[::2], cells[1::2], strict=True):
            seconds = float(value.replace(",", "")) * {"h": 3600, "min": 60, "s": 1}[unit]
            assert seconds == pytest.approx(int(millions) * 1000 * slopes[name] / workers, rel=0.05)
