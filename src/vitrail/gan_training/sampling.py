"""Images from a generator: each has a seed of its own, and is the same whatever is made along with it."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from vitrail.images import from_signed_range, to_bytes
from vitrail.tensors import Condition, Features, Labels

DrawnLabels = Int[Tensor, "drawn"] | Float[Tensor, "drawn attributes"]

ROWS = 64
"""Images of every forward pass, filled up where fewer are wanted: other numbers are rounded in other ways."""

CALIBRATION_BATCHES = 8  # batches that statistics of batch normalisation are taken from


def latents_of(seed: int, count: int, latent_size: int) -> Features:
    """(count, latent_size) from N(0, 1); row k is what seed + k gives alone."""
    drawn = [torch.randn(latent_size, generator=torch.Generator().manual_seed(seed + row)) for row in range(count)]
    return torch.stack(drawn) if drawn else torch.empty(0, latent_size)


@torch.no_grad()
def generate_images(
    generator: nn.Module, latents: Features, labels: Condition
) -> UInt8[Tensor, "count channels size size"]:
    """The images as 8 bits, on the CPU, from a generator in evaluation mode."""
    device = next(generator.parameters()).device
    made = []
    for part, told in zip(torch.split(latents, ROWS), torch.split(labels, ROWS), strict=True):
        missing = ROWS - len(part)
        filled = torch.cat([part, part[:1].expand(missing, -1)])
        images = generator(filled.to(device), torch.cat([told, told[:1].expand(missing, *told.shape[1:])]).to(device))
        made.append(to_bytes(from_signed_range(images[: len(part)].float())).cpu())
    return torch.cat(made)


def sample_labels(labels: Condition, count: int, seed: int) -> DrawnLabels:
    """`count` of the labels, drawn again and again: as frequent as among the images."""
    draws = torch.Generator().manual_seed(seed)
    return labels[torch.randint(len(labels), (count,), generator=draws)]


def calibration_batches(
    labels: Condition, latent_size: int, device: torch.device
) -> Iterator[tuple[Features, Labels | Features]]:
    """Batches for `average.settle`: random latents under labels as frequent as those given."""
    draws = torch.Generator().manual_seed(0)
    for _ in range(CALIBRATION_BATCHES):
        rows = torch.randint(len(labels), (2 * ROWS,), generator=draws)
        yield torch.randn(2 * ROWS, latent_size, generator=draws).to(device), labels[rows].to(device)
