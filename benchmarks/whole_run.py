"""`vitrail transfer` against a script with torchvision and scikit-learn, whole processes, from images to accuracy.

    python benchmarks/whole_run.py FOLDER [--rounds 2]

FOLDER holds `train/` and `test/`. The script: torchvision's `ImageFolder` and transforms, a `DataLoader` with two
workers, the same EfficientNet-Lite0 with the same weights run eagerly in float32, its pooled features, and `LinearSVC`
with the C that the command chose. Runs alternate: command with an empty cache, command with a full cache, script; one
JSON document goes to stdout.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median


def script(folder: Path, C: float) -> None:
    """The script; prints its accuracy."""
    import torch
    from sklearn.svm import LinearSVC
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms
    from torchvision.transforms import InterpolationMode

    from vitrail.backbones import BACKBONES

    network = BACKBONES["efficientnet-lite0"]().network
    network.classifier = torch.nn.Identity()
    steps = [
        transforms.Resize(256, interpolation=InterpolationMode.BICUBIC),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.5,) * 3, (0.5,) * 3),
    ]

    def features(part: str):
        images = datasets.ImageFolder(folder / part, transforms.Compose(steps))
        rows, labels = [], []
        with torch.no_grad():
            for batch, targets in DataLoader(images, batch_size=32, num_workers=2):
                rows.append(network(batch))
                labels.append(targets)
        return torch.cat(rows).numpy(), torch.cat(labels).numpy()

    classifier = LinearSVC(C=C).fit(*features("train"))
    print(json.dumps({"accuracy": classifier.score(*features("test"))}))


def run_timed(command: list[str]) -> dict:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"wall_seconds": round(time.perf_counter() - started, 2), "result": json.loads(done.stdout)}


def transfer(folder: Path, cache: Path) -> dict:
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "vitrail", "transfer", str(folder), "--cache", str(cache), "--runs", runs]
        outcome = run_timed([*command, "--json"])
    result = outcome.pop("result")
    return {**outcome, "accuracy": result["test"]["accuracy"], "C": result["choice"]["C"], "parts": result["seconds"]}


def run_script(folder: Path, C: float) -> dict:
    outcome = run_timed([sys.executable, __file__, str(folder), "--script", str(C)])
    return {"wall_seconds": outcome["wall_seconds"], **outcome["result"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--script", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.script is not None:
        script(options.folder, options.script)
        return
    runs: dict[str, list[dict]] = {"script": [], "cold": [], "warm": []}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            runs["cold"].append(transfer(options.folder, Path(cache)))
            runs["warm"].append(transfer(options.folder, Path(cache)))
        runs["script"].append(run_script(options.folder, runs["cold"][-1]["C"]))
    seconds = {name: median(run["wall_seconds"] for run in repeats) for name, repeats in runs.items()}
    faster = {name: round(seconds["script"] / seconds[name], 2) for name in ("cold", "warm")}
    print(json.dumps({"times_faster": faster, "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
