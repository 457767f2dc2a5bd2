"""Part of `benchmarks/gpu.py`: images a second of each inference engine, and from files to features."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torchvision

import vitrail
from vitrail import Backbone
from vitrail.backbones import BACKBONES
from vitrail.backbones.forward_pass import PooledFeatures
from vitrail.backbones.inference_engine import ENGINES, choose_engine
from vitrail.devices import cpu_count
from vitrail.errors import BadImage, one_line
from vitrail.transfer import decoding
from vitrail.transfer.decoding import GROUP, Decoder, DecodingProcesses
from vitrail.transfer.features import Extractor

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
BATCH = 256
FILES = 12_288
MINUTES = ("compiled",)  # engines that take a minute to build: of the first network only

Check = tuple[str, Callable[[], dict[str, Any]]]


def networks(tiny: bool) -> Iterator[tuple[str, str, Callable[[], Backbone]]]:
    """Name, feature layer and how to make it; weights that are not packaged are random, which changes no speed."""
    yield "efficientnet-lite0", "pool", partial(vitrail.load, "efficientnet-lite0")
    if tiny:
        return
    for name, layer in (("vgg16", "classifier.4"), ("resnet50", "avgpool")):
        yield name, layer, partial(_random, name)


def _random(name: str) -> Backbone:
    classes = tuple(str(number) for number in range(1000))
    network = torchvision.models.get_model(name, weights=None)
    return Backbone.wrap(network, classes=classes, size=224, name=name, **IMAGENET)


def engine_checks(device: str, data: Path, *, tiny: bool) -> Iterator[Check]:
    """Each engine in each precision, on pixels in the host's memory; then files, decoding alone and both."""
    for place, (name, layer, make) in enumerate(networks(tiny)):
        check = partial(of_network, make, layer, device, compiles=place == 0, tiny=tiny)
        yield f"engines-{name}", check
    yield "files-to-features", partial(of_files, data, device, tiny=tiny)


def of_network(make: Callable[[], Backbone], layer: str, device: str, *, compiles: bool, tiny: bool) -> dict[str, Any]:
    """Images a second, copies there and back included; and the largest difference from float32."""
    batch = 2 if tiny else BATCH
    pixels = np.random.default_rng(0).integers(0, 256, (batch, 3, 224, 224), dtype=np.uint8)
    many = np.concatenate([pixels] * (2 if tiny else 8))
    module, found = PooledFeatures(make(), (layer,)), {}
    for precision in ("float32",) if tiny else ("float32", "bfloat16"):
        for engine in ENGINES[torch.device(device).type]:
            if engine == "openvino" or (engine in MINUTES and not compiles):
                continue
            try:
                fast = choose_engine(module, pixels, engine=engine, device=device, images=10**6, precision=precision)
                fast(many)
                started = time.perf_counter()
                fast(many)
                speed = len(many) / (time.perf_counter() - started)
                found[f"{engine} {precision}"] = {
                    "images_per_second": round(speed, 1),
                    "relative_error": fast.choice["tried"][0]["relative_error"],
                    "batch": fast.batch_size,
                }
            except Exception as error:  # a list of what works and what does not
                found[f"{engine} {precision}"] = {"error": one_line(error)}
    return found


def of_files(data: Path, device: str, *, tiny: bool) -> dict[str, Any]:
    """Images a second from files to features, and of decoding alone, by threads and by processes, on all cores.

    The files are copies of few, each with another end, which no decoder reads: else each content would be taken once.
    """
    spec = BACKBONES["efficientnet-lite0"]
    decoder = Decoder(spec.preprocessing)
    found: dict[str, Any] = {}
    with TemporaryDirectory() as home, ThreadPoolExecutor(cpu_count()) as pool:
        files = list(varied(sorted((data / "scene15").rglob("*.*g")), Path(home), 8 if tiny else FILES))
        processes = DecodingProcesses(decoder, 1 if tiny else cpu_count())
        list(processes.map(pool, files[: 4 * GROUP * cpu_count()]))  # until all have started
        for name, decode in (("threads", partial(pool.map, decoder)), ("processes", partial(processes.map, pool))):
            started = time.perf_counter()
            assert not any(isinstance(image, BadImage) for image in decode(files))
            found[f"decoded_by_{name}"] = round(len(files) / (time.perf_counter() - started), 1)
        processes.close()
        decoding.START_SECONDS = 0  # so that few files show what many get
        run = Extractor(spec, ("pool",), device=device).run(files)
        while True:
            try:
                next(run)
            except StopIteration as stopped:
                extraction = stopped.value
                break
    found["files_to_features"] = round(len(files) / extraction.seconds, 1)
    return {"images": len(files), **found, "engine": dict(extraction.engine)}


def varied(images: Sequence[Path], folder: Path, count: int) -> Iterator[Path]:
    """`count` files of as many contents, in turn of each image."""
    for number in range(count):
        image = images[number % len(images)]
        file = folder / f"{number}{image.suffix}"
        file.write_bytes(image.read_bytes() + number.to_bytes(4, "big"))
        yield file
