"""A small classifier of the real images: it judges the labels of samples, and its features serve as a feature space.

Label agreement with this classifier is the GAN-test score of Shmelkov et al., 2018, https://arxiv.org/abs/1807.09499.
The accuracy on real images of one trained on samples is their GAN-train score.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vitrail.errors import BadSetting
from vitrail.images import to_unit
from vitrail.tensors import Condition, Features, Logits
from vitrail.validation import check_count, describe

BATCH = 128
ROWS = 512  # images per forward pass at inference
SLOPE = 0.1  # of the leaky ReLU: of 128 features with ReLU, two attributes left 90 constant
FEWEST, MOST, TIMES = 3, 60_000, 30
"""Training: 30 epochs, at most 60,000 images in all, and at least three epochs."""
ROTATION_WEIGHT = 0.5  # of the loss of recognising rotations, of half as many images


class SampleClassifier(nn.Module):
    """Three convolutions and two linear layers; grey or colour images of any side from 8 pixels.

    Args:
        size: side of the images.
        channels: of the images, 1 or 3.
        names: number of classes or attributes.

    Raises:
        BadSetting: images of fewer than 8 pixels, no channel or no name.
    """

    dimension = 128

    def __init__(self, *, size: int, channels: int, names: int) -> None:
        check_count("size", size, least=8)
        check_count("channels", channels)
        check_count("names", names)
        super().__init__()
        self.input_shape = (channels, size, size)
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(SLOPE), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.LeakyReLU(SLOPE), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(SLOPE), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * (size // 8) ** 2, self.dimension), nn.LeakyReLU(SLOPE),
        )  # fmt: skip
        self.last = nn.Linear(self.dimension, names)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Logits:
        """Logits (N, names) of images in [0, 1].

        Raises:
            BadSetting: images of another size or type.
        """
        self._check("images", images, whole=False)
        logits: Logits = self.last(self.body(images - 0.5))
        return logits

    @torch.no_grad()
    def features_and_logits(self, pixels: UInt8[Tensor, "batch channels height width"]) -> tuple[Features, Logits]:
        """Features (N, 128) and logits (N, names) of 8-bit images, on the CPU; in evaluation mode.

        Raises:
            BadSetting: images of another size or type.
        """
        self._check("pixels", pixels, whole=True)
        self.eval()
        device = self.last.weight.device
        features = [self.body(to_unit(part.to(device)) - 0.5).cpu() for part in torch.split(pixels, ROWS)]
        whole = torch.cat(features)
        return whole, self.logits(whole)

    @torch.no_grad()
    def logits(self, features: Features) -> Logits:
        """Logits (N, names) of features (N, 128), on the CPU."""
        device = self.last.weight.device
        return torch.cat([self.last(part.to(device)).cpu() for part in torch.split(features, ROWS)])

    def _check(self, name: str, images: Any, *, whole: bool) -> None:
        """Raises `BadSetting` unless `images` are of the classifier's size, as 8-bit ones or as floats."""
        right = isinstance(images, Tensor) and tuple(images.shape[1:]) == self.input_shape
        if not right or (images.dtype != torch.uint8 if whole else not images.is_floating_point()):
            wanted = f"(N, {', '.join(map(str, self.input_shape))}) of {'uint8' if whole else 'floats in [0, 1]'}"
            raise BadSetting(f"{name} must be a tensor {wanted}; got {describe(images)}.")


def train_classifier(
    classifier: SampleClassifier, pixels: UInt8[Tensor, "count channels height width"], labels: Condition, *, seed: int
) -> Iterator[float]:
    """Trains the classifier in place, on its device; yields the completed fraction.

    Images are translated by up to a sixteenth of their side. The one-cycle learning rate ends at 0, so that no epoch
    has to be selected. Images with and without an attribute have the same total weight, so that rare attributes count.
    A few attributes teach features too little: what is sharp, they need not see. So with attributes the features also
    learn by how many right angles an image was rotated (Gidaris et al., 2018, https://arxiv.org/abs/1803.07728).

    Args:
        labels: classes (N,), or attributes (N, A) of -1 and 1.
    """
    draws = torch.Generator().manual_seed(seed)
    batch = min(BATCH, max(1, len(pixels) // 20))
    images_seen = max(FEWEST * len(pixels), min(TIMES * len(pixels), MOST))
    steps = max(1, images_seen // batch)
    classifier.to(memory_format=torch.channels_last).train()
    device = classifier.last.weight.device
    rotations = nn.Linear(classifier.dimension, 4).to(device) if labels.ndim == 2 else None
    parameters = [*classifier.parameters(), *([] if rotations is None else rotations.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.2)
    weight = _positive_weights(labels).to(device)
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(len(pixels), generator=draws)])
        rows, order = order[:batch], order[batch:]
        images = _shifted(to_unit(pixels[rows]), draws).to(device, memory_format=torch.channels_last)
        loss = _loss(classifier, rotations, images, labels[rows].to(device), weight)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        yield (step + 1) / steps
    classifier.eval()


def agreement(logits: Logits, labels: Condition) -> Tensor:
    """Whether predictions equal the labels: (N,) for classes, (N, A) for attributes; boolean."""
    return logits.argmax(dim=1) == labels if labels.ndim == 1 else (logits > 0) == (labels > 0)


def _positive_weights(labels: Condition) -> Tensor:
    """Images without each attribute per image with it, (A,)."""
    frequency = (labels > 0).float().mean(dim=0).clamp(1 / len(labels), 1 - 1 / len(labels))
    return (1 - frequency) / frequency


def _loss(
    classifier: SampleClassifier, rotations: nn.Module | None, images: Tensor, labels: Condition, weight: Tensor
) -> Tensor:
    if rotations is None:
        return F.cross_entropy(classifier(images), labels)
    rotated, turns = _rotated(images[: (len(images) + 1) // 2])
    features = classifier.body(torch.cat([images, rotated]) - 0.5)
    logits, of_rotated = classifier.last(features[: len(images)]), rotations(features[len(images) :])
    loss = F.binary_cross_entropy_with_logits(logits, (labels > 0).to(logits), pos_weight=weight)
    return loss + ROTATION_WEIGHT * F.cross_entropy(of_rotated, turns)


def _rotated(images: Tensor) -> tuple[Tensor, Tensor]:
    """A quarter of them rotated by 0, 1, 2 and 3 right angles each; and by how many, (N,)."""
    parts = [torch.rot90(part, turns, (2, 3)) for turns, part in enumerate(images.chunk(4))]
    turns = [torch.full((len(part),), turns, device=images.device) for turns, part in enumerate(parts)]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last), torch.cat(turns)


def _shifted(images: Tensor, draws: torch.Generator) -> Tensor:
    """The whole batch translated alike: one draw per batch is enough over many batches."""
    reach = images.shape[3] // 16
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    top, left = torch.randint(2 * reach + 1, (2,), generator=draws).tolist()
    return padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]
