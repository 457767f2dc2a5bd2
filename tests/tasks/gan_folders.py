"""Run folders of `vitrail gan train`, with random generators."""

import numpy as np
import torch
from command import run
from PIL import Image

from vitrail.events import Checkpoint, Weights
from vitrail.files import write_json
from vitrail.gan.networks import build
from vitrail.gan_training.checkpoints import pack
from vitrail.run_writer import environment, write_event
from vitrail.tasks.gan_train import GanTrain

CONDITIONS = {
    "classes": {"names": ["zero", "one", "two"], "attributes": False, "condition": [[0, 5], [1, 3], [2, 2]]},
    "attributes": {
        "names": ["Male", "Young"],
        "attributes": True,
        "condition": [[[-1, -1], 2], [[-1, 1], 5], [[1, 1], 3]],
    },
    "nothing": {"names": [], "attributes": False, "condition": []},
}


def described(kind="classes", architecture="conditional-dcgan", channels=1):
    """A description as in a run folder."""
    count = len(CONDITIONS[kind]["names"])
    arguments = {"size": 16, "channels": channels, "latent_size": 12, "width": 8}
    arguments |= {"generator_classes": count, "discriminator_classes": count}
    return {"architecture": architecture, "arguments": arguments, **CONDITIONS[kind]}


def random_generator(about):
    """A generator with different images: initial weights give grey ones."""
    network = build(about, seed=1).generator.eval()
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point() and "running" not in name:
                value.copy_(torch.randn(value.shape, generator=draws) / max(1, value[0].numel()) ** 0.5)
    return network


def finished(folder, about):
    """The folder of a run that ended."""
    _write_settings(folder)
    tensors = {name: value.numpy() for name, value in random_generator(about).state_dict().items()}
    write_event(Weights("generator", tensors, about, "---\nlibrary_name: vitrail\n---\n\n# Its card\n"), folder)
    return folder


def unfinished(folder, about):
    """The folder of a run with a checkpoint only."""
    _write_settings(folder)
    tensors = {f"ema.{name}": value for name, value in random_generator(about).state_dict().items()}
    name = "step-00000007.safetensors"
    write_event(
        Checkpoint(name, pack(tensors, {"networks": about, "data": about.get("data"), "seed": 0}), (name,)), folder
    )
    return folder


def _write_settings(folder):
    settings = GanTrain(data="digits").model_dump(mode="json")
    write_json(folder / "settings.json", {"task": "gan-train", "settings": settings}, within=None)
    write_json(folder / "environment.json", environment(), within=None)


SIDE = 16


def stripes(rng, bright, across):
    """An image with two attributes: bright, and how its stripes run."""
    wave = 40 * np.sin(np.arange(SIDE) * (1.2 + 0.3 * rng.random()) + 6 * rng.random())
    grey = (180 if bright else 75) + np.tile(wave, (SIDE, 1)) + rng.normal(0, 4, (SIDE, SIDE))
    grey = grey.T if across else grey
    return Image.fromarray(np.stack([grey, 0.8 * grey, 0.6 * grey], axis=2).clip(0, 255).astype(np.uint8))


def images_with_attributes(folder):
    """64 images in `folder/images`, and their table."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = ["file,bright,across"]
    for index in range(64):
        bright, across = index % 2, index // 2 % 2
        stripes(rng, bright, across).save(folder / "images" / f"{index:02d}.png")
        lines.append(f"{index:02d}.png,{bright},{across}")
    (folder / "labels.csv").write_text("\n".join(lines))


def trained_on_attributes(root, size=16):
    """In `root`: `data/`, images and a table; `run/`, a generator and encoders trained on them; `cache/`."""
    images_with_attributes(root / "data")
    options = ("--size", size, "--epochs", 2, "--batch", 16, "--width", 4, "--latent-size", 8, "--encoder-epochs", 2)
    options += ("--eval-samples", 8, "--final-eval-samples", 8, "--held-out", 0.25, "--no-autotune")
    done = run("gan", "train", root / "data", *options, "--run", root / "run", "--cache", root / "cache")
    assert done.exit_code == 0, done.output
    return root
