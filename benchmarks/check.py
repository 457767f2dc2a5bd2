"""Faults seeded into 15-Scene and MNIST, and which of them `vitrail.dataset_check` finds.

    python benchmarks/check.py DATA [--part duplicates transfer labels outliers shortcuts curve time mnist memory]
        [--seeds 0 1 2] [--peers FOLDER ...] [--out FILE]

DATA holds `scene15/{train,test}/CLASS`, `imagenet256/{images,labels.csv}` and `mnist/*.gz`. What was tuned on these
seeds is said in `benchmarks/README.md`. Peers, each used where it can be imported from a folder of
`pip install --target`: cleanlab 2.9 on the same probabilities, imagededup's perceptual hash on the same
files. Features come from EfficientNet-Lite0, all layers (MNIST: the last). One JSON line a measurement goes to
stdout as it is known; `--out` keeps all of them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vitrail.backbones import BACKBONES
from vitrail.dataset_check import (
    check_dataset,
    find_copies,
    find_label_issues,
    find_near_copies,
    find_outliers,
    issue_scores,
    learning_curve,
    leave_out,
    measure_shortcuts,
    scan_images,
)
from vitrail.transfer.features import Extractor
from vitrail.transfer.scaling import scale

COPIES, EXACT, FLIPPED, OBJECTS, SPLITS = 200, 50, 0.05, 20, 20
LAYERS = ("stage5", "stage6", "stage7", "pool")


def finish(work: Generator) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


class Scenes:
    """15-Scene: files, labels and parts, and the features of any files."""

    def __init__(self, data: Path, home: Path, cache: Path) -> None:
        self.files = sorted((data / "scene15").glob("*/*/*.jpg"))
        self.classes = sorted({file.parent.name for file in self.files})
        self.labels = np.array([self.classes.index(file.parent.name) for file in self.files])
        self.parts = [file.parts[-3] for file in self.files]
        self.home, self.cache = home, cache
        self.alone = np.full(len(self.files), -1)

    def extractor(self, layers: tuple[str, ...] = LAYERS) -> Extractor:
        """EfficientNet-Lite0's, with the cache."""
        return Extractor(BACKBONES["efficientnet-lite0"], layers, cache=self.cache)

    def features(self, files: list[Path], layers: tuple[str, ...] = LAYERS) -> np.ndarray:
        """(n, d), rows of unit length."""
        found = finish(self.extractor(layers).run(files)).features
        return scale(list(found.values()), "square-root") / np.float32(np.sqrt(len(found)))


def copy_of(image: Image.Image, kind: str, rng: np.random.Generator) -> tuple[Image.Image, int]:
    """The copy and its JPEG quality."""
    width, height = image.size
    if kind == "jpeg-50":
        return image, 50
    if kind == "size-0.8":
        return image.resize((round(0.8 * width), round(0.8 * height)), Image.Resampling.BICUBIC), 95
    if kind == "crop-0.9":
        wide, high = round(0.9 * width), round(0.9 * height)
        left, top = rng.integers(0, width - wide + 1), rng.integers(0, height - high + 1)
        return image.crop((left, top, left + wide, top + high)), 95
    if kind == "mirror":
        return ImageOps.mirror(image), 95
    factor = 1.2 if kind == "light+20" else 0.8
    return image.point(lambda value: min(255, round(factor * value))), 95


LOSSY = ("jpeg-50", "light+20", "light-20", "mirror")
KINDS = ("jpeg-50", "size-0.8", "crop-0.9", "mirror", "light+20", "light-20")


def seeded_copies(scenes: Scenes, seed: int) -> list[tuple[Path, int, str]]:
    """Files with the row of the training image that each is a copy of, and the kind of copy."""
    rng = np.random.default_rng(seed)
    train = np.flatnonzero(np.array(scenes.parts) == "train")
    rows = rng.choice(train, COPIES + EXACT, replace=False).tolist()
    folder = scenes.home / f"copies-{seed}"
    folder.mkdir(exist_ok=True)
    found = []
    for place, row in enumerate(rows[:COPIES]):
        kind = KINDS[place % len(KINDS)]
        image, quality = copy_of(Image.open(scenes.files[row]).convert("RGB"), kind, rng)
        file = folder / f"{place:03d}-{kind}.jpg"
        image.save(file, quality=quality)
        found.append((file, row, kind))
    for place, row in enumerate(rows[COPIES:]):
        kind = ("exact-file", "exact-pixels")[place % 2]
        file = folder / f"{place:03d}-{kind}.{'jpg' if kind == 'exact-file' else 'png'}"
        if kind == "exact-file":
            shutil.copyfile(scenes.files[row], file)
        else:
            Image.open(scenes.files[row]).save(file)
        found.append((file, row, kind))
    return found


def groups_of(files: list[Path], features: np.ndarray | None) -> tuple[np.ndarray, Any]:
    scan = finish(scan_images(files))
    copies = finish(find_copies(scan.thumbnails, scan.pixel_digests, features))
    return copies.group, copies


def duplicates(scenes: Scenes, seed: int) -> Iterator[dict]:
    natural, base = groups_of(scenes.files, scenes.features(scenes.files))
    copies = seeded_copies(scenes, seed)
    files = [*scenes.files, *(file for file, _, _ in copies)]
    group, found = groups_of(files, scenes.features(files))
    n = len(scenes.files)
    true = {(row, n + place) for place, (_, row, _) in enumerate(copies)}
    # Copies of natural copies are copies too.
    allowed = {tuple(pair) for pair in base.pairs.tolist()} | true
    for a, b in base.pairs.tolist():
        allowed |= {pair for row, copy in true for pair in ((a, copy), (b, copy)) if row in (a, b)}
    pairs = {tuple(pair) for pair in found.pairs.tolist()}
    hits = {kind: [group[row] == group[copy] >= 0 for row, copy in true if copies[copy - n][2] == kind]
            for kind in (*KINDS, "exact-file", "exact-pixels")}  # fmt: skip
    false = sorted(pairs - allowed)
    yield {
        "part": "duplicates", "seed": seed, "n": len(files), "threshold": found.threshold,
        "natural_groups": int(natural.max() + 1),
        "recall": float(np.mean([hit for kind in KINDS for hit in hits[kind]])),
        "recall_exact": float(np.mean(hits["exact-file"] + hits["exact-pixels"])),
        "recall_by_kind": {kind: float(np.mean(hit)) for kind, hit in hits.items()},
        "precision": 1 - len(false) / max(1, len(pairs)), "false": len(false), "pairs": len(pairs),
        "false_pairs": [[str(files[a].relative_to(files[a].parents[2])), files[b].name] for a, b in false[:10]],
    }  # fmt: skip
    yield from peer_duplicates(scenes, files, true, allowed, copies, seed)


def transfer(scenes: Scenes, seed: int) -> Iterator[dict]:
    """What `vitrail transfer` looks for itself: copies of training images among the test images."""
    copies = seeded_copies(scenes, seed)
    train, test = ([file for file, part in zip(scenes.files, scenes.parts, strict=True) if part == name]
                   for name in ("train", "test"))  # fmt: skip
    wanted = test + [file for file, _, _ in copies]
    rows = scenes.features([*train, *wanted], ("pool",))
    wall, cpu = time.perf_counter(), time.process_time()
    found = finish(find_near_copies(train, wanted, rows[: len(train)], rows[len(train) :], seed=seed))
    seconds = {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    near = np.array([not kind.startswith("exact") for _, _, kind in copies])
    yield {"part": "transfer", "seed": seed, "recall": float(found[len(test) :][near].mean()),
           "recall_exact": float(found[len(test) :][~near].mean()), "natural": int(found[: len(test)].sum()),
           **seconds}  # fmt: skip


def peer_duplicates(scenes: Scenes, files: list, true: set, allowed: set, copies: list, seed: int) -> Iterator[dict]:
    try:
        from imagededup.methods import PHash
    except ImportError as error:
        yield {"part": "duplicates", "peer": "imagededup", "unmeasured": str(error)[:100]}
        return
    hasher = PHash(verbose=False)
    names = {f"{row:05d}": hasher.encode_image(image_file=file) for row, file in enumerate(files)}
    for distance in (2, 6, 10):
        found = hasher.find_duplicates(encoding_map=names, max_distance_threshold=distance)
        pairs = {(min(int(a), int(b)), max(int(a), int(b))) for a, others in found.items() for b in others}
        near = {pair for pair in true if not copies[pair[1] - len(scenes.files)][2].startswith("exact")}
        false = len(pairs - allowed)
        yield {"part": "duplicates", "peer": f"imagededup PHash, distance {distance}", "seed": seed,
               "recall": len(pairs & near) / len(near), "precision": 1 - false / max(1, len(pairs))}  # fmt: skip


def labels(scenes: Scenes, seed: int) -> Iterator[dict]:
    features = scenes.features(scenes.files)
    yield flipped("scene15", features, scenes.labels, len(scenes.classes), scenes.alone, seed)


def flipped(name: str, features: np.ndarray, truth: np.ndarray, classes: int, alone: np.ndarray, seed: int) -> dict:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(seed)
    given = truth.copy()
    bad = rng.choice(len(truth), round(FLIPPED * len(truth)), replace=False)
    given[bad] = (given[bad] + rng.integers(1, classes, len(bad))) % classes
    wrong = given != truth
    started = time.perf_counter()
    left_out = leave_out(features, given, classes, alone, seed=seed)
    issues = find_label_issues(left_out.probabilities, given)
    seconds = time.perf_counter() - started
    scores = issue_scores(left_out.probabilities, given)
    listed = [issue.row for issue in issues.issues]
    return {
        "part": "labels", "data": name, "seed": seed, "flipped": int(wrong.sum()),
        "average_precision": float(average_precision_score(wrong, scores)),
        "estimate": issues.expected, "interval": issues.interval, "listed": len(listed),
        "listed_flipped": int(wrong[listed].sum()), "accuracy": left_out.accuracy(given), "seconds": round(seconds, 1),
        "cleanlab": peer_labels(left_out.probabilities, given, wrong),
    }  # fmt: skip


def peer_labels(probabilities: np.ndarray, given: np.ndarray, wrong: np.ndarray) -> dict | str:
    from sklearn.metrics import average_precision_score

    try:
        from cleanlab.count import num_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        return str(error)[:100]
    scores = {
        method: float(average_precision_score(wrong, -get_label_quality_scores(given, probabilities, method=method)))
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    }
    return scores | {"estimate": int(num_label_issues(given, probabilities))}


def outliers(scenes: Scenes, data: Path, seed: int) -> Iterator[dict]:
    with open(data / "imagenet256" / "labels.csv", newline="") as table:
        listed = [(row["file"], int(row["class_index"])) for row in csv.DictReader(table)]
    for kind, names in (
        ("any class, colour", listed),
        ("animals, grey, 200 pixels", [e for e in listed if e[1] < 398]),
    ):
        rng = np.random.default_rng(seed)
        folder = scenes.home / f"objects-{seed}-{kind[:3]}"
        folder.mkdir()
        files = list(scenes.files)
        for place in rng.choice(len(names), OBJECTS, replace=False):
            name = Path(names[place][0]).name
            image, file = Image.open(data / "imagenet256" / "images" / name).convert("RGB"), folder / name
            if "grey" in kind:
                image = ImageOps.fit(image, (200, 200)).convert("L")
            image.save(file, quality=95)
            files.append(file)
        scan = finish(scan_images(files))
        found = find_outliers(scan, scenes.features(files), None, np.full(len(files), -1))
        first = np.argsort(-found.distances, kind="stable")[:40]
        rows = {each.row for each in found.outliers if each.kind == "unlike-all"}
        objects = sum(row >= len(scenes.files) for row in rows)
        within = int((first >= len(scenes.files)).sum())
        yield {"part": "outliers", "objects": kind, "seed": seed, "of_20_in_first_40": within, "listed": len(rows),
               "listed_objects": objects}  # fmt: skip


def shortcuts(scenes: Scenes, seed: int) -> Iterator[dict]:
    label = int(np.random.default_rng(seed).integers(len(scenes.classes)))
    for fault in ("border", "png"):
        folder = scenes.home / f"{fault}-{seed}"
        folder.mkdir()
        files = list(scenes.files)
        for row in np.flatnonzero(scenes.labels == label):
            image = Image.open(scenes.files[row])
            files[row] = folder / f"{row}.{'png' if fault == 'png' else 'jpg'}"
            if fault == "border":
                image = ImageOps.expand(image.crop((4, 4, image.width - 4, image.height - 4)), 4, 0)
            image.save(files[row], **({} if fault == "png" else {"quality": 90}))
        measured = measure_shortcuts(finish(scan_images(files)), scenes.labels, len(scenes.classes))
        first = measured[0]
        yield {"part": "shortcuts", "fault": fault, "class": scenes.classes[label], "seed": seed,
               "first": first.property, "first_class": scenes.classes[first.label], "accuracy": first.accuracy,
               "second": measured[1].property, "second_accuracy": measured[1].accuracy}  # fmt: skip


def curve(scenes: Scenes) -> Iterator[dict]:
    features = scenes.features(scenes.files)
    yield foretold("scene15", features, scenes.labels, len(scenes.classes), SPLITS)


def foretold(name: str, features: np.ndarray, truth: np.ndarray, classes: int, splits: int) -> dict:
    alone = np.full(len(truth), -1)
    whole = leave_out(features, truth, classes, alone)
    measured = whole.accuracy(truth)
    errors, inside = [], 0
    for split in range(splits):
        rng = np.random.default_rng(split)
        chosen = [rng.permutation(np.flatnonzero(truth == label)) for label in range(classes)]
        rows = np.sort(np.concatenate([each[: len(each) // 2] for each in chosen]))
        half = leave_out(features[rows], truth[rows], classes, alone[rows])
        accuracy = half.accuracy(truth[rows])
        work = learning_curve(
            features[rows], truth[rows], classes, alone[rows], ridge=half.ridge, accuracy=accuracy, seed=split
        )
        points = finish(work)
        errors.append(100 * (points.points[-1].accuracy - measured))
        inside += points.points[-1].low <= measured <= points.points[-1].high
    return {"part": "curve", "data": name, "splits": splits, "measured": measured,
            "within_1_point": int(np.sum(np.abs(errors) < 1)), "in_interval": int(inside),
            "errors_points": [round(error, 2) for error in errors]}  # fmt: skip


def whole_check(scenes: Scenes) -> Iterator[dict]:
    finish(scenes.extractor().run(scenes.files))
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        result = finish(
            check_dataset(scenes.files, scenes.labels, scenes.classes, scenes.parts, extractor=scenes.extractor())
        )
        json.dumps(result.values(), allow_nan=False)
        yield {"part": "time", "n": len(scenes.files), "seconds": round(time.perf_counter() - wall, 2),
               "cpu_seconds": round(time.process_time() - cpu, 2), "leaks": len(result.leaks),
               "duplicates": len(result.duplicates)}  # fmt: skip


def mnist(scenes: Scenes, data: Path, seeds: list[int]) -> Iterator[dict]:
    pixels, truth = (
        np.frombuffer(gzip.decompress((data / "mnist" / f"train-{name}-ubyte.gz").read_bytes()), np.uint8)[skip:]
        for name, skip in (("images-idx3", 16), ("labels-idx1", 8))
    )
    images, truth = pixels.reshape(-1, 28, 28), truth.astype(np.int64)
    files = [scenes.home / "mnist" / f"{place:05d}.png" for place in range(len(images))]
    files[0].parent.mkdir()
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file, compress_level=1)
    copies_of = np.random.default_rng(0).choice(len(images), COPIES, replace=False).tolist()
    for place, row in enumerate(copies_of):
        image, quality = copy_of(Image.fromarray(images[row]), LOSSY[place % len(LOSSY)], np.random.default_rng(row))
        files.append(files[0].parent / f"copy-{place:03d}.jpg")
        image.save(files[-1], quality=quality)
    n = len(images)
    features = scenes.features(files, ("pool",))
    started, cpu = time.perf_counter(), time.process_time()
    scan = finish(scan_images(files))
    scanned = time.perf_counter() - started
    copies = finish(find_copies(scan.thumbnails, scan.pixel_digests, features))
    found = np.array([copies.group[row] == copies.group[n + place] >= 0 for place, row in enumerate(copies_of)])
    others = np.setdiff1d(np.arange(n), copies_of)
    flagged = int((copies.group[others] >= 0).sum())
    yield {"part": "mnist duplicates", "n": n, "flagged": flagged, "share": flagged / len(others),
           "copies": len(copies_of), "recall": float(found.mean()),
           "recall_by_kind": {kind: float(found[place :: len(LOSSY)].mean()) for place, kind in enumerate(LOSSY)},
           "threshold": copies.threshold, "baseline": copies.baseline, "scan_seconds": round(scanned),
           "seconds": round(time.perf_counter() - started), "cpu_seconds": round(time.process_time() - cpu),
           "peak_GiB": peak()}  # fmt: skip
    for seed in seeds:
        yield flipped("mnist", features[:n], truth, 10, np.full(len(truth), -1), seed)
    yield foretold("mnist", features[:n], truth, 10, 3)


def memory(home: Path) -> Iterator[dict]:
    """The whole check of random images of 28 x 28 pixels, with 512 features each: first 10,000, then 100,000."""
    rng = np.random.default_rng(0)
    folder, files = home / "random", []
    folder.mkdir()
    for n in (10_000, 100_000):
        while len(files) < n:
            files.append(folder / f"{len(files):06d}.png")
            small = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
            small.resize((28, 28), Image.Resampling.BICUBIC).save(files[-1], compress_level=1)
        truth = rng.integers(0, 10, n)
        features = np.random.default_rng(1).standard_normal((10, 512), dtype=np.float32)[truth]
        features += rng.standard_normal((n, 512), dtype=np.float32)
        parts = ["train" if place % 5 else "test" for place in range(n)]
        before, started, cpu = peak(), time.perf_counter(), time.process_time()
        result = finish(check_dataset(files, truth, list("abcdefghij"), parts, features=features))
        yield {"part": "memory", "n": n, "features_GiB": round(features.nbytes / 2**30, 3), "before_GiB": before,
               "peak_GiB": peak(), "copies": len(result.duplicates), "seconds": round(time.perf_counter() - started),
               "cpu_seconds": round(time.process_time() - cpu)}  # fmt: skip


def peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)


def measurements(options: argparse.Namespace, scenes: Scenes) -> Iterator[dict]:
    data, seeds = options.data, options.seeds
    for part in options.part:
        seeded = {"duplicates": duplicates, "transfer": transfer, "labels": labels, "shortcuts": shortcuts}
        for seed in seeds if part in (*seeded, "outliers") else []:
            yield from outliers(scenes, data, seed) if part == "outliers" else seeded[part](scenes, seed)
        if part == "curve":
            yield from curve(scenes)
        elif part == "time":
            yield from whole_check(scenes)
        elif part == "mnist":
            yield from mnist(scenes, data, seeds)
        elif part == "memory":
            yield from memory(scenes.home)


PARTS = ["duplicates", "transfer", "labels", "outliers", "shortcuts", "curve", "time", "mnist", "memory"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--peers", type=Path, nargs="*", default=[], help="folders of pip install --target")
    parser.add_argument("--cache", type=Path, help="feature cache that is kept")
    parser.add_argument("--out", type=Path, help="JSON file; parts measured before are kept")
    options = parser.parse_args()
    sys.path += map(str, options.peers)
    known = json.loads(options.out.read_text()) if options.out and options.out.exists() else []
    known = [each for each in known if each["part"].split()[0] not in options.part]
    with tempfile.TemporaryDirectory() as home:
        scenes = Scenes(options.data, Path(home), options.cache or Path(home) / "cache")
        for measurement in measurements(options, scenes):
            print(json.dumps(measurement), flush=True)
            known.append(measurement)
            if options.out:
                options.out.write_text(json.dumps(known, indent=1) + "\n")
    print(Counter(each["part"] for each in known), file=sys.stderr)


if __name__ == "__main__":
    main()
