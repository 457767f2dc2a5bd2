"""Networks in whose features generated images are compared with real ones."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from vitrail import files
from vitrail.backbones.network import Network
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.events import Event, Progress
from vitrail.images import to_rgb, to_unit
from vitrail.metrics.sample_classifier import SampleClassifier, agreement, train_classifier
from vitrail.tasks.gan_inception import PREFIX, open_inception
from vitrail.transfer.classifier import open_network

RECIPE = 2  # raised when a judge is made in another way: those in the cache are then not used
ROWS = 32


class Reader(Protocol):
    """Something that has features.

    Attributes:
        name, weights_sha256: as figures name it.
        dimension: of its features.
        most: training images it can read in a reasonable time.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def weights_sha256(self) -> str:
        """See above."""

    @property
    def dimension(self) -> int:
        """See above."""

    @property
    def most(self) -> int:
        """See above."""

    def features(self, pixels: Tensor) -> Tensor:
        """(N, dimension) of 8-bit images (N, C, S, S)."""
        ...


@dataclass
class JudgeReader:
    """A small network that has learned the real images.

    Attributes:
        accuracy: on held-out images; of attributes, the mean over all.
        per_name: of each class or attribute.
    """

    judge: SampleClassifier
    weights_sha256: str
    accuracy: float
    per_name: dict[str, float]
    n: int
    name: str = "judge"
    dimension: int = SampleClassifier.dimension
    most: int = 60_000

    def features(self, pixels: Tensor) -> Tensor:
        """See `Reader`."""
        return self.judge.look(pixels)[0]

    def figures(self) -> dict[str, Any]:
        """As `result.json` has it."""
        found: dict[str, Any] = {"accuracy": self.accuracy, "n": self.n, "sha256": self.weights_sha256}
        return found | {"per_name": self.per_name}


@dataclass
class BackboneReader:
    """A pretrained network, its images brought to its size."""

    network: Network
    most: int = 2_000

    @property
    def name(self) -> str:
        """Of the network."""
        return self.network.name

    @property
    def weights_sha256(self) -> str:
        """Of its weights."""
        return str(self.network.identity["sha256"])

    @property
    def dimension(self) -> int:
        """Of its last features."""
        size = self.network.reference.size
        return self.features(torch.zeros(1, 1, size, size, dtype=torch.uint8)).shape[1]

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """See `Reader`."""
        backbone, layer = self.network.fast, self.network.reference.feature_layers[-1]
        size, found = self.network.reference.size, []
        for part in torch.split(pixels, ROWS):
            images = to_unit(to_rgb(part)).to(backbone.mean.device)
            images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
            found.append(backbone.features(images, (layer,))[layer].cpu())
        return torch.cat(found)


def open_reader(
    name: str, train: PixelSet, held_out: PixelSet, *, seed: int, device: str, cache: Path
) -> Generator[Event, None, Reader]:
    """The judge of these images, made or taken from the cache; or the network called `name`.

    Args:
        name: "judge", "auto" (the judge where there are labels, else EfficientNet-Lite0), a backbone, or
            "inception:FILE" with the weights of the FID's network.
    Raises:
        BadSetting: a judge of images without labels; no such weights.
        UnknownName, MissingWeights: as `open_network`.
    """
    if name == "auto":
        name = "judge" if train.names else "efficientnet-lite0"
    if name.startswith(PREFIX):
        return open_inception(Path(name.removeprefix(PREFIX)), device=device)
    if name != "judge":
        return BackboneReader(open_network(name, device=device))
    if not train.names:
        raise BadSetting("A judge learns from labels, which these images have not; --measure squeezenet would work.")
    judge, sha = yield from judge_of(train, seed=seed, device=device, cache=cache)
    return judged(judge, sha, held_out)


def judged(judge: SampleClassifier, sha: str, held_out: PixelSet) -> JudgeReader:
    """The judge with its own accuracy on images it has not seen."""
    _, logits = judge.look(held_out.images)
    right = agreement(logits, held_out.labels).float()
    if held_out.has_attributes:
        each = right.mean(dim=0).tolist()
    else:
        each = [float(right[held_out.labels == label].mean()) for label in range(len(held_out.names))]
    per_name = {name: value for name, value in zip(held_out.names, each, strict=True) if value == value}
    return JudgeReader(judge, sha, float(right.mean()), per_name, len(held_out))


def judge_of(
    train: PixelSet, *, seed: int, device: str, cache: Path | None, part: str = "judge"
) -> Generator[Event, None, tuple[SampleClassifier, str]]:
    """A judge that has learned `train`, and the sha256 of its weights."""
    file = None
    if cache is not None:
        key = sha256(f"{RECIPE} {train.sha256} {seed}".encode()).hexdigest()[:32]
        file = cache / f"{key}.safetensors"
    data = _read(file)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = SampleClassifier(size=train.size, channels=train.channels, names=len(train.names)).to(device)
        if data is None:
            shown = 0
            for share in train_classifier(judge, train.images, train.labels, seed=seed):
                if int(100 * share) > shown:
                    shown = int(100 * share)
                    yield Progress(part, shown, 100, unit="%")
            data = save({name: value.cpu().contiguous() for name, value in judge.state_dict().items()})
            if file is not None:
                files.write_bytes(file, data)
        # A new one in either case: learning leaves weights in another layout, and layouts round differently.
        judge = SampleClassifier(size=train.size, channels=train.channels, names=len(train.names)).to(device)
    judge.load_state_dict(load(data))
    return judge.eval(), sha256(data).hexdigest()


def _read(file: Path | None) -> bytes | None:
    """A judge from the cache, if there is a whole one."""
    if file is None or not file.is_file():
        return None
    try:
        data = file.read_bytes()
        load(data)
    except (OSError, SafetensorError):
        return None
    return data
