"""Class visualisation against a notebook loop and a Fourier loop as commonly written, at equal forward passes.

    python benchmarks/visualisation.py [--network squeezenet] [--classes 76 10 ...] [--steps 200] [--rounds 3]
        [--part probabilities|speed]

`probabilities`: probability of the class on the saved 8-bit images, by the network that they were made for and by the
other packaged one. `speed`: seconds per image of the notebook's loop (eager, weights that require gradients,
`backward()`, SciPy's blur, one class after another) and of Vitrail, all classes together, in alternating runs;
`without_other_work_s` is processor time divided by the cores that were used or waited for. One JSON document goes to
stdout. F is a forward pass at the network's own size; a gradient step costs two, and a resized input costs by its
pixels: `F` is the cost of an image.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d

from cores import Cores
from vitrail.backbones import BACKBONES
from vitrail.backbones.backbone import Backbone
from vitrail.images import to_bytes, to_unit
from vitrail.visualisation import fourier, visualise
from vitrail.visualisation.batches import Method
from vitrail.visualisation.pixel_ascent import IMAGENET_MEAN as MEAN
from vitrail.visualisation.pixel_ascent import IMAGENET_STD as STD
from vitrail.visualisation.second_network import PACKAGED

REPORTED = (76, 10, 130, 207, 250, 340, 555, 701, 817, 950)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def notebook(network: torch.nn.Module, side: int, target: int, steps: int) -> torch.Tensor:
    """The loop of CS231n's third assignment, step size 5, for one class."""
    draws = np.random.default_rng(0)
    x = torch.randn(1, 3, side, side, generator=seeded(0)).requires_grad_()
    low, high = (-MEAN / STD).flatten().tolist(), ((1 - MEAN) / STD).flatten().tolist()
    for step in range(steps):
        shift = tuple(int(offset) for offset in draws.integers(0, 17, 2))
        x.data = x.data.roll(shift, (2, 3))
        (network(x * STD + MEAN)[0, target] - 1e-3 * x.norm()).backward()
        x.data += 5 * x.grad / x.grad.norm()
        x.grad.zero_()
        x.data = x.data.roll((-shift[0], -shift[1]), (2, 3))
        for channel in range(3):
            x.data[:, channel].clamp_(low[channel], high[channel])
        if step % 10 == 0:
            for axis in (2, 3):
                x.data = torch.from_numpy(gaussian_filter1d(x.data.numpy(), 0.5, axis=axis))
    return (x * STD + MEAN).detach()


def lucent(network: torch.nn.Module, side: int, classes: list[int], steps: int) -> torch.Tensor:
    """Fourier and decorrelated colour with Lucent's defaults: pad 12, jitter 8, scale, rotate, jitter 4; Adam 0.05."""
    draws = np.random.default_rng(0)
    image = fourier((0.01 * torch.randn(1, 3, side, side, generator=seeded(0))).sigmoid().repeat(len(classes), 1, 1, 1))
    optimizer = torch.optim.Adam([image.parameters], lr=0.05)
    for _ in range(steps):
        inputs = crop(F.pad(image.image(), (12,) * 4, value=0.5), 8, draws)
        scale = 1 + (draws.integers(11) - 5) / 50
        angle = np.deg2rad(draws.choice([*range(-10, 11), *[0] * 5]))
        turn = torch.tensor([[[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]]) / scale
        grid = F.affine_grid(turn.float().expand(len(classes), -1, -1), list(inputs.shape), align_corners=False)
        inputs = crop(F.grid_sample(inputs, grid, align_corners=False), 4, draws)
        inputs = F.interpolate(inputs, size=(side, side), mode="bilinear")
        loss = -network(inputs)[range(len(classes)), classes].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return image.image().detach()


def crop(images: torch.Tensor, most: int, draws: np.random.Generator) -> torch.Tensor:
    top, left = draws.integers(0, most, 2)
    height, width = images.shape[2] - most, images.shape[3] - most
    return images[:, :, top : top + height, left : left + width]


def vitrail_images(network: Backbone, method: Method, classes: list[int], steps: int) -> torch.Tensor:
    *_, last = visualise(network, classes, method=method, steps=steps)
    return last.images


@contextmanager
def counted(*networks: torch.nn.Module) -> Iterator[list[float]]:
    """Forward passes of whole images, each with its backward pass; copies of the networks count as well."""
    passes: list[float] = []

    def note(network: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        passes.append(2 * inputs[0][:, 0].numel() / network.size**2)

    handles = [network.register_forward_pre_hook(note) for network in networks]
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def probabilities(images: torch.Tensor, classes: list[int], networks: dict[str, Backbone]) -> dict[str, object]:
    saved, found = to_unit(to_bytes(images)), {}
    for name, network in networks.items():
        inputs = F.interpolate(saved, size=(network.size,) * 2, mode="bilinear", antialias=True)
        all_classes = network(inputs).softmax(dim=1)
        own = all_classes[range(len(classes)), classes]
        found[name] = {
            "mean": float(own.mean()),
            "median": float(own.median()),
            "least": float(own.min()),
            "top1": int((all_classes.argmax(dim=1) == torch.tensor(classes)).sum()),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=PACKAGED, default="squeezenet", help="network that images are made for")
    parser.add_argument("--classes", type=int, nargs="+", default=list(REPORTED))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs for the speed")
    parser.add_argument("--part", choices=("probabilities", "speed"), default="probabilities")
    options = parser.parse_args()
    networks = {name: BACKBONES[name]() for name in PACKAGED}
    network = networks[options.network]
    classes, steps, document = options.classes, options.steps, {}
    if options.part == "probabilities":
        makers = {
            f"vitrail, {method}": partial(vitrail_images, network, method) for method in ("fourier", "maco", "pixels")
        }
        makers["lucent's loop"] = partial(lucent, network, network.size)
        for name, make in makers.items():
            with counted(network) as passes:
                images = make(classes, steps)
            document[name] = {"F": sum(passes) / len(classes), **probabilities(images, classes, networks)}
    else:
        eager = BACKBONES[options.network]().requires_grad_(True)
        runs = {
            "notebook": lambda: notebook(eager, network.size, classes[0], steps),
            "vitrail, pixels": lambda: vitrail_images(network, "pixels", classes, steps),
            "vitrail, fourier": lambda: vitrail_images(network, "fourier", classes, steps),
        }
        for _ in range(options.rounds):
            for name, run in runs.items():
                started = time.perf_counter()
                with Cores() as cores:
                    images = len(run())
                wall = time.perf_counter() - started
                wanted = (cores.ran + cores.waited) / wall
                entry = {"wall_s": wall / images, "cpu_s": cores.ran / images, "cores_wanted": wanted}
                entry["without_other_work_s"] = entry["cpu_s"] / wanted
                document.setdefault(name, []).append({what: round(value, 3) for what, value in entry.items()})
    about = {"network": options.network, "classes": classes, "steps": steps, "part": options.part}
    print(json.dumps({**about, "found": document}, indent=2))


if __name__ == "__main__":
    main()
