"""Every kind of work on the CPU and on a GPU of one machine: what fails, what differs, what it saves.

    python benchmarks/gpu.py DATA [--device cuda] [--against cpu] [--only transfer gan] [--once] [--minutes 6]
        [--output FILE]
    python benchmarks/gpu.py --tiny --device cpu

DATA holds `scene15/{train,test}/CLASS`, `photos/` and, with a table `labels.csv` of attributes, `faces/`;
`benchmarks/pack_gpu_data.py` packs it. Each step is a command, called as `vitrail.run` does it, first on one device
and then on the other, in one process, after one step that is not counted; then features of both, number by number,
the inference engines, a GAN's step in several modes, and a replay. One JSON line a step goes to stdout as it ends, so
that an early end keeps what was measured; `--output` gets all of them as one document. A step that fails is listed
with its error, and the others go on. With `--minutes`, no work begins after that time, which is listed for each step
that it concerns, and what is at work a minute later is stopped. Values that describe the machine (as in `vitrail
replay`) are left out of the comparison. `--tiny` does every step on a few drawn images, with the smallest settings:
that shows whether all of it runs, and measures nothing.
"""

import argparse
import json
import math
import os
import platform
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does it, before torch is imported

import torch

import vitrail
from gpu_engines import engine_checks
from gpu_steps import Step, drawn, smallest, steps
from vitrail.devices import repeatable_on_gpu
from vitrail.gan_architectures import GANS
from vitrail.gan_training import GanState, TrainingOptions, train_steps
from vitrail.images import read_pixels, to_unit
from vitrail.result_differences import MEASURED, differences
from vitrail.tasks import TASKS
from vitrail.tasks.replay import Replay

GRACE = 60  # seconds that a step may be at work after the time is used up


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


class TimeUp(Exception):
    """A step was at work for too long after the budget was used up."""


class Budget:
    """The time that steps may take, in minutes; None: any."""

    def __init__(self, minutes: float | None) -> None:
        self.minutes, self.end = minutes, math.inf if minutes is None else time.monotonic() + 60 * minutes
        if minutes is not None:
            signal.signal(signal.SIGALRM, self._stop)
            signal.setitimer(signal.ITIMER_REAL, 60 * minutes + GRACE, GRACE)

    @property
    def reason(self) -> str:
        """Why nothing may begin any more; empty while it may."""
        return f"the {self.minutes:g} minutes are used up" if time.monotonic() >= self.end else ""

    def _stop(self, *_: Any) -> None:
        raise TimeUp(f"stopped {GRACE} s after the {self.minutes:g} minutes were used up")


class Bench:
    """The steps on each of the devices, with the run folders below `folder`."""

    def __init__(self, devices: tuple[str, ...], folder: Path, budget: Budget, *, again: bool = True) -> None:
        self.devices, self.folder, self.budget, self.again = devices, folder, budget, again

    def compare(self, step: Step) -> dict[str, Any]:
        """One step on each device, and again on the first, where it should repeat itself."""
        found: dict[str, Any] = {"step": step.name}
        results = {}
        for device in self.devices:
            if self.budget.reason:
                found |= {"skipped": self.budget.reason}
                return found
            outcome = self._attempt(step, device, f"{step.name}-{device}")
            results[device] = outcome.pop("result", None)
            found[device] = outcome
        first = results[self.devices[0]]
        if all(results.values()) and len(results) > 1:
            found["apart"] = apart(first, results[self.devices[1]])
        if all(results.values()) and self.again and not self.budget.reason:
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
        gaps = {
            layer: float((found[device][layer].cpu() - value).abs().max() / value.abs().max())
            for layer, value in found[against].items()
        }
        return {"largest_relative_gap": gaps}

    for backbone in ("efficientnet-lite0", "squeezenet"):
        for exact in (True, False):
            yield f"features-{backbone}-{'float32' if exact else 'tf32'}", lambda b=backbone, e=exact: features(b, e)


def gan_steps(device: str, *, tiny: bool) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Images a second of a training step: as it is, with deterministic algorithms, and as one CUDA graph."""
    small, batch, count = (16, 8, 2) if tiny else (32, 64, 200)

    def pace(architecture: str, *, graph: bool) -> dict[str, Any]:
        classes = {} if architecture == "dcgan" else {"generator_classes": 10, "discriminator_classes": 10}
        size = 32 if architecture == "projected" else small
        pair = GANS[architecture](size=size, channels=1, latent_size=100, width=32, **classes)
        options = TrainingOptions(fused=True, graph=graph, mismatched_labels=bool(classes))
        state = GanState(pair.generator.to(device), pair.discriminator.to(device), options)
        images, labels = torch.rand(batch, 1, size, size) * 2 - 1, torch.arange(batch) % 10
        steps = train_steps(state, repeat((images.to(device), labels.to(device))))
        for _ in range(2 if tiny else 20):
            next(steps).values()
        started = time.perf_counter()
        for step in islice(steps, count):
            last = step
        last.values()  # which waits for all
        seconds = time.perf_counter() - started
        return {"images_per_second": count * batch / seconds, "failure": state.graph.failure if state.graph else ""}

    def modes(architecture: str) -> dict[str, Any]:
        found = {"plain": pace(architecture, graph=False)}
        with repeatable_on_gpu():
            found |= {"deterministic": pace(architecture, graph=False), "graph": pace(architecture, graph=True)}
        return found

    for architecture in GANS:
        yield f"gan-step-{architecture}", lambda name=architecture: modes(name)


def gan_replay(folder: Path, device: str) -> dict[str, Any]:
    """Whether a training on the device gives equal values when it is repeated there."""
    run = folder / f"gan-train-conditional-dcgan-{device}"
    *_, result = Replay(run_folder=run, runs=folder / "replays").run()
    return {name: result.values[name] for name in ("equal", "differences")}


def within(budget: Budget, check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a check finds, or why it did not."""
    try:
        return {"skipped": budget.reason} if budget.reason else check()
    except TimeUp as error:
        return {"skipped": str(error)}
    except Exception as error:  # as in `Bench`
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Runs the steps; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--tiny", action="store_true", help="every step at its smallest, on drawn images")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--against", default="cpu")
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of the names of steps")
    parser.add_argument("--once", action="store_true", help="no repetition on the first device")
    parser.add_argument("--minutes", type=float, help="no work begins after that time")
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
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(json.dumps(document, indent=2, default=str) + "\n")

    chosen, budget = tuple(options.only), Budget(options.minutes)
    with tempfile.TemporaryDirectory() as folder:
        data = drawn(Path(folder) / "data") if options.tiny else options.data
        bench = Bench(devices, Path(folder), budget, again=not (options.once or options.tiny))
        wanted = [
            smallest(step, data) if options.tiny else step for step in steps(data) if step.name.startswith(chosen)
        ]
        bench.compare(Step("warm-up", "classify", {"images": sorted((data / "photos").glob("*.*"))[:1]}))
        for step in wanted:
            keep(bench.compare(step))
        compared = (
            *checks(devices[0], devices[-1], data),
            *engine_checks(devices[0], data, tiny=options.tiny),
            *gan_steps(devices[0], tiny=options.tiny),
            ("gan-replay", lambda: gan_replay(Path(folder), devices[0])),
        )
        for name, check in compared:
            if name.startswith(chosen):
                keep({"step": name, **within(budget, check)})


if __name__ == "__main__":
    main()
