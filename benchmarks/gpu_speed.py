"""Images a second on a GPU: networks in several precisions, and the shortest attack beside the CPU's.

    python benchmarks/gpu_speed.py PHOTOS [--device cuda] [--against cpu] [--seconds 1] [--compile] [--output FILE]

PHOTOS is a folder of images for the attack. Networks get prepared pixels that lie on the device already: reading and
copying are no part of it. Weights of networks that the package does not hold are random, which changes no speed. One
JSON line a measurement goes to stdout as it ends; `--output` gets all of them as one document.

`float32` is what the commands use; `tf32` is what PyTorch does by default on such a card (convolutions only), measured
on the network alone, as a `Backbone` does not allow it; `bfloat16` is under autocast, with images and weights
channels-last; `graph` is the same, replayed as a CUDA graph; `compiled` the same by `torch.compile`. Each is run once
more for its difference from `float32`: of the probabilities the largest, and how many images keep their class.
"""

import argparse
import json
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
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


def plain(model: Backbone) -> Forward:
    """The network in whatever precision the process is set to."""

    def forward(images: Tensor) -> Tensor:
        logits: Tensor = model.network((images - model.mean) / model.std)
        return logits

    return forward


def in_bfloat16(model: Backbone) -> Forward:
    kind, network = model.mean.device.type, plain(model)

    def forward(images: Tensor) -> Tensor:
        with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
            return network(images)

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


def variants(model: Backbone, images: Tensor, compiles: bool) -> Iterator[tuple[str, Tensor, Maker]]:
    """Name, the images in their layout, and what makes the forward pass."""
    yield "float32", images, lambda: model
    yield "tf32", images, lambda: plain(model)
    last = images.contiguous(memory_format=torch.channels_last)
    model.to(memory_format=torch.channels_last)
    yield "bfloat16", last, lambda: in_bfloat16(model)
    if images.is_cuda:
        yield "bfloat16 graph", last, lambda: as_graph(in_bfloat16(model), last)
    if compiles and len(images) == max(BATCHES):
        yield "bfloat16 compiled", last, lambda: torch.compile(in_bfloat16(model), dynamic=False)
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
    images = torch.rand(count, 3, model.size, model.size, generator=generator).to(model.mean.device)
    found: dict[str, Any] = {"network": model.name, "batch": count}
    exact = None
    for name, given, make in variants(model, images, compiles):
        with torch.inference_mode():
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
    """Misclassification of photographs, repeated where there are too few of them."""
    files = sorted(photos.glob("*.*"))
    for count in counts:
        chosen = [files[number % len(files)] for number in range(count)]
        rows = {device: attacked(chosen, device) for device in devices}
        yield {"attack": "minimal-l2", "network": "squeezenet", "images": count, **rows}


def attacked(files: list[Path], device: str) -> dict[str, float]:
    """`success` is asked of batches of three, `success_of_network` in the precision that the process is set to."""
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

    def success(forward: Forward) -> float:
        with torch.inference_mode():
            again = torch.cat([forward(few).argmax(1) for few in result.images.split(3)])
        return float((again != labels).float().mean())

    return {
        "seconds": round(seconds, 3),
        "images_per_second": round(len(files) / seconds, 2),
        "said_to_succeed": float(result.success.float().mean()),
        "success": success(model),
        "success_of_network": success(plain(model)),
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
