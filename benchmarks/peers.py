"""`vitrail transfer` against what users would pick: same weights, same images, each in a process of its own.

    python benchmarks/peers.py --data DATA [--fastai-python PATH] [--tools NAME ...] [--output FILE]
    python benchmarks/peers.py --tiny

DATA holds `scene15/{train,test}/CLASS`, `mnist/*.gz`, and `celeba64/` with `images/` and `labels.csv`. Digits and faces
(attribute Male) become class folders in a temporary folder. The network is EfficientNet-Lite0 with Vitrail's packaged
weights; each peer builds it with timm and first asserts that it gives our features of a batch.

- vitrail: `vitrail transfer FOLDER`, default settings, an empty cache.
- scikit-learn: features in batches of 32, eagerly; `StandardScaler` and `LinearSVC`, C from five by `GridSearchCV`.
- fastai: `vision_learner`, its body frozen, and `fit_one_cycle`, all else by default.
- tutorial: torchvision's "transfer learning", the network as fixed feature extractor; batches of 4, SGD, its crops.

In the peers' favour: no validation after each epoch, only the test after the last; threads that wait sleep
(`OMP_WAIT_POLICY=PASSIVE`, which Vitrail sets by itself); epochs are fewer than usual where the output says so.
CPU seconds are user and system time of a process and its children. The order of the tools changes from set to set.
Goals: accuracy no lower than any peer's, a fifth of its CPU time at most; what is missed is listed under the table.
`p` is McNemar's exact test on the same test images. `--output` gets the result after each run, and runs that it already
holds are not repeated. `--tiny` does all of it once on a few drawn images and measures nothing.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

CPU_GOAL = 5  # times our CPU seconds
TIMM_NAME, SIDE, SHORT_SIDE = "tf_efficientnet_lite0", 224, 256
DIGITS, FACES = (100, 50), (1000, 500)  # images to train and to test, of digits of each class
USUAL_EPOCHS = {"fastai": 5, "tutorial": 25}
Predictions = dict[str, str]  # class by "CLASS/FILE" of the test images


def short(path: Any) -> str:
    return "/".join(Path(path).parts[-2:])


@torch.no_grad()
def check_features(network: Any, home: Path) -> None:
    batch = torch.load(home / "batch.pth", weights_only=True)
    torch.testing.assert_close(network(batch["normalised"]), batch["features"], atol=1e-4, rtol=1e-4)


def timm_network(home: Path, classes: int = 0) -> torch.nn.Module:
    """Our weights in the network of timm, frozen; without `classes` it gives features."""
    import timm

    network = timm.create_model(TIMM_NAME)
    network.load_state_dict(torch.load(home / "network.pth", weights_only=True))
    network.reset_classifier(0)
    check_features(network.eval(), home)
    network.requires_grad_(False).reset_classifier(classes)
    return network


def loader(part: Path, *, batch: int, workers: int, augment: bool = False) -> torch.utils.data.DataLoader:
    """Images cut as `vitrail` cuts them, or the tutorial's random crops, shuffled."""
    from torchvision import datasets, transforms

    steps = [transforms.Resize(SHORT_SIDE, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(SIDE)]
    if augment:
        steps = [transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip()]
    steps += [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    images = datasets.ImageFolder(part, transforms.Compose(steps))
    return torch.utils.data.DataLoader(images, batch_size=batch, num_workers=workers, shuffle=augment)


def named(images: Any, predicted: Any) -> Predictions:  # of an `ImageFolder` and class numbers in its order
    return {short(path): images.classes[number] for (path, _), number in zip(images.samples, predicted, strict=True)}


def run_sklearn(folder: Path, home: Path, _epochs: int) -> Predictions:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    network = timm_network(home)
    train, test = (loader(folder / part, batch=32, workers=2) for part in ("train", "test"))
    with torch.no_grad():
        features = [torch.cat([network(images) for images, _ in part]).numpy() for part in (train, test)]
    print(f"scikit-learn: features took {sum(os.times()[:4]):.0f} CPU-s", file=sys.stderr)
    labels = train.dataset.targets
    pipeline, grid = make_pipeline(StandardScaler(), LinearSVC()), {"linearsvc__C": [1e-4, 1e-3, 1e-2, 0.1, 1]}
    search = GridSearchCV(pipeline, grid, cv=min(5, *np.bincount(labels))).fit(features[0], labels)
    return named(test.dataset, search.predict(features[1]))


def run_tutorial(folder: Path, home: Path, epochs: int) -> Predictions:
    """As in https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html ."""
    torch.manual_seed(0)
    train = loader(folder / "train", batch=4, workers=4, augment=True)
    test = loader(folder / "test", batch=4, workers=4)
    model = timm_network(home, len(train.dataset.classes))
    optimizer = torch.optim.SGD(model.get_classifier().parameters(), lr=0.001, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    for _ in range(epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        scheduler.step()
    with torch.no_grad():
        return named(test.dataset, torch.cat([model.eval()(images).argmax(1) for images, _ in test]).tolist())


def run_fastai(folder: Path, home: Path, epochs: int) -> Predictions:
    from fastai.vision.all import Callback, CancelValidException, ImageDataLoaders, Resize, set_seed, vision_learner

    class NoValidation(Callback):
        def before_validate(self) -> None:
            raise CancelValidException

    set_seed(0)
    batch = min(64, len(list((folder / "train").glob("*/*"))))  # an incomplete batch would be dropped
    data = ImageDataLoaders.from_folder(folder, valid="test", item_tfms=Resize(SIDE), bs=batch)
    learner = vision_learner(data, TIMM_NAME, pretrained_cfg_overlay={"file": str(home / "network.pth")})
    check_features(lambda images: learner.model[0].eval()(images).mean(dim=(2, 3)), home)
    learner.fit_one_cycle(epochs, cbs=NoValidation())
    numbers = learner.get_preds()[0].argmax(1)
    return {short(file): data.vocab[number] for file, number in zip(data.valid_ds.items, numbers, strict=True)}


PEERS = {"scikit-learn": run_sklearn, "fastai": run_fastai, "tutorial": run_tutorial}


def peer_process(tool: str, folder: str, home: str, epochs: str) -> None:
    """What a peer's process does; its last line is what it predicts."""
    predicted = PEERS[tool](Path(folder), Path(home), int(epochs))
    names = {"sklearn", "fastai", "torchvision", "torch", "timm"} & sys.modules.keys()
    versions = {name: sys.modules[name].__version__ for name in sorted(names)}
    print("\n" + json.dumps({"predicted": predicted, "versions": versions, "epochs": int(epochs)}))


def save_network(home: Path) -> None:
    """Our weights under timm's names, and our features of a batch."""
    import timm

    from vitrail.backbones import BACKBONES

    backbone = BACKBONES["efficientnet-lite0"]()
    names = timm.create_model(TIMM_NAME).state_dict()  # the same tensors in the same order
    torch.save(dict(zip(names, backbone.network.state_dict().values(), strict=True)), home / "network.pth")
    images = torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = backbone.features(images, ["pool"])["pool"]
    torch.save({"normalised": (images - backbone.mean) / backbone.std, "features": features}, home / "batch.pth")


def write_digits(data: Path, folder: Path) -> None:
    """The first `DIGITS` digits of each class of either part, as PNG."""
    from vitrail.idx import read_part

    for part, count in zip(("train", "test"), DIGITS, strict=True):
        images, labels = read_part(data / "mnist", part)
        for digit in range(10):
            place = folder / part / str(digit)
            place.mkdir(parents=True)
            for number in np.flatnonzero(labels == digit)[:count]:
                Image.fromarray(images[number]).save(place / f"{number}.png")


def write_faces(data: Path, folder: Path) -> None:
    """The first faces to train, the next ones to test."""
    rows = csv.DictReader((data / "celeba64" / "labels.csv").read_text().splitlines())
    for number, row in enumerate(islice(rows, sum(FACES))):
        place = folder / ("train" if number < FACES[0] else "test") / ("other", "male")[int(row["Male"])]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / "celeba64" / "images" / row["file"], place / row["file"])


def timed(command: list[str]) -> tuple[dict, str]:
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    cpu, started = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), time.perf_counter()
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    wall, cpu = time.perf_counter() - started, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - cpu
    measured = {"cpu_seconds": cpu, "wall_seconds": wall, "load_after": os.getloadavg()[0]}
    return {name: round(value, 1) for name, value in measured.items()}, output


def run_vitrail(folder: Path) -> dict:
    with tempfile.TemporaryDirectory() as home:
        vitrail, options = [sys.executable, "-m", "vitrail"], ["--cache", f"{home}/cache", "--json", "--run"]
        spent, output = timed([*vitrail, "transfer", str(folder), *options, f"{home}/run"])
        # Single predictions are asked for afterwards, and their time is not counted.
        predict = [*vitrail, "predict", f"{home}/run", str(folder / "test"), *options, f"{home}/predictions"]
        subprocess.run(predict, check=True, capture_output=True)
        table = csv.DictReader(Path(home, "predictions/tables/predictions.csv").read_text().splitlines())
        outcome = judged(folder, {short(row["image"]): row["class"] for row in table})
    result = json.loads(output)
    assert abs(outcome["accuracy"] - result["test"]["accuracy"]) < 1e-9
    return spent | outcome | {"choice": result["choice"], "parts": result["seconds"]}


def judged(folder: Path, predicted: Predictions) -> dict:
    """Accuracy with its interval, and which of the test images, in the order of their names, are wrong."""
    from vitrail.transfer.evaluation import wilson_interval

    files = sorted(map(short, (folder / "test").glob("*/*")))
    assert files == sorted(predicted), "the tools were not tested on the same images"
    wrong, n = [number for number, file in enumerate(files) if predicted[file] != file.partition("/")[0]], len(files)
    interval = [round(bound, 4) for bound in wilson_interval(n - len(wrong), n)]
    return {"accuracy": 1 - len(wrong) / n, "interval": interval, "n": n, "wrong": " ".join(map(str, wrong))}


def mcnemar(ours: dict, theirs: dict) -> float:
    from scipy.stats import binomtest

    first, second = (set(run["wrong"].split()) for run in (ours, theirs))
    return binomtest(len(first - second), len(first ^ second)).pvalue if first != second else 1.0


def print_table(runs: dict[str, dict]) -> None:
    """In 80 columns; what is missed and what was cut short stands below."""
    row = "{:<8} {:<12} {:<22} {:>7} {:>7} {:>8} {:>9}".format
    print(row("set", "tool", "accuracy (95 %)", "CPU s", "wall s", "CPU", "p"))
    notes = []
    for key, run in sorted(runs.items(), key=lambda item: (item[0].partition("/")[0], "vitrail" not in item[0])):
        data, _, tool = key.partition("/")
        ours, times, p = runs.get(f"{data}/vitrail", run), "", ""
        if ours is not run:
            ratio, p = run["cpu_seconds"] / ours["cpu_seconds"], f"{mcnemar(ours, run):.2g}"
            times, points = f"{ratio:.1f} x", 100 * (run["accuracy"] - ours["accuracy"])
            notes += [f"missed, {key}: {times} our CPU time, not {CPU_GOAL} x"] * (ratio < CPU_GOAL)
            notes += [f"missed, {key}: our accuracy is {points:.1f} points lower (p = {p})"] * (points > 0)
            if run["epochs"] < USUAL_EPOCHS.get(tool, 0):
                notes.append(f"{key}: {run['epochs']} epochs, not {USUAL_EPOCHS[tool]}; favours its time")
        accuracy = "{:.4f} ({:.3f}-{:.3f})".format(run["accuracy"], *run["interval"])
        print(row(data, tool, accuracy, round(run["cpu_seconds"]), round(run["wall_seconds"]), times, p))
    print("", *notes, sep="\n")


def measure(sets: dict[str, Path], home: Path, options: argparse.Namespace) -> dict[str, dict]:
    """All tools on all sets; a tool's place in the order changes from set to set."""
    runs = json.loads(options.output.read_text()) if options.output and options.output.exists() else {}
    tools = list(options.tools)
    probe = [options.fastai_python, "-c", "import fastai, timm"]
    if "fastai" in tools and subprocess.run(probe, capture_output=True).returncode:
        print("fastai is left out: it or timm cannot be imported. Use --fastai-python PATH.")
        tools.remove("fastai")
    epochs = dict(zip(USUAL_EPOCHS, (1, 1) if options.tiny else options.epochs, strict=True))
    for turn, (data, folder) in enumerate(sets.items()):
        for tool in tools[turn:] + tools[:turn]:
            key, python = f"{data}/{tool}", options.fastai_python if tool == "fastai" else sys.executable
            if key in runs:
                continue
            command = [python, __file__, "--peer", tool, str(folder), str(home), str(epochs.get(tool, 0))]
            if tool == "vitrail":
                runs[key] = run_vitrail(folder)
            else:
                spent, printed = timed(command)
                result = json.loads(printed.splitlines()[-1])
                runs[key] = spent | judged(folder, result.pop("predicted")) | result
            print("{}: {accuracy:.4f}, {cpu_seconds} CPU-s".format(key, **runs[key]), flush=True)
            if options.output:
                options.output.write_text(json.dumps(runs, indent=1) + "\n")
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", type=Path)
    where.add_argument("--tiny", action="store_true", help="everything at its smallest, on drawn images")
    parser.add_argument("--fastai-python", default=sys.executable, help="an interpreter that has fastai and timm")
    parser.add_argument("--tools", nargs="+", default=["vitrail", *PEERS], choices=["vitrail", *PEERS])
    parser.add_argument("--epochs", type=int, nargs=2, default=(5, 25), help="of fastai and of the tutorial")
    parser.add_argument("--output", type=Path, help="JSON file, written after each run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        save_network(home)
        if options.tiny:
            from gpu import drawn

            sets = {"drawn": drawn(home) / "scene15"}
        else:
            sets = {"15-Scene": options.data / "scene15", "digits": home / "digits", "faces": home / "faces"}
            write_digits(options.data, sets["digits"])
            write_faces(options.data, sets["faces"])
        print_table(measure(sets, home, options))


if __name__ == "__main__":
    peer_process(*sys.argv[2:]) if sys.argv[1:2] == ["--peer"] else main()
