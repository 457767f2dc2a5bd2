"""Packs the data of `make gpu`: few images, at most 40 MB, so that they can be taken to a machine with a GPU.

    python benchmarks/pack_gpu_data.py DATA gpu-data.tar
    mkdir gpu-data && tar -xf gpu-data.tar -C gpu-data && make gpu GPU_DATA=gpu-data

DATA holds `scene15/{train,test}/CLASS`, `imagenet256/images`, `celeba64/{images,labels.csv}` and, where MNIST is to be
taken along, `mnist/` with its four idx files. The archive holds `scene15/`, `photos/`, `faces/` and `mnist/`, as
`benchmarks/gpu.py` reads them. Images are taken evenly from their sorted names: the same DATA gives the same bytes.
Nothing but Python's own library is needed. A line of JSON for each part goes to stdout.
"""

import argparse
import csv
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

LIMIT_MB = 40
COUNTS = {"train": 20, "test": 10}  # images of each class of scene15
PHOTOS = 32
FACES = 2000
SUFFIXES = (".jpg", ".jpeg", ".png")

Entry = tuple[str, bytes]


def evenly(files: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the files, evenly spaced."""
    return [files[index * len(files) // count] for index in range(count)] if len(files) > count else list(files)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, by name.

    Raises:
        SystemExit: the folder holds none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise SystemExit(
            f"There are no images in '{folder}'. Use a folder that holds scene15/, imagenet256/, celeba64/."
        )
    return found


def scenes(folder: Path) -> Iterator[Entry]:
    """Some images of each class, of both parts."""
    for part, count in COUNTS.items():
        classes = sorted(path for path in (folder / part).glob("*") if path.is_dir())
        if len(classes) < 2:
            raise SystemExit(f"'{folder / part}' holds {len(classes)} classes. Use a folder with at least 2.")
        for name in classes:
            for file in evenly(images_in(name), count):
                yield f"scene15/{part}/{name.name}/{file.name}", file.read_bytes()


def photos(folder: Path) -> Iterator[Entry]:
    """Some photographs."""
    for file in evenly(images_in(folder / "images"), PHOTOS):
        yield f"photos/{file.name}", file.read_bytes()


def faces(folder: Path) -> Iterator[Entry]:
    """Some faces, and the rows of their attributes."""
    chosen = evenly(images_in(folder / "images"), FACES)
    names = {file.name for file in chosen}
    with open(folder / "labels.csv", newline="", encoding="utf-8") as lines:
        heading, *rows = csv.reader(lines)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heading, *(row for row in rows if row[0] in names)])
    yield "faces/labels.csv", text.getvalue().encode()
    for file in chosen:
        yield f"faces/images/{file.name}", file.read_bytes()


def mnist(folder: Path) -> Iterator[Entry]:
    """The idx files."""
    for file in sorted(folder.glob("*ubyte*")):
        yield f"mnist/{file.name}", file.read_bytes()


PARTS = {"scene15": scenes, "imagenet256": photos, "celeba64": faces, "mnist": mnist}


def archive_size(sizes: Sequence[int]) -> int:
    """Bytes of an archive of files of these sizes: a header and whole blocks for each, two blocks, whole records."""
    blocks = 2 + sum(1 + -(-size // tarfile.BLOCKSIZE) for size in sizes)
    return -(-blocks * tarfile.BLOCKSIZE // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def pack(data: Path, archive: Path, *, limit: int = LIMIT_MB * 10**6) -> Iterator[dict[str, object]]:
    """Writes the archive; yields of each part its files and bytes, and of the whole at the end.

    Raises:
        SystemExit: images are missing, or there would be more than `limit` bytes.
    """
    entries: list[Entry] = []
    for name, part in PARTS.items():
        added = list(part(data / name))
        entries += added
        yield {"part": name, "files": len(added), "bytes": sum(len(content) for _, content in added)}
    size = archive_size([len(content) for _, content in entries])
    if size > limit:
        raise SystemExit(f"The archive would be too large: {size / 1e6:.1f} MB of {limit / 1e6:g}. Use smaller images.")
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as file:
        for name, content in entries:
            member = tarfile.TarInfo(name)  # time, owner and mode are always the same
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    yield {"archive": str(archive), "files": len(entries), "bytes": archive.stat().st_size}


def main() -> None:
    """Packs; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("archive", type=Path)
    options = parser.parse_args()
    for line in pack(options.data, options.archive):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
