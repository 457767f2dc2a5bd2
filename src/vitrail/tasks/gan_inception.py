"""The Inception network of the FID, from a file of its weights, which somebody has to bring."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from vitrail.backbones.sources import file_sha256
from vitrail.errors import BadSetting, MissingExtra
from vitrail.images import to_rgb

PREFIX = "inception:"
WHERE = "weights-inception-2015-12-05-6726825d.pth of github.com/toshas/torch-fidelity, release v0.2.0"
ROWS = 32


@dataclass(frozen=True)
class InceptionReader:
    """The network of 2015 as torchmetrics and torch-fidelity have it, images resized as TensorFlow did."""

    network: Any
    weights_sha256: str
    device: str
    name: str = "inception"
    dimension: int = 2048
    most: int = 2_000

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """See `Reader`."""
        parts = torch.split(pixels, ROWS)
        return torch.cat([self.network(to_rgb(part).to(self.device)).cpu() for part in parts])


def open_inception(file: Path, *, device: str) -> InceptionReader:
    """The network with the weights in `file`.

    Raises:
        MissingExtra: torchmetrics or torch-fidelity is not installed.
        BadSetting: there is no such file, or it holds something else.
    """
    if not all(map(find_spec, ("torchmetrics", "torch_fidelity"))):
        raise MissingExtra("The FID's network needs torchmetrics; run `pip install 'vitrail[fid]'`.")
    from torchmetrics.image.fid import NoTrainInceptionV3

    if not file.is_file():
        raise BadSetting(f"There are no Inception weights at '{file}'; a file as {WHERE} would work.")
    try:
        # They load it as a pickle that may do anything; what this has loaded before does nothing.
        torch.load(file, map_location="cpu", weights_only=True)
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(file), antialias=False)
    except (UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BadSetting(f"'{file}' holds no Inception weights ({reason}); {WHERE} would work.") from None
    return InceptionReader(network.to(device), file_sha256(file), device)
