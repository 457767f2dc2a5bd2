"""Any of the networks of timm (https://github.com/huggingface/pytorch-image-models): `timm:NAME`.

Its own word decides on images, weights and layers: the last stages it offers as features, and `pre_logits`, what
goes into the classifier, which every network of timm has, whatever its body looks like.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vitrail.backbones.sources import Online
from vitrail.backbones.spec import BackboneSpec
from vitrail.errors import MissingExtra, MissingWeights, UnknownName
from vitrail.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Hub:
    """A file of the Hugging Face hub, kept in its own cache."""

    repository: str
    file: str = "model.safetensors"

    def find(self) -> Path | None:
        """The file in the hub's cache, or None."""
        from huggingface_hub import try_to_load_from_cache

        path = try_to_load_from_cache(self.repository, self.file)
        return Path(path) if isinstance(path, str) else None

    def fetch(self, owner: str) -> Path:
        """Downloads the file into the hub's cache."""
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(self.repository, self.file))
        except Exception as error:  # its HTTP library's errors change from version to version
            raise MissingWeights(
                f"The weights of {owner!r} are not on this machine and {self.repository} on the Hugging Face hub "
                f"cannot be reached ({type(error).__name__}): name a file with --weights FILE."
            ) from error

    def check(self, path: Path, sha256: str) -> None:
        """Nothing to hold it against: the hub checked the file when it was downloaded."""


class _TimmRecipe(BackboneSpec):
    """A recipe whose network timm builds."""

    def build(self) -> "torch.nn.Module":
        """The network without weights."""
        network: torch.nn.Module = _timm().create_model(self.name.partition(":")[2], pretrained=False)
        return network


def timm_spec(name: str) -> BackboneSpec:
    """Any network of timm (https://github.com/huggingface/pytorch-image-models), by its name there.

    Raises:
        MissingExtra: timm is not installed.
        UnknownName: timm has no such network, or no ImageNet weights for it.
    """
    timm = _timm()
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None:
        near = get_close_matches(name, timm.list_models(), n=3)
        raise UnknownName(f"timm has no network {name!r}; it has {', '.join(near) or 'those of timm.list_models()'}.")
    size, layer_names = config.input_size[-1], _layer_names(timm, name)
    return _TimmRecipe(
        name=f"timm:{name}",
        network="timm:create_model",
        source=Hub(config.hf_hub_id) if config.hf_hub_id else Online(config.url or ""),
        preprocessing=Preprocessing(
            short_side=int(size / config.crop_pct),
            size=size,
            interpolation="bicubic" if config.interpolation == "bicubic" else "bilinear",
        ),
        mean=config.mean,
        std=config.std,
        layer_names=layer_names,
        feature_layers=tuple(layer_names)[-3:],
        classes=None if config.num_classes == 1000 else tuple(map(str, range(config.num_classes))),
        licence=f"{config.license or 'not stated'} (as timm states it).",
    )


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise MissingExtra(
            'Backbones timm:NAME need timm, which is not installed: `pip install "vitrail[timm]"`.'
        ) from error
    return timm


def _layer_names(timm: Any, name: str) -> dict[str, str]:
    """The stages that timm itself offers as features, and what goes into the classifier."""
    import torch

    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False)
    stages = [stage["module"] for stage in getattr(network, "feature_info", [])]
    paths = dict(network.named_modules())
    classifier = network.get_classifier()
    head = next(path for path, module in paths.items() if module is classifier)
    return {stage: stage for stage in stages if stage in paths} | {"pre_logits": f"{head}:input"}
