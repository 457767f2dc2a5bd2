"""Every kind of work on the CPU and on a GPU of one machine: what fails, what differs, what it saves.

    python benchmarks/gpu.py DATA [--device cuda] [--against cpu] [--only transfer gan] [--once] [--output FILE]
    python benchmarks/gpu.py --tiny --device cpu

DATA holds `scene15/{train,test}/CLASS`, `photos/` and, with a table `labels.csv` of attributes, `faces/`. Each step is
a command, called as `vitrail.run` does it, first on one device and then on the other, in one process, after one step
that is not counted; then features of both, number by number. One JSON line a step goes to stdout as it ends, so that
an early end keeps what was measured; `--output` gets all of them as one document. A step that fails is listed with its
error, and the others go on. Values that describe the machine (as in `vitrail replay`) are left out of the comparison.
`--tiny` does every step on a few drawn images, with the smallest settings: that shows whether all of it runs, and
measures nothing.
"""

import argparse
import json
import os
import platform
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import vitrail
from vitrail.attacks import ATTACKS
from vitrail.attributions import ATTRIBUTIONS
from vitrail.gan_architectures import GANS
from vitrail.gan_training import LOSSES
from vitrail.images import read_pixels, to_unit
from vitrail.result_differences import MEASURED, differences
from vitrail.tasks import TASKS

METHODS = ",".join(name for name in ATTRIBUTIONS if not name.endswith(":"))
GAN = {"epochs": 2, "final_eval_samples": 256, "eval_samples": 128, "evaluate_every": 1}
TINY_GAN = {"epochs": 1, "size": 16, "width": 4, "batch": 8, "autotune": False, "feature_extractor": "squeezenet",
            "final_eval_samples": 8, "eval_samples": 8}  # fmt: skip
TINY = {  # settings of the smallest run of each task
    "explain": {"method": "grad-cam,smooth-grad", "samples": 2, "faithfulness": False, "backbone": "squeezenet"},
    "attack": {"steps": 2, "backbone": "squeezenet"},
    "audit": {"max_images": 1, "backbone": "squeezenet", "linf": (4 / 255,), "l2": (0.5,)},
    "visualise": {"steps": 2, "judge": "none", "backbone": "squeezenet"},
    "transfer": {"backbone": "squeezenet", "layer": ("fire9",), "epochs": 1},
    "gan-train": {**TINY_GAN, "encoder_epochs": 1},
    "gan-sweep": TINY_GAN,
    "gan-evaluate": {"samples": 8},
    "gan-edit": {"inversion_steps": 2},
}


@dataclass(frozen=True)
class Step:
    """A task and its settings; `needs` names a step of the same device whose run folder it takes, as `setting`."""

    name: str
    task: str
    settings: dict[str, Any]
    needs: str = ""
    setting: str = "generator"


def steps(data: Path) -> Iterator[Step]:
    """The work of the three labs, in the order in which a run is needed by the next."""
    photos = sorted((data / "photos").glob("*.*"))
    scene15, faces = data / "scene15", data / "faces"
    yield Step("classify", "classify", {"images": photos})
    yield Step("transfer", "transfer", {"folder": scene15, "use_cache": False})
    yield Step(
        "transfer-squeezenet",
        "transfer",
        {"folder": scene15, "backbone": "squeezenet", "layer": ("fire9",), "use_cache": False},
    )
    yield Step(
        "transfer-fine-tune",
        "transfer",
        {"folder": scene15, "head": "fine-tune", "epochs": 2, "use_cache": False},
    )
    yield Step("predict", "predict", {"images": photos, "use_cache": False}, "transfer", "classifier")
    for backbone in ("efficientnet-lite0", "squeezenet"):
        explained = {"images": photos[:2], "method": METHODS, "samples": 32, "backbone": backbone}
        yield Step(f"explain-{backbone}", "explain", explained)
    yield Step("explain-run", "explain", {"images": photos[:2], "randomisation_test": True}, "transfer", "backbone")
    for method in ATTACKS:
        limited = {"epsilon": 2 / 255} if method in ("fgsm", "pgd", "apgd") else {}
        attacked = {"images": photos[:2], "method": method, "target": "tarantula", **limited}
        yield Step(f"attack-{method}", "attack", attacked)
    yield Step("audit", "audit", {"folder": data / "photos", "max_images": 4})
    for method in ("fourier", "maco", "pixels"):
        yield Step(f"visualise-{method}", "visualise", {"classes": ("tarantula",), "method": method, "steps": 50})
    for architecture in GANS:
        yield Step(f"gan-train-{architecture}", "gan-train", {"data": "digits", "architecture": architecture, **GAN})
    for loss in LOSSES:
        yield Step(
            f"gan-train-{loss}", "gan-train", {"data": "digits", "loss": loss, **GAN, "epochs": 1, "autotune": False}
        )
    swept = {"data": "digits", "values": ("d-steps=1,2",), **GAN, "epochs": 1}
    yield Step("gan-sweep", "gan-sweep", swept)
    yield Step("gan-train-bfloat16", "gan-train", {"data": "digits", "precision": "bfloat16", **GAN})
    trained = "gan-train-conditional-dcgan"
    yield Step("gan-sample", "gan-sample", {"count": 16, "label": ("3",)}, trained)
    yield Step("gan-evaluate", "gan-evaluate", {"samples": 256}, trained)
    yield Step("gan-interpolate", "gan-interpolate", {"steps": 4}, trained)
    yield Step("gan-export", "gan-export", {"format": "safetensors"}, trained)
    yield Step("gan-train-faces", "gan-train", {"data": str(faces), "labels": faces / "labels.csv", **GAN})
    edited = {"images": sorted((faces / "images").glob("*.*"))[:4], "attributes": ("Male=1",), "inversion_steps": 20}
    yield Step("gan-edit", "gan-edit", edited, "gan-train-faces")


def smallest(step: Step, data: Path) -> Step:
    """The same work with as little of it as there can be."""
    needed, least = dict(step.settings), dict(TINY.get(step.task, {}))
    if step.needs == "transfer":
        least.pop("backbone", None)  # it is the run's
    if step.name == "transfer-fine-tune":
        del least["layer"]
    if needed.get("data") == "digits":
        least["data"] = str(data / "scene15")
    if "label" in needed:
        least["label"] = ("grey",)
    if isinstance(needed.get("images"), list):
        least["images"] = needed["images"][:1]
    return replace(step, settings={**needed, **least})


def drawn(folder: Path) -> Path:
    """Images in the layout of DATA, drawn by chance."""
    rng = np.random.default_rng(0)

    def draw(path: Path, shade: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((rng.integers(0, 100, (48, 64, 3)) + shade).astype(np.uint8)).save(path)

    for part, count in (("train", 6), ("test", 3)):
        for number, name in enumerate(("dark", "grey", "light")):
            for index in range(count):
                draw(folder / "scene15" / part / name / f"{index}.png", 60 * number)
    for index in range(40):
        draw(folder / "faces" / "images" / f"{index}.png", 80 * (index % 2))
    draw(folder / "photos" / "0.png", 80)
    rows = "\n".join(f"{index}.png,{index % 2},{index // 2 % 2}" for index in range(40))
    (folder / "faces" / "labels.csv").write_text(f"file,Male,Young\n{rows}\n")
    return folder


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a result by their place, without those that describe the machine."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in MEASURED:
                yield from numbers(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, f"{path}[{index}]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def apart(first: dict[str, Any], second: dict[str, Any], most: int = 12) -> dict[str, Any]:
    """The values that lie furthest apart, relative to the larger one."""
    one, two = dict(numbers(first)), dict(numbers(second))
    gaps = {
        place: abs(one[place] - two[place]) / max(abs(one[place]), abs(two[place]))
        for place in one.keys() & two.keys()
        if one[place] != two[place]
    }
    furthest = sorted(gaps, key=gaps.__getitem__, reverse=True)[:most]
    return {"differing": len(gaps), "of": len(one), "furthest": {place: [one[place], two[place]] for place in furthest}}


class Bench:
    """The steps on each of the devices, with the run folders below `folder`."""

    def __init__(self, devices: tuple[str, ...], folder: Path, *, again: bool = True) -> None:
        self.devices, self.folder, self.again = devices, folder, again

    def compare(self, step: Step) -> dict[str, Any]:
        """One step on each device, and again on the first, where it should repeat itself."""
        found: dict[str, Any] = {"step": step.name}
        results = {}
        for device in self.devices:
            outcome = self._attempt(step, device, f"{step.name}-{device}")
            results[device] = outcome.pop("result", None)
            found[device] = outcome
        first = results[self.devices[0]]
        if all(results.values()) and len(results) > 1:
            found["apart"] = apart(first, results[self.devices[1]])
        if all(results.values()) and self.again:
            again = self._attempt(step, self.devices[0], f"{step.name}-{self.devices[0]}-again")
            found["again"] = {
                "seconds": again["seconds"],
                "unequal": sorted(differences(first, again["result"])) if "result" in again else again,
            }
        return found

    def _attempt(self, step: Step, device: str, name: str) -> dict[str, Any]:
        settings = self._settings(step, device, name)
        is_cuda = device.startswith("cuda")
        if is_cuda:
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        try:
            run = vitrail.run(step.task, run_dir=self.folder / name, **settings)
        except Exception as error:  # a benchmark of what works lists what does not
            return {
                "seconds": round(time.perf_counter() - started, 2),
                "error": f"{type(error).__name__}: {error}",
                "where": traceback.format_exc().splitlines()[-14:],
            }
        outcome: dict[str, Any] = {"seconds": round(time.perf_counter() - started, 2), "result": dict(run.result or {})}
        if is_cuda:
            outcome["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
        return outcome

    def _settings(self, step: Step, device: str, name: str) -> dict[str, Any]:
        settings = dict(step.settings)
        if "device" in TASKS[step.task].model_fields:
            settings["device"] = device
        if step.task.startswith("gan-") and "cache" in TASKS[step.task].model_fields:  # a judge of each device
            settings["cache"] = self.folder / "cache" / (name if len(self.devices) > 1 else "")
        if step.needs:
            settings[step.setting] = str(self.folder / f"{step.needs}-{device}")
        return settings


def checks(device: str, against: str, data: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """The largest difference of features, relative to a layer's largest, with and without TF32 in convolutions."""
    photos = sorted((data / "photos").glob("*.*"))[:8]

    def features(backbone: str, exact: bool) -> dict[str, Any]:
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = not exact
        found = {}
        for name in (device, against):
            model = vitrail.load(backbone, device=name)
            side = model.preprocessing.size
            images = torch.stack([read_pixels(file, short_side=side, crop=side) for file in photos])
            with torch.inference_mode():
                found[name] = model.features(to_unit(images).to(name), model.description.feature_layers)
        torch.backends.cudnn.allow_tf32 = before
        return {
            layer: float((found[device][layer].cpu() - value).abs().max() / value.abs().max())
            for layer, value in found[against].items()
        }

    for backbone in ("efficientnet-lite0", "squeezenet"):
        for exact in (True, False):
            yield f"features-{backbone}-{'float32' if exact else 'tf32'}", lambda b=backbone, e=exact: features(b, e)


def main() -> None:
    """Runs the steps; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--tiny", action="store_true", help="every step at its smallest, on drawn images")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--against", default="cpu")
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of the names of steps")
    parser.add_argument("--once", action="store_true", help="no repetition on the first device")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.data is None and not options.tiny:
        parser.error("DATA is missing; --tiny needs none")
    devices = tuple(dict.fromkeys((options.device, options.device if options.tiny else options.against)))
    about = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor(),
    }
    document: dict[str, Any] = {**about, "steps": []}

    def keep(found: dict[str, Any]) -> None:
        print(json.dumps(found), flush=True)
        document["steps"].append(found)
        if options.output:
            options.output.write_text(json.dumps(document, indent=2, default=str) + "\n")

    chosen = tuple(options.only)
    with tempfile.TemporaryDirectory() as folder:
        data = drawn(Path(folder) / "data") if options.tiny else options.data
        bench = Bench(devices, Path(folder), again=not (options.once or options.tiny))
        wanted = [
            smallest(step, data) if options.tiny else step for step in steps(data) if step.name.startswith(chosen)
        ]
        bench.compare(Step("warm-up", "classify", {"images": sorted((data / "photos").glob("*.*"))[:1]}))
        for step in wanted:
            keep(bench.compare(step))
        for name, check in checks(devices[0], devices[-1], data):
            if name.startswith(chosen):
                keep({"step": name, "largest_relative_gap": check()})


if __name__ == "__main__":
    main()
