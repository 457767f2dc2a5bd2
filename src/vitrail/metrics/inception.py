"""The Inception network of the FID, from a weights file that the user provides."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from vitrail.backbones.sources import file_sha256
from vitrail.errors import BadSetting, MissingExtra, one_line
from vitrail.image_files import display_name
from vitrail.images import to_rgb
from vitrail.reading import check_regular

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth of github.com/toshas/torch-fidelity, release v0.2.0"
ROWS = 32  # images per forward pass


@dataclass(frozen=True)
class InceptionFeatures:
    """The Inception network of 2015 as in torchmetrics and torch-fidelity, with TensorFlow's resizing.

    A `FeatureExtractor`.
    """

    network: Any
    weights_sha256: str
    device: str
    name: str = "inception"
    dimension: int = 2048
    max_images: int = 2_000

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """See `FeatureExtractor`."""
        parts = torch.split(pixels, ROWS)
        return torch.cat([self.network(to_rgb(part).to(self.device)).cpu() for part in parts])


def open_inception(file: Path, *, device: str) -> InceptionFeatures:
    """The network with the weights in `file`.

    Raises:
        MissingExtra: torchmetrics or torch-fidelity is not installed.
        BadSetting: there is no such file, or it holds something else.
    """
    if not all(map(find_spec, ("torchmetrics", "torch_fidelity"))):
        raise MissingExtra("The Inception network of the FID needs torchmetrics. Use `pip install 'vitrail[fid]'`.")
    from torchmetrics.image.fid import NoTrainInceptionV3

    if not file.is_file():
        raise BadSetting(f"The Inception weights '{display_name(file)}' do not exist. Use {WEIGHTS}.")
    try:
        # torch-fidelity unpickles the file without restrictions: loading it safely first refuses any other content.
        torch.load(check_regular(file), map_location="cpu", weights_only=True)
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(file), antialias=False)
    except (UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError, KeyError) as error:
        reason = one_line(error)[:120]
        raise BadSetting(
            f"'{display_name(file)}' does not contain Inception weights ({reason}). Use {WEIGHTS}."
        ) from None
    return InceptionFeatures(network.to(device), file_sha256(file), device)
