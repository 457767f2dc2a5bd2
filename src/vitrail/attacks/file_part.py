"""Image files that are attacked at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.file_result import AttackPreview
from vitrail.image_ascent import NetworkTraffic
from vitrail.images import to_hwc
from vitrail.tensors import Images, Pixels


@dataclass
class FilePart:
    """Files of one size, and what their attack works on once it has begun.

    Attributes:
        pixels: (N, 3, H, W) uint8, as decoded.
        memory: bytes that the attack may take.
        alone: whether nothing else is attacked meanwhile.
        images: (N', 3, h, w), of those that are attacked, or their block means.
        criterion: of these.
    """

    files: list[Path]
    pixels: Pixels = field(repr=False)
    memory: int
    alone: bool
    images: Images | None = field(default=None, repr=False)
    criterion: Criterion | None = field(default=None, repr=False)

    def previews(self, traffic: NetworkTraffic) -> Iterator[AttackPreview]:
        """A single image as it is now."""
        if self.images is None or self.criterion is None or len(self.images) > 1:
            return
        targets = self.criterion.targets
        index = int(self.criterion.labels[0] if targets is None else targets[0])
        probability = float(traffic.logits[0].softmax(dim=0)[index])
        clean, now = to_hwc(self.images[0]), to_hwc(traffic.images[0])
        yield AttackPreview(clean, now, traffic.passes, probability, targets is not None)
