"""Maps and their faithfulness against captum and against loops: passes, seconds, memory.

    python benchmarks/attributions.py [FOLDER] [--pictures 64] [--samples 50] [--rounds 2] [--memory 512]

Pictures come from FOLDER, or are scikit-image's three, repeated. Contestants alternate in one process; one JSON
document goes to stdout. F is one forward pass of one picture. Ours run on `quick_copy`, whose making is counted.
"""

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import captum.attr
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.look import FROM_LOOK, look
from vitrail.backbones import BACKBONES
from vitrail.backbones.quick import quick_copy
from vitrail.image_ascent import class_score, images_at_once, slope
from vitrail.image_files import find_pictures
from vitrail.images import read_picture, to_unit
from vitrail.metrics.faithfulness import blur, deletion_insertion

MIB = 2**20


def pictures(folder: Path | None, count: int, backbone) -> torch.Tensor:
    if folder is None:
        from skimage import data

        folder = Path(data.__file__).parent
        files = [folder / name for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    else:
        files = find_pictures([folder])
    preparation = backbone.preparation
    read = [read_picture(file, short_side=preparation.short_side, crop=preparation.size) for file in files[:count]]
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
    return {"seconds": seconds, "times_faster": round(seconds["theirs"] / seconds["ours"], 2)}


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


def one_look(backbone, images: torch.Tensor) -> dict:
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

    seen, found = look(backbone, images, targets), theirs()
    ours = (FROM_LOOK["gradient"](seen), FROM_LOOK["grad-cam"](seen))
    return {
        "ours_F": round(flops(lambda: look(backbone, images, targets)) / forward, 3),
        "theirs_F": round(flops(theirs) / forward, 3),
        "largest_difference": {
            name: float((a - b).abs().max() / b.abs().max())
            for name, a, b in zip(("gradient", "grad-cam"), ours, found, strict=True)
        },
    }


def sampling(backbone, images: torch.Tensor, options: argparse.Namespace) -> dict:
    """SmoothGrad and integrated gradients; captum is told batches of as many images as ours."""
    with torch.no_grad():
        targets = torch.cat([backbone(part).argmax(dim=1) for part in images.split(16)])
    count, memory = options.samples, options.memory * MIB
    size = images_at_once(backbone, images, memory=memory)

    def noisy() -> None:
        method = captum.attr.NoiseTunnel(captum.attr.Saliency(backbone))
        for start in range(0, len(images), size):  # it puts all pictures of a call into every batch
            part, of = images[start : start + size], targets[start : start + size]
            at_once = max(1, size // len(part))
            method.attribute(part.clone(), nt_samples=count, nt_samples_batch_size=at_once, stdevs=0.15, target=of)

    def integrated() -> None:
        method = captum.attr.IntegratedGradients(backbone)
        batch = max(size, len(images))  # captum takes no less than one point of each picture
        method.attribute(images, target=targets, n_steps=count, internal_batch_size=batch)

    results = {}
    for name, theirs in (("smooth-grad", noisy), ("integrated-gradients", integrated)):

        def ours(name: str = name) -> torch.Tensor:
            return ATTRIBUTIONS[name](quick_copy(backbone), images, targets, samples=count, memory=memory)

        results[name] = {"memory_growth_MiB": growth(ours), "budget_MiB": options.memory, "images_at_once": size}
        results[name] |= compared({"ours": ours, "theirs": theirs}, options.rounds)
    return results


def faithfulness(backbone, images: torch.Tensor, options: argparse.Namespace) -> dict:
    """Both curves of every picture against one picture and one step at a time."""
    targets = torch.cat([look(backbone, part).targets for part in images.split(16)])
    maps = ATTRIBUTIONS["gradient"](backbone, images, targets)
    steps, memory = options.steps, options.memory * MIB
    areas: dict[str, list[float]] = {}

    def ours() -> None:
        found = deletion_insertion(quick_copy(backbone), images, targets, maps, steps=steps, memory=memory)
        areas["ours"] = [float(found.deletion_auc.mean()), float(found.insertion_auc.mean())]

    def loop() -> None:
        found = [picture(*each) for each in zip(images, targets, maps, strict=True)]
        areas["theirs"] = torch.tensor(found).mean(dim=0).tolist()

    def picture(image: torch.Tensor, target: torch.Tensor, values: torch.Tensor) -> list[float]:
        order, both = values.flatten().argsort(descending=True), []
        counts = torch.linspace(0, len(order), steps + 1).round().long()
        for start, end in ((image, torch.zeros_like(image)), (blur(image[None])[0], image)):
            curve = []
            for many in counts.tolist():
                shown = start.flatten(1).clone()
                shown[:, order[:many]] = end.flatten(1)[:, order[:many]]
                with torch.no_grad():
                    curve.append(backbone(shown.view(1, *image.shape)).softmax(dim=1)[0, target])
            both.append(float(torch.trapezoid(torch.stack(curve), counts / len(order))))
        return both

    return compared({"ours": ours, "theirs": loop}, options.rounds) | {"mean_deletion_insertion_auc": areas}


def input_gradient(name: str, images: torch.Tensor, batch: int, rounds: int) -> dict:
    """The slope at the pixels against `loss.backward()` on weights that require gradients."""
    plain = BACKBONES[name]()
    quick, usual = quick_copy(plain), BACKBONES[name]().requires_grad_()
    part = images[:batch]
    targets = torch.zeros(len(part), dtype=torch.long)

    def theirs() -> None:
        pixels = part.clone().requires_grad_()
        usual(pixels).gather(1, targets[:, None]).sum().backward()

    return compared({"ours": lambda: slope(quick, part, class_score(targets)), "theirs": theirs}, 1 + 5 * rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="pictures; without it scikit-image's three, repeated")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--samples", type=int, default=50, help="of SmoothGrad and of integrated gradients")
    parser.add_argument("--steps", type=int, default=20, help="of deletion and of insertion")
    parser.add_argument("--rounds", type=int, default=2, help="alternating runs of each")
    parser.add_argument("--memory", type=int, default=512, help="budget in MiB")
    options = parser.parse_args()
    backbone = BACKBONES["squeezenet"]()
    images = pictures(options.folder, options.pictures, backbone)
    lite = pictures(options.folder, 8, BACKBONES["efficientnet-lite0"]())
    results = {
        "setting": {key: value for key, value in vars(options).items() if key != "folder"} | {"cores": os.cpu_count()},
        "look": one_look(backbone, images[:4]),
        "input_gradient": {
            f"{name} x {batch}": input_gradient(name, given, batch, options.rounds)
            for name, given in (("squeezenet", images), ("efficientnet-lite0", lite))
            for batch in (8, 1)
        },
        "faithfulness": faithfulness(backbone, images, options),
        "sampling": sampling(backbone, images, options),
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
