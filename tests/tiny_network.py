"""A network so small that a task on it takes a moment; installed as other packages' networks are."""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from vitrail.backbones.sources import Packaged
from vitrail.backbones.spec import BackboneSpec
from vitrail.preprocessing import Preprocessing

SIZE = 32  # pixels
CLASSES = ("across", "down", "noise", "other")


def network() -> nn.Module:
    """Two convolutions and a layer: images (N, 3, 32, 32) to logits (N, 4)."""
    convolutions = {"first": nn.Conv2d(3, 8, 3, 2), "bend": nn.ReLU(), "second": nn.Conv2d(8, 16, 3, 2)}
    rest = {"features": nn.ReLU(), "pool": nn.AdaptiveAvgPool2d(2), "flat": nn.Flatten(), "last": nn.Linear(64, 4)}
    return nn.Sequential(OrderedDict(**convolutions, **rest))


tiny = BackboneSpec(
    name="tiny",
    preprocessing=Preprocessing(short_side=SIZE, size=SIZE),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    feature_layers=("features",),
    classes=CLASSES,
    network="tiny_network:network",
    source=Packaged("tiny-network", "tiny.safetensors", sha256=""),
)
"""Two convolutions and a layer, for tests."""


def install(folder: Path) -> Path:
    """Makes `folder` what has to be on Python's path for `--backbone tiny`."""
    about = folder / "tiny_network-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Name: tiny-network\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[vitrail.backbones]\ntiny = tiny_network:tiny\n")
    (folder / "tiny_network.py").symlink_to(__file__)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(network().state_dict(), folder / "tiny.safetensors")
    return folder
