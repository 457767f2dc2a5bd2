"""Images from a generator. Each has its own seed and is bit-identical in every batch."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from vitrail.images import from_signed_range, to_bytes
from vitrail.tensors import Condition, Features, Labels

DrawnLabels = Int[Tensor, "drawn"] | Float[Tensor, "drawn attributes"]

ROWS = 64
"""Images in every forward pass, padded where there are fewer: results depend on the batch size by rounding."""

CALIBRATION_BATCHES = 8  # for the statistics of batch normalisation


def latents_of(seed: int, count: int, latent_size: int) -> Features:
    """Latents (count, latent_size) from N(0, 1); row k depends on seed + k alone."""
    drawn = [torch.randn(latent_size, generator=torch.Generator().manual_seed(seed + row)) for row in range(count)]
    return torch.stack(drawn) if drawn else torch.empty(0, latent_size)


@torch.no_grad()
def generate_images(
    generator: nn.Module, latents: Features, labels: Condition
) -> UInt8[Tensor, "count channels size size"]:
    """8-bit images on the CPU, from a generator in evaluation mode."""
    device = next(generator.parameters()).device
    parts = []
    for part, condition in zip(torch.split(latents, ROWS), torch.split(labels, ROWS), strict=True):
        missing = ROWS - len(part)
        padded = torch.cat([part, part[:1].expand(missing, -1)])
        conditions = torch.cat([condition, condition[:1].expand(missing, *condition.shape[1:])])
        images = generator(padded.to(device), conditions.to(device))
        parts.append(to_bytes(from_signed_range(images[: len(part)].float())).cpu())
    return torch.cat(parts)


def sample_labels(labels: Condition, count: int, seed: int) -> DrawnLabels:
    """`count` labels, sampled with replacement: as frequent as among the images."""
    draws = torch.Generator().manual_seed(seed)
    return labels[torch.randint(len(labels), (count,), generator=draws)]


def calibration_batches(
    labels: Condition, latent_size: int, device: torch.device
) -> Iterator[tuple[Features, Labels | Features]]:
    """Batches for `recalibrate_batch_norm`: random latents, and labels as frequent as those given."""
    draws = torch.Generator().manual_seed(0)
    for _ in range(CALIBRATION_BATCHES):
        rows = torch.randint(len(labels), (2 * ROWS,), generator=draws)
        yield torch.randn(2 * ROWS, latent_size, generator=draws).to(device), labels[rows].to(device)
