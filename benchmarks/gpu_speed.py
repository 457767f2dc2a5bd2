"""Images a second on a GPU: networks in several precisions, and the shortest attack beside the CPU's.

    python benchmarks/gpu_speed.py PHOTOS [--device cuda] [--against cpu] [--seconds 1] [--compile] [--output FILE]

PHOTOS is a folder of images for the attack. Networks get prepared pixels that lie on the device already: reading and
copying are no part of it. Weights of networks that the package does not hold are random, which changes no speed. One
JSON line a measurement goes to stdout as it ends; `--output` gets all of them as one document.

`float32` has no TF32, `tf32` is what PyTorch does by default on such a card (convolutions only) and what the commands
use today; `bfloat16` is under autocast, with images and weights channels-last; `graph` is the same, replayed as a CUDA
graph; `compiled` the same by `torch.compile`. Each is run once more for its difference from `float32`: of the
probabilities the largest, and how many images keep their class.
"""

import argparse
import json
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor

import vitrail
from vitrail import Backbone
from vitrail.attacks import Criterion, minimal_l2
from vitrail.images import read_pixels, to_unit

BATCHES = (1, 32, 256, 1024)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
Forward = Callable[[Tensor], Tensor]
Maker = Callable[[], Forward]


def networks(device: str) -> Iterator[Backbone]:
    for name in ("efficientnet-lite0", "squeezenet"):
        yield vitrail.load(name, device=device)
    for name in ("vgg16", "resnet50"):
        torch.manual_seed(0)
        network = torchvision.models.get_model(name, weights=None)
        classes = tuple(str(number) for number in range(1000))
        yield Backbone.wrap(network, classes=classes, size=224, name=name, **IMAGENET).to(device)


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def in_bfloat16(model: Backbone) -> Forward:
    kind = next(model.parameters()).device.type

    def forward(images: Tensor) -> Tensor:
        with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
            return model(images)

    return forward


def as_graph(forward: Forward, images: Tensor) -> Forward:
    """The same as a CUDA graph on copies of what it is given."""
    held = images.clone(memory_format=torch.preserve_format)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            forward(held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = forward(held)

    def replayed(given: Tensor) -> Tensor:
        held.copy_(given)
        graph.replay()
        return answer

    return replayed


def variants(
    model: Backbone, images: Tensor, compiles: bool
) -> Iterator[tuple[str, bool, Tensor, Callable[[], Forward]]]:
    """Name, whether TF32 is allowed, the images in their layout, and what makes the forward pass."""
    yield "float32", False, images, lambda: model
    yield "tf32", True, images, lambda: model
    last = images.contiguous(memory_format=torch.channels_last)
    model.to(memory_format=torch.channels_last)
    yield "bfloat16", True, last, lambda: in_bfloat16(model)
    if images.is_cuda:
        yield "bfloat16 graph", True, last, lambda: as_graph(in_bfloat16(model), last)
    if compiles and len(images) == max(BATCHES):
        yield "bfloat16 compiled", True, last, lambda: torch.compile(in_bfloat16(model), dynamic=False)
    model.to(memory_format=torch.contiguous_format)


def synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def images_a_second(forward: Forward, images: Tensor, seconds: float) -> float:
    """After three passes that are not counted."""
    for _ in range(3):
        forward(images)
    synchronise(images.device)
    started, passes = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for _ in range(5):
            forward(images)
        synchronise(images.device)
        passes += 5
    return passes * len(images) / (time.perf_counter() - started)


def of_network(model: Backbone, count: int, seconds: float, compiles: bool) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, model.size, model.size, generator=generator).to(next(model.parameters()).device)
    found: dict[str, Any] = {"network": model.name, "batch": count}
    exact = None
    for name, allowed, given, make in variants(model, images, compiles):
        with torch.inference_mode(), tf32(allowed):
            try:
                forward = make()
                speed = images_a_second(forward, given, seconds)
                probabilities = forward(given).float().softmax(1)
            except Exception as error:  # a list of what works and what does not
                found[name] = {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc()[-800:]}
                continue
        exact = probabilities.clone() if exact is None else exact
        found[name] = {
            "images_per_second": round(speed, 1),
            "largest_gap": float((probabilities - exact).abs().max()),
            "same_class": float((probabilities.argmax(1) == exact.argmax(1)).float().mean()),
        }
    return found


def of_attack(photos: Path, devices: list[str], counts: list[int]) -> Iterator[dict[str, Any]]:
    """Misclassification of photographs, repeated where there are too few; `success` is asked of other batches."""
    files = sorted(photos.glob("*.*"))
    for count in counts:
        found: dict[str, Any] = {"attack": "minimal-l2", "network": "squeezenet", "images": count}
        for device in devices:
            for allowed in (False, True) if device.startswith("cuda") else (False,):
                with tf32(allowed):
                    chosen = [files[number % len(files)] for number in range(count)]
                    found[f"{device} tf32" if allowed else device] = attacked(chosen, device)
        yield found


def attacked(files: list[Path], device: str) -> dict[str, float]:
    model = vitrail.load("squeezenet", device=device)
    pixels = torch.stack([read_pixels(file, short_side=model.size, crop=model.size) for file in files])
    images = to_unit(pixels).to(device)
    labels = model(images).argmax(1)
    minimal_l2(model, images[:2], Criterion(labels[:2]), steps=2)
    synchronise(images.device)
    started = time.perf_counter()
    result = minimal_l2(model, images, Criterion(labels))
    synchronise(images.device)
    seconds = time.perf_counter() - started
    again = torch.cat([model(few).argmax(1) for few in result.images.split(3)])
    return {
        "seconds": round(seconds, 3),
        "images_per_second": round(len(files) / seconds, 2),
        "said_to_succeed": float(result.success.float().mean()),
        "success": float((again != labels).float().mean()),
        "median_l2": float((result.images - images).flatten(1).norm(dim=1).median()),
    }


def main() -> None:
    """Runs the measurements; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--against", default="cpu")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--networks", nargs="*", default=[""], help="beginnings of their names")
    parser.add_argument("--batches", type=int, nargs="*", default=list(BATCHES))
    parser.add_argument("--attacked", type=int, nargs="*", default=[16, 64], help="images at once in the attack")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    document: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.processor(),
        "measurements": [],
    }

    def keep(found: dict[str, Any]) -> None:
        print(json.dumps(found), flush=True)
        document["measurements"].append(found)
        if options.output:
            options.output.write_text(json.dumps(document, indent=2) + "\n")

    for found in of_attack(options.photos, [options.device, options.against], options.attacked):
        keep(found)
    for model in networks(options.device):
        if not model.name.startswith(tuple(options.networks)):
            continue
        for count in options.batches:
            keep(of_network(model, count, options.seconds, options.compile))


if __name__ == "__main__":
    main()
