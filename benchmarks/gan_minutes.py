"""What GANs reach after so many minutes of training: distances in the features of a network that no discriminator saw.

    python benchmarks/gan_minutes.py FOLDER --minutes 1 5 10 --entry projected pytorch-examples --seed 0 1 2

FOLDER is whatever `gan train` takes. Each entry trains from nothing; building the networks counts, images, metrics and
sheets do not. Samples are drawn from the moving average of the weights, except those of pytorch/examples' DCGAN, which
has none. `--clock cpu` counts the process's own CPU time, divided by `--cores`: beside another program of one thread, a
run of one thread takes 20 minutes for what is 10 minutes of two cores. Beside the metrics stand those of as many
held-out images, and the blur of real images that is as far away. `--sheets FOLDER` stores 64 samples of each, to be
looked at. One JSON document a line on stdout, one for each entry, seed and minute. Samples of other programs join the
table by `vitrail gan evaluate SAMPLES --against FOLDER --feature-extractor squeezenet`.
"""

import argparse
import copy
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitrail.datasets.pixel_data import PixelOptions, load_pixel_sets
from vitrail.datasets.pixels import PixelSet
from vitrail.files import write_bytes
from vitrail.gan.extractors import open_extractors
from vitrail.gan.networks import NetworkOptions, condition_table, describe, initialise, resolve_options
from vitrail.gan.options import default_options
from vitrail.gan_training.ema import recalibrate_batch_norm
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.sampling import calibration_batches, generate_images, latents_of
from vitrail.gan_training.state import GanState, OptimizerOptions, TrainingOptions
from vitrail.gan_training.steps import train_steps
from vitrail.images import to_signed_range, to_unit
from vitrail.metrics.sample_evaluation import SampleEvaluation
from vitrail.plots import grid
from vitrail.plots.encode import encode_png
from vitrail.settings import cache_folder

SHEET = 8  # samples a side
FIRST_LATENTS = 1_000_000


@dataclass(frozen=True)
class Entry:
    """How a pair is trained.

    Attributes:
        options: None: what suits the architecture.
        averaged: whether samples are drawn from the moving average of the weights.
        tuned: whether the fastest equivalent training mode is looked for, which takes two seconds of its time.
    """

    architecture: str
    options: TrainingOptions | None = None
    batch: int = 64
    averaged: bool = True
    tuned: bool = True


def dcgan(*, d_rate: float = 2e-4, d_updates: int = 1, **changed: Any) -> Entry:
    """A DCGAN with another setting."""
    discriminator = OptimizerOptions(updates=d_updates, learning_rate=d_rate)
    return Entry("dcgan", TrainingOptions(discriminator=discriminator, **changed))


R3GAN = TrainingOptions(
    loss="relativistic",
    generator=OptimizerOptions(beta1=0.0, beta2=0.99),
    discriminator=OptimizerOptions(beta1=0.0, beta2=0.99),
)
ENTRIES = {
    "projected": Entry("projected", batch=32),
    "projected, batch 64": Entry("projected", batch=64),
    "pytorch-examples": replace(dcgan(), averaged=False, tuned=False),
    "dcgan": dcgan(),
    "dcgan, D's rate / 2": dcgan(d_rate=1e-4),
    "dcgan, D's rate / 4": dcgan(d_rate=5e-5),
    "dcgan, five updates of D": dcgan(d_updates=5),
    "dcgan, DiffAugment": dcgan(diffaugment=True),
    "dcgan, label smoothing": dcgan(label_smoothing=0.1),
    "r3gan": Entry("residual", R3GAN),
}


class Stopwatch:
    """Time that counts: between `start` and `stop`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.total, self.since = clock, 0.0, 0.0

    def start(self) -> None:
        """From here on time counts."""
        self.since = self.clock()

    def stop(self) -> None:
        """Up to here."""
        self.total += self.clock() - self.since


def batches(train: PixelSet, order: ShuffledBatches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images in [-1, 1] and labels, without end."""
    for rows in order:
        yield to_signed_range(to_unit(train.images[rows])), train.labels[rows]


def generator_of(state: GanState, entry: Entry, description: dict[str, Any]) -> nn.Module:
    """A copy of the generator to sample from."""
    network = copy.deepcopy(state.ema.network if entry.averaged else state.generator).eval()
    labels = condition_table(description)
    recalibrate_batch_norm(network, calibration_batches(labels, state.latent_size, torch.device("cpu")))
    return network


def run(
    name: str, given: argparse.Namespace, train: PixelSet, evaluation: SampleEvaluation, seed: int
) -> Iterator[dict[str, Any]]:
    """Trains an entry; yields what it reached after each of the minutes."""
    entry = ENTRIES[name]
    clock = (lambda: time.process_time() / given.cores) if given.clock == "cpu" else time.perf_counter
    watch = Stopwatch(clock)
    watch.start()
    description = describe(train, NetworkOptions(architecture=entry.architecture, conditional=given.conditional))
    options = resolve_options(entry.options or default_options(entry.architecture), description)
    torch.manual_seed(seed)
    order = ShuffledBatches(len(train), entry.batch, seed)
    first = next(batches(train, ShuffledBatches(len(train), entry.batch, seed)))
    state, mode = initialise(description, options, first, seed=seed, tune=entry.tuned)
    beliefs: list[dict[str, float]] = []
    minutes = sorted(given.minutes)
    for step in train_steps(state, batches(train, order)):
        if step.index <= 50:
            beliefs.append(step.values())
        if watch.total + clock() - watch.since < 60 * minutes[0]:
            continue
        watch.stop()
        network = generator_of(state, entry, description)
        latents = latents_of(FIRST_LATENTS, evaluation.count, state.latent_size)
        pixels = generate_images(network, latents, evaluation.labels)
        metrics = evaluation.measure(pixels, evaluation.labels, conditional=bool(description["names"]))
        if given.sheets:
            rows = pixels[: SHEET**2].permute(0, 2, 3, 1).numpy()
            sheet = grid({"": rows.reshape(SHEET, SHEET, *rows.shape[1:])}, [""] * SHEET)
            file = f"{name.replace(' ', '-').replace('/', 'by').replace(',', '')}-{seed}-{minutes[0]:g}.png"
            write_bytes(given.sheets / file, encode_png(sheet), within=given.sheets)
        yield {
            "entry": name,
            "seed": seed,
            "minutes": minutes.pop(0),
            "clock": given.clock,
            "cores": given.cores,
            "threads": torch.get_num_threads(),
            "mode": mode["mode"],
            "steps": state.steps,
            "images": state.steps * entry.batch,
            "metrics": evaluation.entries(metrics),
            "scale": None if metrics.scale is None else vars(metrics.scale),
            "label_agreement": metrics.label_agreement,
            "d_fake_after_g_in_the_first_50_steps": sum(each["d_fake_after_g"] for each in beliefs) / len(beliefs),
        }
        if not minutes:
            return
        watch.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 5, 10])
    parser.add_argument("--entry", nargs="+", choices=ENTRIES, default=["projected", "pytorch-examples"])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--samples", type=int, default=800)
    parser.add_argument("--extractor", default="squeezenet")
    parser.add_argument("--conditional", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--cores", type=int, default=torch.get_num_threads())
    parser.add_argument("--sheets", type=Path)
    given = parser.parse_args()
    opened = load_pixel_sets(given.folder, PixelOptions(size=given.size))
    train, held_out = opened.train, opened.held_out
    steps = open_extractors(given.extractor, train, held_out, seed=0, device="cpu", cache=cache_folder().parent)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            extractors = ended.value
            break
    evaluation = extractors.evaluation(train, held_out, count=given.samples, seed=0, by_class=given.conditional)
    machine = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}
    print(json.dumps({"data": opened.card(given.folder).line(), **machine, "baselines": evaluation.baselines}))
    for seed in given.seed:
        for name in given.entry:
            for reached in run(name, given, train, evaluation, seed):
                print(json.dumps(reached), flush=True)


if __name__ == "__main__":
    main()
