"""Whether what lies in a folder is whole: whatever happened to whoever wrote it."""

import csv
import hashlib
import io
import json

import numpy as np
from PIL import Image
from safetensors.numpy import load

from vitrail.result_differences import differences

MEASURED = {"evaluation_share", "generator", "page", "shards"}
"""What tells of the machine or of folders, beside what `vitrail replay` leaves out."""
PACES = {"images/s", "seconds"}
"""Columns of tables that do."""


def files_of(folder):
    """All files below a folder, but what writers that were killed left behind."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".part")]


def check(folder):
    """How many files there are below `folder`; each of them is whole, or this fails."""
    found = files_of(folder)
    for path in found:
        try:
            CHECKS[path.suffix](path)
        except Exception as error:
            raise AssertionError(f"{path} is not whole: {error!r}") from error
    return len(found)


def leftovers(folder):
    """What only a writer that was killed may leave behind."""
    return [path for path in folder.rglob("*.part") if path.is_file()]


def snapshot(folder):
    """Path -> bytes of everything below a folder."""
    return {path: path.read_bytes() for path in files_of(folder)} if folder.exists() else {}


def assert_same(folder, other):
    """Two finished runs came to the same: figures, weights, tables, maps and images; times apart."""
    homes = (folder, other)
    one, two = (json.loads((home / "result.json").read_text()) for home in homes)
    unequal = differences(one, two) - MEASURED
    assert not unequal, {name: (one.get(name), two.get(name)) for name in unequal}
    for part in ("weights", "tables", "maps", "images"):
        kept, again = ({path.relative_to(home): came_out(path) for path in files_of(home / part)} for home in homes)
        assert kept.keys() == again.keys(), part
        assert not [path for path in kept if kept[path] != again[path]], part


def came_out(path):
    """The content, without a table's columns that measure the machine."""
    if path.suffix != ".csv":
        return path.read_bytes()
    columns, *rows = csv.reader(io.StringIO(path.read_text()))
    left_out = {place for place, name in enumerate(columns) if name in PACES}
    return [[value for place, value in enumerate(row) if place not in left_out] for row in (columns, *rows)]


def _lines(path):
    *lines, last = path.read_bytes().split(b"\n")
    assert not last or path.name == "events.jsonl"  # the one that was being written
    for line in lines:
        json.loads(line)


def _table(path):
    text = path.read_text()
    assert text.endswith("\n")
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


def _tensors(path):
    load(path.read_bytes())
    if path.name.startswith("shard-"):
        assert path.name == f"shard-{hashlib.sha256(path.read_bytes()).hexdigest()}.safetensors"


def _page(path):
    assert path.read_text().rstrip().endswith("</html>")


def _image(path):
    with Image.open(path) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()


def _card(path):
    assert path.read_text().startswith("---\n")


CHECKS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": _lines,
    ".csv": _table,
    ".safetensors": _tensors,
    ".npy": lambda path: np.load(path),
    ".html": _page,
    ".png": _image,
    ".gif": _image,
    ".md": _card,
}
"""By the end of the name: a file of another kind is a mistake of ours."""
