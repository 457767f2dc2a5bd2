"""Maps and their faithfulness against captum and against loops: passes, seconds, memory; methods against chance.

    python benchmarks/attributions.py [FOLDER] [--part pass ...] [--images 64] [--samples 50] [--rounds 2]
    python benchmarks/attributions.py imagenet256 --part defaults --images 60

Images come from FOLDER, or are scikit-image's three, repeated. Contestants alternate in one process; one JSON
document goes to stdout. F is one forward pass of one image. Ours run on `optimised_copy`, whose making is counted.
`defaults` compares methods by faithfulness on images spread over FOLDER, with the default network; it runs alone.
"""

import argparse
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median

import captum.attr
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.explainer import FROM_PASS, bind_method
from vitrail.attributions.faithfulness import SHARES, blur, deletion_insertion, random_maps
from vitrail.attributions.gradient_pass import run_gradient_pass
from vitrail.attributions.verdict import coarse_random_maps, random_baseline, score, verdicts
from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.image_ascent import class_score, input_gradient, max_batch_size
from vitrail.image_ascent.batching import CPU_BATCH, MIB
from vitrail.image_files import find_images
from vitrail.images import read_pixels, to_unit

DEFAULT_METHODS = (
    "gradient,gradient-x-input,guided-backprop,grad-cam,grad-cam-plus-plus,smooth-grad:10,var-grad:10,"
    "integrated-gradients:10"
)


def read_images(folder: Path | None, count: int, backbone) -> torch.Tensor:
    if folder is None:
        from skimage import data

        folder = Path(data.__file__).parent
        files = [folder / name for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    else:
        files = find_images([folder])
    preprocessing = backbone.preprocessing
    read = [read_pixels(file, short_side=preprocessing.short_side, crop=preprocessing.size) for file in files[:count]]
    return to_unit(torch.stack([read[index % len(read)] for index in range(count)]))


def alternating(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: round(median(each), 3) for name, each in seconds.items()}


def compared(contestants: dict[str, Callable[[], object]], rounds: int) -> dict:
    seconds = alternating(contestants, rounds)
    faster = {name: round(each / seconds["ours"], 2) for name, each in seconds.items() if name != "ours"}
    return {"seconds": seconds, "times_faster": faster}


def growth(run: Callable[[], object]) -> float:
    """By how many MiB this process grows at most while `run` runs."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    start, peak, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident())

    thread = threading.Thread(target=watch)
    thread.start()
    run()
    done.set()
    thread.join()
    return round((peak[0] - start) / MIB, 1)


def flops(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def gradient_pass(backbone, images: torch.Tensor) -> dict:
    """Prediction, saliency and Grad-CAM."""
    with torch.no_grad():
        targets = backbone(images).argmax(dim=1)
        forward = flops(lambda: backbone(images))
    layer = captum.attr.LayerGradCam(backbone, backbone.network.features)

    def theirs() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            backbone(images)
        # not a leaf: torch's flop counter cannot follow one
        saliency = captum.attr.Saliency(backbone).attribute(images.clone().requires_grad_() * 1, targets)
        small = layer.attribute(images.clone().requires_grad_() * 1, targets, relu_attributions=True)
        large = captum.attr.LayerAttribution.interpolate(small, tuple(images.shape[2:]), "bilinear")
        return saliency.amax(dim=1), large[:, 0].detach()

    seen, found = run_gradient_pass(backbone, images, targets), theirs()
    ours = (FROM_PASS["gradient"](seen), FROM_PASS["grad-cam"](seen))
    return {
        "ours_F": round(flops(lambda: run_gradient_pass(backbone, images, targets)) / forward, 3),
        "theirs_F": round(flops(theirs) / forward, 3),
        "largest_difference": {
            name: float((a - b).abs().max() / b.abs().max())
            for name, a, b in zip(("gradient", "grad-cam"), ours, found, strict=True)
        },
    }


def sampling(backbone, images: torch.Tensor, options: argparse.Namespace) -> dict:
    """SmoothGrad and integrated gradients; captum is told batches of as many images as ours, and runs as it comes.

    As it comes: all samples of one image at once, which is the most that fits into a usual memory.
    """
    with torch.no_grad():
        targets = torch.cat([backbone(part).argmax(dim=1) for part in images.split(16)])
    count, memory = options.samples, options.memory * MIB
    size = max_batch_size(backbone, images, memory=memory)

    def noisy() -> None:
        method = captum.attr.NoiseTunnel(captum.attr.Saliency(backbone))
        for start in range(0, len(images), size):  # it puts all images of a call into every batch
            part, of = images[start : start + size], targets[start : start + size]
            at_once = max(1, size // len(part))
            method.attribute(part.clone(), nt_samples=count, nt_samples_batch_size=at_once, stdevs=0.15, target=of)

    def noisy_as_it_comes() -> None:
        method = captum.attr.NoiseTunnel(captum.attr.Saliency(backbone))
        for part, of in zip(images.split(1), targets.split(1), strict=True):
            method.attribute(part.clone(), nt_samples=count, stdevs=0.15, target=of)

    def integrated() -> None:
        method = captum.attr.IntegratedGradients(backbone)
        batch = max(size, len(images))  # captum takes no less than one point of each image
        method.attribute(images, target=targets, n_steps=count, internal_batch_size=batch)

    results = {}
    for name, theirs in (("smooth-grad", noisy), ("integrated-gradients", integrated)):

        def ours(name: str = name) -> torch.Tensor:
            return ATTRIBUTIONS[name](optimised_copy(backbone), images, targets, samples=count, memory=memory)

        results[name] = {"memory_growth_MiB": growth(ours), "budget_MiB": options.memory, "max_batch_size": size}
        contestants = {"ours": ours, "theirs": theirs}
        if name == "smooth-grad":
            contestants["theirs as it comes"] = noisy_as_it_comes
        results[name] |= compared(contestants, options.rounds)
    return results


def faithfulness(backbone, images: torch.Tensor, options: argparse.Namespace) -> dict:
    """Both curves of every image against loops of one image and one point at a time.

    One loop takes our points, the other 225 evenly spaced ones, as many as the authors' code (224 pixels a step).
    """
    targets = torch.cat([run_gradient_pass(backbone, part).targets for part in images.split(4)])
    maps = ATTRIBUTIONS["gradient"](backbone, images, targets)
    even = [torch.linspace(0, 1, count + 1, dtype=torch.float64).tolist() for count in (len(SHARES) - 1, 224)]
    areas: dict[str, torch.Tensor] = {}

    def ours(name: str, shares: Sequence[float]) -> None:
        quick = optimised_copy(backbone)
        found = deletion_insertion(quick, images, targets, maps, shares=shares, memory=options.memory * MIB)
        areas[name] = torch.stack([found.deletion_auc, found.insertion_auc], dim=1)

    def loop(name: str, shares: Sequence[float]) -> None:
        areas[name] = torch.tensor([image(*each, shares) for each in zip(images, targets, maps, strict=True)])

    def image(image: torch.Tensor, target: torch.Tensor, values: torch.Tensor, shares: Sequence[float]) -> list:
        order, both = values.flatten().argsort(descending=True), []
        counts = (len(order) * torch.tensor(shares, dtype=torch.float64)).round().long()
        for start, end in ((image, torch.zeros_like(image)), (blur(image[None])[0], image)):
            curve = []
            for many in counts.tolist():
                shown = start.flatten(1).clone()
                shown[:, order[:many]] = end.flatten(1)[:, order[:many]]
                with torch.no_grad():
                    curve.append(backbone(shown.view(1, *image.shape)).softmax(dim=1)[0, target])
            both.append(float(torch.trapezoid(torch.stack(curve), counts / len(order))))
        return both

    seconds = alternating(
        {
            "ours": lambda: ours("ours", SHARES),
            "loop over the same points": lambda: loop("same", SHARES),
            "loop over 225 points": lambda: loop("authors", even[1]),
        },
        options.rounds,
    )
    ours("even", even[0])
    return {
        "seconds": seconds,
        "times_faster": {name: round(each / seconds["ours"], 2) for name, each in seconds.items() if name != "ours"},
        "mean_deletion_insertion_auc": {name: each.mean(dim=0).tolist() for name, each in areas.items()},
        "mean_difference_from_225_points": {
            name: (areas[name] - areas["authors"]).abs().mean(dim=0).tolist() for name in ("ours", "even")
        },
    }


def time_gradient(name: str, images: torch.Tensor, batch: int, rounds: int) -> dict:
    """The gradient at the pixels against `loss.backward()` on weights that require gradients."""
    plain = BACKBONES[name]()
    quick, usual = optimised_copy(plain), BACKBONES[name]().requires_grad_()
    part = images[:batch]
    targets = torch.zeros(len(part), dtype=torch.long)

    def theirs() -> None:
        pixels = part.clone().requires_grad_()
        usual(pixels).gather(1, targets[:, None]).sum().backward()

    return compared(
        {"ours": lambda: input_gradient(quick, part, class_score(targets)), "theirs": theirs}, 1 + 5 * rounds
    )


def input_gradients(images: torch.Tensor, options: argparse.Namespace) -> dict:
    lite = read_images(options.folder, 8, BACKBONES["efficientnet-lite0"]())
    given = (("squeezenet", images), ("efficientnet-lite0", lite))
    sizes = [(name, each, batch) for name, each in given for batch in (8, CPU_BATCH, 1)]
    return {f"{name} x {batch}": time_gradient(name, each, batch, options.rounds) for name, each, batch in sizes}


def defaults(folder: Path, count: int, methods: Sequence[str]) -> dict:
    """Deletion, insertion and verdicts of methods and of random maps, image by image; means over all of them."""
    backbone = optimised_copy(BACKBONES[DEFAULT_BACKBONE]())
    how = backbone.preprocessing
    files = find_images([folder])
    files = files[:: max(1, len(files) // count)][:count]
    rows: dict[str, list[dict]] = {}
    for file in files:
        pixels = read_pixels(file, short_side=how.short_side, crop=how.size, interpolation=how.interpolation)
        image = to_unit(pixels)[None]
        target = run_gradient_pass(backbone, image).targets
        baseline = random_baseline(backbone, image, target)
        contestants = {name: one_method(name) for name in methods}
        contestants["random pixels"] = lambda _, image, __: random_maps(image, 101)
        contestants["random coarse"] = lambda _, image, __: coarse_random_maps(image, 101)
        for name, method in contestants.items():
            start = time.perf_counter()
            maps = method(backbone, image, target)
            seconds = time.perf_counter() - start
            measured = deletion_insertion(backbone, image, target, maps)
            above = float(score(measured)) > float(baseline.pixel_scores.mean())
            values = {"deletion": float(measured.deletion_auc), "insertion": float(measured.insertion_auc)}
            values |= {"seconds": seconds, "above_mean_random": above, "verdict": verdicts(measured, baseline)[0]}
            rows.setdefault(name, []).append(values)
    return {
        name: {
            **{key: round(mean(row[key] for row in own), 3) for key in own[0] if key != "verdict"},
            "score": round(mean(row["insertion"] - row["deletion"] for row in own), 3),
            "verdicts": dict(Counter(row["verdict"] for row in own)),
            "n": len(own),
        }
        for name, own in rows.items()
    }


def one_method(name: str) -> Callable:
    """`METHOD`, or `METHOD:N` with N samples."""
    method, _, samples = name.partition(":")
    return bind_method(method, **({"samples": int(samples)} if samples else {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="images; without it scikit-image's three, repeated")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--samples", type=int, default=50, help="of SmoothGrad and of integrated gradients")
    parser.add_argument("--rounds", type=int, default=2, help="alternating runs of each")
    parser.add_argument("--memory", type=int, default=512, help="budget in MiB")
    parser.add_argument("--part", choices=("pass", "input_gradient", "faithfulness", "sampling", "defaults"), nargs="+")
    parser.add_argument("--methods", default=DEFAULT_METHODS, help="of `defaults`; METHOD:N: with N samples")
    options = parser.parse_args()
    if options.part == ["defaults"]:
        print(json.dumps(defaults(options.folder, options.images, options.methods.split(",")), indent=2))
        return
    backbone = BACKBONES["squeezenet"]()
    images = read_images(options.folder, options.images, backbone)
    parts = {
        "pass": lambda: gradient_pass(backbone, images[:4]),
        "input_gradient": lambda: input_gradients(images, options),
        "faithfulness": lambda: faithfulness(backbone, images, options),
        "sampling": lambda: sampling(backbone, images, options),
    }
    setting = {key: value for key, value in vars(options).items() if key != "folder"} | {"cores": os.cpu_count()}
    results = {part: parts[part]() for part in options.part or parts if part in parts}
    print(json.dumps({"setting": setting, **results}, indent=2))


if __name__ == "__main__":
    main()
