"""Minimal adversarial perturbations against foolbox, FMN and adv-lib's 8-bit DDN: norms, and passes of the network.

    python benchmarks/attacks.py FOLDER [--backbone squeezenet] [--images 200] [--part minimal 8-bit curve]
    python benchmarks/attacks.py FOLDER --part throughput --against OLDER_CHECKOUT/src [--images 32] [--rounds 3]

FOLDER holds `images/` and `labels.csv` (`file`, `class_index`). Correctly classified images count, from the first on;
the parameters were tuned on the last 100. F: a forward pass of one image; a backward pass is one more.
adv-lib is used where it is installed, else its DDN for 256 levels is repeated here. One JSON document on stdout.

`throughput`: whole runs of `vitrail attack` on the first images, by this source and an older one in turn. Cores that
were busy, and cores that were busy or waited for (`cores_wanted`): beside other work, `cpu_s / cores_wanted` is about
what the run would take without it.
"""

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from torch import nn

from cores import Cores
from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.quantise import quantise_adversarial
from vitrail.attacks.robustness_curve import robust_accuracy
from vitrail.backbones import BACKBONES
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.images import read_pixels, to_bytes, to_unit

EPSILONS = {
    "linf": [k / 255 / 8 for k in (1, 2, 3, 4, 6, 8, 16, 32)],
    "l2": [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0],
}


class Counted(nn.Module):
    """Counts the images that go forward, and those whose gradient comes back."""

    def __init__(self, network):
        super().__init__()
        self.network, self.passes = network, 0

    def forward(self, images):
        """The network's logits, counted."""
        self.passes += len(images)
        logits = self.network(images)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self._back(len(gradient)))
        return logits

    def _back(self, count):
        self.passes += count


def right_images(folder: Path, backbone, count: int):
    how, images, labels = backbone.preprocessing, [], []
    for row in csv.DictReader((folder / "labels.csv").open()):
        if len(images) == count:
            break
        pixels = read_pixels(
            folder / "images" / row["file"],
            short_side=how.short_side,
            crop=how.size,
            interpolation=how.interpolation,
        )
        image, label = to_unit(pixels), int(row["class_index"])
        with torch.no_grad():
            if backbone(image[None]).argmax() == label:
                images.append(image)
                labels.append(label)
    return torch.stack(images), torch.tensor(labels)


def foolbox_ddn(model, images, labels):
    import foolbox

    bounded = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    return foolbox.attacks.DDNAttack(steps=100).run(bounded, images, labels)


def fmn(model, images, labels, steps=100):
    """Fast minimum norm (https://arxiv.org/abs/2102.12827), L2; foolbox's own never projects."""
    change = torch.zeros_like(images)
    epsilon, best = torch.full((len(images),), torch.inf), torch.full((len(images),), torch.inf)
    found = images.clone()
    for step in range(steps):
        cosine = (1 + math.cos(math.pi * step / steps)) / 2
        rate, share = 0.01 + 0.99 * cosine, 0.001 + 0.049 * cosine
        current = (images + change).requires_grad_()
        logits = model(current)
        own = logits.gather(1, labels[:, None])[:, 0]
        gap = own - logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
        (gradient,) = torch.autograd.grad(-gap.sum(), current)
        size, length, gap = gradient.flatten(1).norm(dim=1), change.flatten(1).norm(dim=1), gap.detach()
        misclassified = gap < 0
        better = misclassified & (length < best)
        best[better], found[better] = length[better], current.detach()[better]
        reach = length + gap.abs() / size.clamp_min(1e-12)
        wider = torch.where(best.isinf(), reach, epsilon * (1 + share))
        epsilon = torch.where(misclassified, torch.minimum(epsilon * (1 - share), best), wider)
        change = change + rate * gradient / size.clamp_min(1e-12)[:, None, None, None]
        scale = (epsilon / change.flatten(1).norm(dim=1).clamp_min(1e-12)).clamp_max(1)
        change = (images + change * scale[:, None, None, None]).clamp(0, 1) - images
    return found


def ddn_256(model, images, labels, steps=100):
    try:
        from adv_lib.attacks import ddn

        return ddn(model, images, labels, steps=steps, levels=256)
    except ImportError:
        return repeated_ddn_256(model, images, labels, steps)


def repeated_ddn_256(model, images, labels, steps):
    change, epsilon = torch.zeros_like(images), torch.ones(len(images))
    best, found = torch.full((len(images),), torch.inf), images.clone()
    for step in range(steps):
        current = (images + change).requires_grad_()
        logits = model(current)
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(logits, labels, reduction="sum"), current)
        length, misclassified = change.flatten(1).norm(dim=1), logits.argmax(dim=1) != labels
        better = misclassified & (length < best)
        best[better], found[better] = length[better], current.detach()[better]
        rate = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
        change = change + rate * gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
        epsilon = epsilon * torch.where(misclassified, 0.95, 1.05)
        change = change * (epsilon / change.flatten(1).norm(dim=1))[:, None, None, None]
        change = (images + change).clamp(0, 1).mul(255).round().div(255) - images
    return found


def figures(backbone, images, labels, found, passes):
    length = (found - images).flatten(1).norm(dim=1)
    with torch.no_grad():
        says = torch.cat([backbone(part).argmax(dim=1) for part in found.split(8)])
        rounded = torch.cat([backbone(to_unit(to_bytes(part))).argmax(dim=1) for part in found.split(8)])
    return {
        "success": (says != labels).float().mean().item(),
        "after_rounding": (rounded != labels).float().mean().item(),
        "mean": length.mean().item(),
        "median": length.quantile(0.5).item(),
        "F": passes / len(images),
    }


def of_peer(attack, backbone, images, labels):
    model = Counted(backbone)
    found = torch.cat([attack(model, *part) for part in zip(images.split(8), labels.split(8), strict=True)])
    return figures(backbone, images, labels, found, model.passes)


def spent(result):
    return int((result.forwards + result.backwards).sum())


def minimal(backbone, images, labels):
    """The minimal perturbation, in floating point."""
    ours = ATTACKS["minimal-l2"](backbone, images, Criterion(labels))
    return {
        "minimal-l2": figures(backbone, images, labels, ours.images, spent(ours)),
        "foolbox DDN-100": of_peer(foolbox_ddn, backbone, images, labels),
        "FMN-100": of_peer(fmn, backbone, images, labels),
    }


def eight_bit(backbone, images, labels):
    """The minimal perturbation of the 8-bit file."""
    ours = ATTACKS["minimal-l2"](backbone, images, Criterion(labels))
    whole = quantise_adversarial(backbone, images, ours.images, Criterion(labels))
    return {
        "minimal-l2, 8 bits": figures(backbone, images, labels, whole.images, spent(ours) + spent(whole)),
        "DDN-100, 256 levels": of_peer(ddn_256, backbone, images, labels),
    }


def robustness_curve(backbone, images, labels):
    """Eight epsilon values from one run, and one of them alone."""
    answer = {}
    for norm, values in EPSILONS.items():
        found = robust_accuracy(backbone, images, labels, norm=norm, epsilons=torch.tensor(values))
        one = ATTACKS["pgd"](backbone, images, Criterion(labels), epsilon=values[2], norm=norm)
        answer[norm] = {
            "epsilons": values,
            "accuracy": found.accuracy.tolist(),
            "F": spent(found) / len(images),
            "F of one epsilon, PGD-40, compacted": spent(one) / len(images),
            "its accuracy": 1 - one.success.float().mean().item(),
        }
    return answer


def throughput(options):
    """Whole runs of the command by either source, in turn, and the ratio of the medians."""
    sources = {"now": Path(__file__).parent.parent / "src", "before": options.against}
    files = sorted((options.folder / "images").iterdir())[: options.images]
    rounds = [
        {name: one_run(source, files, options.backbone) for name, source in sources.items()}
        for _ in range(options.rounds)
    ]
    ratios = {what: median(each["before"][what] / each["now"][what] for each in rounds) for what in ("wall_s", "cpu_s")}
    return {"rounds": rounds, "before / now, medians of the rounds' ratios": ratios}


def one_run(source, files, backbone):
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        call = [sys.executable, "-m", "vitrail", "attack", *map(str, files), "--backbone", backbone, "--run", str(run)]
        started = time.perf_counter()
        process = subprocess.Popen(call, env={**os.environ, "PYTHONPATH": str(source)}, stdout=subprocess.DEVNULL)
        with Cores(process.pid) as cores:
            process.wait()
        wall = time.perf_counter() - started
        images = json.loads((run / "result.json").read_text())["images"]
    ran, waited = cores.ran, cores.waited
    lengths = [image["l2"] for image in images if image["verified"]]
    return {
        "wall_s": round(wall, 1),
        "cpu_s": round(ran, 1),
        "images_a_minute": round(60 * len(images) / wall, 2),
        "cores_busy": round(ran / wall, 2),
        "cores_wanted": round((ran + waited) / wall, 2),
        "verified": len(lengths),
        "mean_l2": sum(lengths) / len(lengths),
        "median_l2": median(lengths),
    }


PARTS = {"minimal": minimal, "8-bit": eight_bit, "curve": robustness_curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="squeezenet")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--part", choices=(*PARTS, "throughput"), nargs="+", default=list(PARTS))
    parser.add_argument("--against", type=Path, help="src/ of an older checkout, for throughput")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput")
    options = parser.parse_args()
    if options.part == ["throughput"]:
        found = throughput(options)
        print(json.dumps({"backbone": options.backbone, "images": options.images, **found}, indent=2))
        return
    backbone = optimised_copy(BACKBONES[options.backbone]())
    images, labels = right_images(options.folder, backbone, options.images)
    found = {part: PARTS[part](backbone, images, labels) for part in options.part}
    print(json.dumps({"backbone": options.backbone, "images": len(images), **found}, indent=2))


if __name__ == "__main__":
    main()
