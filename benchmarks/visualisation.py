"""Class visualisation: ours against the usual notebook loop and the usual Fourier loop, at equal forward passes.

    python benchmarks/visualisation.py [--classes 76 10 ...] [--steps 200] [--rounds 1] [--part figures|speed]

`figures`: probability of the class on the saved 8-bit images, by SqueezeNet (which they were made for) and by
EfficientNet-Lite0 (which never saw them). `speed`: seconds per image of the notebook's loop (eager, weights that
require gradients, `backward()`, SciPy's blur, one class after another) and of ours, all classes together, in
alternating runs. One JSON document goes to stdout. F is a forward pass at the network's own size; a gradient step is
two, and a smaller view costs by its pixels: `F` says how many an image took.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d

from vitrail.backbones import BACKBONES
from vitrail.backbones.inference_engine import optimised_copy
from vitrail.images import to_bytes, to_unit
from vitrail.tasks.visualise_run import GREY, RATES, VIEWS
from vitrail.visualisation import (
    Ascent,
    Goal,
    LabRule,
    distinct_scores,
    fourier,
    goal_scores,
    lab,
    maco,
    natural_spectrum,
    noise,
    render,
)
from vitrail.visualisation.lab import MEAN, STD

REPORTED = (76, 10, 130, 207, 250, 340, 555, 701, 817, 950)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def notebook(network: torch.nn.Module, side: int, target: int, steps: int) -> torch.Tensor:
    """The loop of CS231n's third assignment, rate 5, for one class."""
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
    canvas = fourier(
        (0.01 * torch.randn(1, 3, side, side, generator=seeded(0))).sigmoid().repeat(len(classes), 1, 1, 1)
    )
    climber = torch.optim.Adam([canvas.parameters], lr=0.05)
    for _ in range(steps):
        seen = crop(F.pad(canvas.image(), (12,) * 4, value=0.5), 8, draws)
        scale = 1 + (draws.integers(11) - 5) / 50
        angle = np.deg2rad(draws.choice([*range(-10, 11), *[0] * 5]))
        turn = torch.tensor([[[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]]) / scale
        grid = F.affine_grid(turn.float().expand(len(classes), -1, -1), list(seen.shape), align_corners=False)
        seen = crop(F.grid_sample(seen, grid, align_corners=False), 4, draws)
        seen = F.interpolate(seen, size=(side, side), mode="bilinear")
        loss = -network(seen)[range(len(classes)), classes].sum()
        climber.zero_grad()
        loss.backward()
        climber.step()
    return canvas.image().detach()


def crop(images: torch.Tensor, most: int, draws: np.random.Generator) -> torch.Tensor:
    top, left = draws.integers(0, most, 2)
    height, width = images.shape[2] - most, images.shape[3] - most
    return images[:, :, top : top + height, left : left + width]


def ours(network: torch.nn.Module, method: str, classes: list[int], steps: int) -> torch.Tensor:
    count, size, goals = len(classes), (network.size,) * 2, [Goal(index) for index in classes]
    if method == "lab":
        rule = LabRule(torch.full((count,), RATES["lab"]), torch.full((count,), 1e-3))
        frames = lab(network, goal_scores(goals), noise(count, size, seeded(0)), rule=rule, generator=seeded(1))
    else:
        start = (GREY * torch.randn(1, 3, *size, generator=seeded(0))).sigmoid().repeat(count, 1, 1, 1)
        canvas = maco(count, size, natural_spectrum(), seeded(0)) if method == "maco" else fourier(start)
        ascent = Ascent(RATES[method], VIEWS[method])
        frames = render(network, distinct_scores(goals), canvas, ascent=ascent, generator=seeded(1))
    *_, last = islice(frames, steps)
    return last.images


@contextmanager
def counted(*networks: torch.nn.Module) -> Iterator[list[float]]:
    """Forward passes of whole images, a gradient's way back included."""
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
def figures(images: torch.Tensor, classes: list[int], networks: dict) -> dict[str, object]:
    saved, found = to_unit(to_bytes(images)), {}
    for name, network in networks.items():
        shown = F.interpolate(saved, size=(network.size,) * 2, mode="bilinear", antialias=True)
        chances = network(shown).softmax(dim=1)
        own = chances[range(len(classes)), classes]
        found[name] = {
            "mean": float(own.mean()),
            "median": float(own.median()),
            "least": float(own.min()),
            "top1": int((chances.argmax(dim=1) == torch.tensor(classes)).sum()),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=list(REPORTED))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs for the speed")
    parser.add_argument("--part", choices=("figures", "speed"), default="figures")
    options = parser.parse_args()
    networks = {name: BACKBONES[name]() for name in ("squeezenet", "efficientnet-lite0")}
    plain = networks["squeezenet"]
    quick, usual = optimised_copy(plain), BACKBONES["squeezenet"]().requires_grad_(True)
    classes, steps, document = options.classes, options.steps, {}
    if options.part == "figures":
        makers = {f"ours, {method}": partial(ours, quick, method) for method in ("lab", "fourier", "maco")}
        makers["lucent's loop"] = partial(lucent, plain, plain.size)
        for name, make in makers.items():
            with counted(quick, plain) as passes:
                images = make(classes, steps)
            document[name] = {"F": sum(passes) / len(classes), **figures(images, classes, networks)}
    else:
        runs = {
            "notebook": lambda: notebook(usual, plain.size, classes[0], steps),
            "ours, lab": lambda: ours(quick, "lab", classes, steps),
            "ours, fourier": lambda: ours(quick, "fourier", classes, steps),
        }
        for _ in range(options.rounds):
            for name, run in runs.items():
                started = time.perf_counter()
                images = len(run())
                document.setdefault(name, []).append(round((time.perf_counter() - started) / images, 3))
    about = {"classes": classes, "steps": steps, "part": options.part}
    print(json.dumps({**about, "found": document}, indent=2))


if __name__ == "__main__":
    main()
