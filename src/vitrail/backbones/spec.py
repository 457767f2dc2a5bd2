"""What is known of a pretrained network before torch is imported, and how it is built."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.backbones.description import Description
from vitrail.backbones.sources import Source, file_sha256

if TYPE_CHECKING:
    import torch

    from vitrail.backbones.backbone import Backbone


@dataclass(frozen=True, kw_only=True)
class BackboneSpec(Description):
    """An entry of `BACKBONES`: called, it gives the network with its weights.

    Args:
        network: `"module:callable"` that gives the network without weights.
        source: where the weights are if the user names no file.
        translate: `"module:callable"` that turns the tensors of the weights file into the network's state.
    """

    network: str
    source: Source
    translate: str = ""

    def __call__(self, weights: Path | None = None) -> "Backbone":
        """The network, in evaluation mode, its weights frozen.

        Looks for weights in this order: `weights`, an installed package or the download cache, the network.

        Raises:
            MissingWeights: the weights are not on this machine, and cannot be had from elsewhere.
            BadWeights: the file is damaged, or of another network.
        """
        from vitrail.backbones.backbone import Backbone
        from vitrail.backbones.weights import assemble, read_state

        path = weights or self.source.find() or self.source.fetch(self.name)
        sha256 = file_sha256(path)
        if weights is None:
            self.source.check(path, sha256)
        state = read_state(path)
        if self.translate:
            state = _imported(self.translate)(state)
        return Backbone(assemble(self.build, state, owner=self.name, path=path), self, weights_sha256=sha256)

    def for_own_names(self) -> "BackboneSpec":
        """The same for weights files that name tensors as the network does, such as we write."""
        return replace(self, translate="")

    def build(self) -> "torch.nn.Module":
        """The network without weights, on torch's default device."""
        network: torch.nn.Module = _imported(self.network)()
        return network

    def weights_path(self, weights: Path | None = None) -> Path | None:
        """The file that a call would read, or None if it would have to be downloaded."""
        return weights or self.source.find()

    def weights_sha256(self, weights: Path | None = None) -> str | None:
        """The checksum of that file: which weights these are, whatever the file is called.

        Raises:
            MissingWeights: there is no file `weights`.
        """
        path = self.weights_path(weights)
        return None if path is None else file_sha256(path)


def _imported(place: str) -> Any:
    """The object at `"module:attribute"`."""
    module, attribute = place.split(":")
    return getattr(import_module(module), attribute)
