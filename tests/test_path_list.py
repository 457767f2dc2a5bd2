"""Very many paths: what a list of them says, in a fraction of its memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitrail.path_list import PathList

PATHS = [Path("a/b.jpg"), Path("ü\n.png"), Path(os.fsdecode(b"\xff.jpg")), Path("x.tar/1.jpg")]


def test_it_says_what_a_list_says():
    kept = PathList(PATHS)
    assert list(kept) == PATHS
    assert len(kept) == 4
    assert kept[1] == PATHS[1]
    assert kept[-1] == PATHS[-1]
    assert kept[1:3] == PATHS[1:3]
    assert kept[::-2] == PATHS[::-2]
    with pytest.raises(IndexError):
        kept[4]


MEASURE = """
import tracemalloc
from pathlib import Path
from vitrail.path_list import PathList

def make():
    return PathList(Path(f"some/folder/{number:08d}.jpg") for number in range(20_000))

make()  # Python's own table of names grows with the first ones, and stays as large
tracemalloc.start()
kept = make()
taken, _ = tracemalloc.get_traced_memory()
print(len(kept), taken)
"""


def test_a_path_takes_little_more_than_its_name():
    # In a process of its own: Python's table of names grows by megabytes at a time, and when it
    # does so depends on all that a process did before.
    end = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    length, taken = map(int, end.stdout.split())
    assert length == 20_000
    assert taken / length < 3 * len("some/folder/00000000.jpg")
