"""Of whatever lies below a folder, each file is read or counted among what was left out; by trees drawn at random."""

import os
import random

import pytest
from PIL import Image

from vitrail.datasets.open_dataset import open_dataset
from vitrail.errors import BadFolder

OF_SYSTEMS = ("@eaDir", ".hidden", "__MACOSX", "#recycle", ".ipynb_checkpoints")
FOLDERS = ("train", "Test", "val", "cats", "dogs", "Birds", "data", "more", "a", "1", *OF_SYSTEMS)
IMAGES = ("1.png", "2.PNG", "3.jpg", "4.png", "page.html.png", "übung.png")
OTHERS = (
    *("photo.xyz", "drawing.svg", "notes.txt", "list.csv", "LICENSE", "clip.mp4"),
    *("Thumbs.db", ".DS_Store", "._1.png"),
)


def grown(folder, draw, depth=0):
    """A folder of files and folders with names that real ones have."""
    folder.mkdir()
    for name in draw.sample((*IMAGES, *OTHERS), draw.choice((0, 0, 1, 3, 6))):
        if name in IMAGES:
            Image.new("RGB", (8, 8), (draw.randrange(256), 0, 0)).save(folder / name)
        else:
            (folder / name).write_text("file,text\n")
    if depth < 4:
        for name in draw.sample(FOLDERS, draw.choice((0, 1, 2, 3)) if depth else draw.choice((1, 2, 3, 4))):
            grown(folder / name, draw, depth + 1)


@pytest.mark.parametrize("seed", range(300))
def test_every_file_is_read_or_counted(seed, tmp_path):
    root = tmp_path / "root"
    grown(root, random.Random(seed))
    there = {os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names}
    try:
        data = open_dataset(root)
    except BadFolder as error:
        if "as parts do" in str(error):  # it asks for other names
            return
        assert [
            path for path in there if os.path.basename(path) in IMAGES and not set(path.split("/")) & {*OF_SYSTEMS}
        ] == []
        return
    read = list(map(str, data.files))
    assert len(set(read)) == len(read)
    assert there.issuperset(read)
    assert len(read) + sum(data.left_out.values()) == len(there)
    assert all(number > 0 for number in data.left_out.values())
