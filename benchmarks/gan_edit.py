"""Attribute editing: success by a judge, distance to the original, and what the inversion gains.

    python benchmarks/gan_edit.py celeba64 [--run RUN] [--size 64] [--epochs 8] [--part edits|encoders]

`celeba64` is a folder with `images/` and a table of attributes (`file`, `Male`, `Young`). A generator and its encoders
are trained on it, unless `--run` names a run of `vitrail gan train` on it.

`edits`: for each attribute and each value, 32 held-out images with the other value are edited. Success: the judge,
trained on other real images, sees the new value; beside it, of the images where it did not see it before, as its own
errors are no success; `real`: share of held-out real images with the value in which it sees it. Distance: from original
to edited in SqueezeNet's features, relative to the mean distance between different real images. Error: mean squared
difference of original and reconstruction, intensities in [0, 1]. `encoders`: E_z and E_y trained at this project's
learning rate and at the paper's.
"""

import argparse
import tempfile
from collections import deque
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch

from vitrail.datasets.pixel_data import PixelOptions, TrainAndHeldOut, load_pixel_sets
from vitrail.events import Progress, Result
from vitrail.gan.generator import load
from vitrail.gan_architectures.encoder import Encoder
from vitrail.gan_training import encoding
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.sampling import latents_of
from vitrail.images import to_signed_range, to_unit
from vitrail.run_writer import record
from vitrail.runs import read_run
from vitrail.task import Task
from vitrail.tasks.gan_edit import GanEdit
from vitrail.tasks.gan_train import GanTrain

VARIANTS = {
    "encoder alone": {"inversion_steps": 0, "keep_details": False},
    "inverted": {"keep_details": False},
    "inverted, change added to the image": {},
    "the same, strength 1": {"strength": 1.0},
    "the same, strength 2": {"strength": 2.0},
}


def done(task: Task, name: str, folder: Path) -> dict:
    """Runs a task and gives its result."""
    found: dict = {}
    for event in record(task, name, folder):
        if isinstance(event, Progress) and event.stage == "training" and event.done == event.total:
            print(f"# trained: {event.detail}", flush=True)
        if isinstance(event, Result):
            found = dict(event.values)
    return found


def open_images(root: Path, run: Path) -> TrainAndHeldOut:
    """The images of the run, and those that it kept apart."""
    settings, generator = read_run(run).settings, load(run)
    options = PixelOptions(
        generator.size, attributes=generator.names, held_out=settings["held_out"], seed=settings["seed"]
    )
    return load_pixel_sets(str(root), options)


def edits(root: Path, run: Path, home: Path, count: int) -> None:
    held_out = open_images(root, run).held_out
    heads = f"{'success':>8} {'where not before':>17} {'real':>5} {'distance':>9} {'error':>8}"
    print(f"{'edit':10} {'variant':36} {'n':>3} {heads}")
    for (index, name), value, (variant, options) in product(enumerate(held_out.names), (1, 0), VARIANTS.items()):
        rows = torch.nonzero(held_out.labels[:, index] == (-1 if value else 1))[:count, 0].tolist()
        task = GanEdit(
            generator=run, images=[held_out.files[row] for row in rows], attributes=(f"{name}={value}",), **options
        )
        folder = home / f"{name}{value} {variant}".replace(" ", "_").replace(",", "")
        found = done(task, "gan-edit", folder)
        changed = "{succeeded} of {n}".format_map(found["changed"][name])
        real = found["changed"][name]["judge_accuracy"]
        figures = f"{found['success_rate']:8.2f} {changed:>17} {real:5.2f} {found['identity_ratio']:9.2f}"
        error = found["encoder_error"] if options.get("inversion_steps") == 0 else found["reconstruction_error"]
        print(f"{name}={value:<{9 - len(name)}} {variant:36} {found['n']:3d} {figures} {error:8.4f}", flush=True)


def encoders(root: Path, run: Path, epochs: int) -> None:
    generator = load(run)
    opened = open_images(root, run)
    real = to_signed_range(to_unit(opened.held_out.images))
    latents = latents_of(5_000_000, len(real), generator.latent_size)
    with torch.no_grad():
        images = generator.network(latents, opened.held_out.labels)

    def batches(order: ShuffledBatches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for rows in order:
            yield to_signed_range(to_unit(opened.train.images[rows])), opened.train.labels[rows]

    print(f"{'rate':>8} {'beta1':>6} {'latent error':>13} {'accuracy':>9}")
    for rate, beta1 in ((encoding.RATE, encoding.BETA1), (1e-4, 0.1)):
        encoding.RATE, encoding.BETA1 = rate, beta1
        order = ShuffledBatches(len(opened.train), encoding.BATCH, 0)
        steps = epochs * order.batches_per_epoch
        torch.manual_seed(0)
        about = {"size": generator.size, "channels": real.shape[1]}
        of_latents = Encoder(**about, outputs=generator.latent_size)
        of_attributes = Encoder(**about, outputs=len(generator.names))
        deque(encoding.train_latent_encoder(of_latents, generator.network, opened.train.labels, steps=steps), maxlen=0)
        deque(encoding.train_attribute_encoder(of_attributes, batches(order), steps=steps), maxlen=0)
        with torch.no_grad():
            error = (of_latents(images) - latents).square().mean()
            right = ((of_attributes(real) > 0) == (opened.held_out.labels > 0)).float().mean()
        print(f"{rate:8g} {beta1:6g} {float(error):13.3f} {float(right):9.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, help="run of `vitrail gan train` to take; else one is made")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--architecture", default="auto")
    parser.add_argument("--epochs", type=int, default=8, help="of the training")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--part", choices=("edits", "encoders"), default="edits")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        run = options.run or Path(home, "train")
        if options.run is None:
            task = GanTrain(
                data=str(options.data),
                attributes="Male,Young",
                size=options.size,
                architecture=options.architecture,
                epochs=options.epochs,
                batch=32,
            )
            print("#", done(task, "gan-train", run)["encoder"], flush=True)
        if options.part == "edits":
            edits(options.data, run, Path(home), options.images)
        else:
            encoders(options.data, run, read_run(run).settings["encoder_epochs"])


if __name__ == "__main__":
    main()
