"""Time per image and memory of `vitrail predict --shards`, from 1,000 to 200,000 images.

    python benchmarks/scale.py --counts 1000 10000 50000 200000
    python benchmarks/scale.py --part listing
    python benchmarks/scale.py --part tasks

Synthetic JPEGs of 96 x 96 pixels, all different, in tar files of 10,000; SqueezeNet; shards of 1,000, one worker, so
that everything runs in one process, whose CPU time and peak memory the system counts. Differences between runs exclude
the cost of starting.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet
from PIL import Image

from vitrail.image_files import iter_images
from vitrail.path_list import PathList

IN_TAR, IN_SHARD, SIDE = 10_000, 1000, 96


def make(folder: Path, count: int) -> None:
    """Different images in tar files."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    for start in range(0, count, IN_TAR):
        with tarfile.open(folder / f"{start // IN_TAR:05d}.tar", "w") as tar:
            for number in range(start, min(start + IN_TAR, count)):
                base[:8, :8] = rng.integers(0, 255, (8, 8, 3), np.uint8)
                out = io.BytesIO()
                Image.fromarray(base).save(out, "JPEG", quality=80)
                member = tarfile.TarInfo(f"{number:09d}.jpg")
                member.size = out.tell()
                out.seek(0)
                tar.addfile(member, out)


def measure(task: list[str], run: Path, shards: int) -> dict[str, float]:
    """CPU and wall seconds and peak memory of one run, in a separate process."""
    command = [sys.executable, "-m", "vitrail", *task, "--run", str(run), "--shards", str(shards), "--workers", "1"]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        said.seek(0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed: {said.read().decode(errors='replace')}")
    return {
        "wall": time.perf_counter() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def train_classifier(home: Path, backbone: str, layer: str) -> str:
    """Run folder of a classifier of digits."""
    run = home / f"classifier-{backbone}"
    command = ["transfer", "digits", "--backbone", backbone, "--layer", layer, "--run", str(run)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, "-m", "vitrail", *command], check=True, **silent)
    return str(run)


def growth(home: Path, counts: list[int]) -> None:
    """The same task with rising numbers of images."""
    classifier = train_classifier(home, "squeezenet", "fire9")
    points = []
    for count in counts:
        images = home / f"images-{count}"
        images.mkdir()
        make(images, count)
        values = measure(["predict", classifier, str(images)], home / f"run-{count}", -(-count // IN_SHARD))
        points.append({"images": count, **values})
        print(json.dumps(points[-1]), flush=True)
    for before, after in pairwise(points):
        more = after["images"] - before["images"]
        cpu, wall = (1000 * (after[key] - before[key]) / more for key in ("cpu", "wall"))
        print(
            f"{before['images']:>9,} to {after['images']:>9,}: {cpu:.2f} CPU ms and {wall:.2f} ms per image; "
            f"peak memory {after['peak_mib'] / before['peak_mib']:.3f} times"
        )


def tasks(home: Path) -> None:
    """CPU time per image of each task: the difference of two runs, one on three times as many images."""
    classifier = train_classifier(home, "efficientnet-lite0", "pool")
    for name, count, task in (
        ("predict, EfficientNet-Lite0", 600, ["predict", classifier]),
        (
            "explain gradient with faithfulness, SqueezeNet",
            20,
            ["explain", "--method", "gradient", "--backbone", "squeezenet"],
        ),
        ("audit, SqueezeNet", 2, ["audit", "--backbone", "squeezenet"]),
    ):
        seconds = []
        for size in (count, 3 * count):
            images = home / f"{task[0]}-{size}"
            images.mkdir()
            make(images, size)
            seconds.append(measure([*task, str(images)], home / f"run-{task[0]}-{size}", 1)["cpu"])
        print(f"{name}: {1000 * (seconds[1] - seconds[0]) / (2 * count):.1f} CPU ms per image", flush=True)


def listing(home: Path, count: int) -> None:
    """CPU time and memory of the list of images, which each process of a run holds."""
    names = [f"{number % 1000:03d}/{number:09d}.jpg" for number in range(count)]
    (home / "folder").mkdir()
    for name in names:
        path = home / "folder" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (home / "list.csv").write_text("file\n" + "\n".join(f"{home}/folder/{name}" for name in names) + "\n")
    table = pyarrow.table({"file": [f"{home}/folder/{name}" for name in names]})
    pyarrow.parquet.write_table(table, home / "list.parquet")
    with tarfile.open(home / "all.tar", "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    for source in ("folder", "list.csv", "list.parquet", "all.tar"):
        tracemalloc.start()
        paths = PathList(iter_images([home / source]))
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        started = time.process_time()
        assert len(PathList(iter_images([home / source]))) == len(paths) == count
        seconds = time.process_time() - started
        print(f"{source:>12}: {1e6 * seconds / count:.1f} CPU us and {size / count:.0f} bytes per image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 50_000, 200_000])
    parser.add_argument("--part", choices=("growth", "listing", "tasks"), default="growth")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.part == "growth":
            growth(Path(name), sorted(options.counts))
        elif options.part == "listing":
            listing(Path(name), max(options.counts))
        else:
            tasks(Path(name))


if __name__ == "__main__":
    main()
