"""Encoder of images to latents or attributes (IcGAN; Perarnau et al., 2016, https://arxiv.org/abs/1611.06355)."""

from jaxtyping import Float
from torch import Tensor, nn

from vitrail.tensors import SignedImages

HIDDEN = 512  # units of the hidden layer


class Encoder(nn.Module):
    """Four strided 5x5 convolutions, each twice as wide as the one before, and two linear layers.

    Both of the paper's encoders: E_z gives a generator's latents, E_y logits of attributes.

    Args:
        size: side of the images in pixels; any.
        outputs: number of outputs.
        width: channels of the first convolution; 32 in the paper.
    """

    def __init__(self, *, size: int, channels: int, outputs: int, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, side = channels, size
        for wide in (width, 2 * width, 4 * width, 8 * width):
            layers += [nn.Conv2d(before, wide, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            before, side = wide, (side + 1) // 2
        layers += [nn.Flatten(), nn.Linear(before * side**2, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(HIDDEN, outputs))

    def forward(self, images: SignedImages) -> Float[Tensor, "batch outputs"]:
        """Latents or logits of images in [-1, 1], (N, outputs)."""
        outputs: Tensor = self.layers(images)
        return outputs
