"""A classifier made by `vitrail transfer` as one differentiable network, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, field_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from vitrail.backbones import BACKBONES
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.description import Description
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.backbones.network import Network
from vitrail.backbones.sources import file_sha256
from vitrail.backbones.spec import BackboneSpec
from vitrail.devices import choose_device
from vitrail.errors import BadRun, UnknownName, one_line
from vitrail.image_files import display_name
from vitrail.preprocessing import Preprocessing
from vitrail.reading import LIMITS, check_regular, read_json, refuse_links
from vitrail.settings import parse_model
from vitrail.transfer.head import LinearHead, check_width, unpack_head
from vitrail.transfer.scaling import Scaling
from vitrail.validation import check_path


class Classifier(nn.Module):
    """Backbones, feature scaling and a linear head as one differentiable module.

    Args:
        members: the networks, each with the layers whose features are used.
        scaling: of the features; see `vitrail.transfer.scaling`.
        flip: whether features are averaged with those of the mirror image.
    """

    def __init__(
        self, members: Sequence[tuple[Backbone, Sequence[str]]], head: LinearHead, *, scaling: str, flip: bool
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(backbone for backbone, _ in members)
        self.member_layers = [tuple(layers) for _, layers in members]
        self.scaling, self.flip = scaling, flip
        self.linear = linear_layer(head)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, 3, S, S) in [0, 1]."""
        features = torch.cat(self._blocks(images), dim=1)
        check_width(features.shape[1], self.linear.in_features)
        logits: Tensor = self.linear(features)
        return logits

    def _blocks(self, images: Tensor) -> list[Tensor]:
        blocks = []
        for member, layers in zip(self.members, self.member_layers, strict=True):
            assert isinstance(member, Backbone)
            inputs = fit_to_size(images, member.preprocessing)
            features = member.features(inputs, layers)
            if self.flip:
                mirrored = member.features(inputs.flip(3), layers)
                features = {layer: (features[layer] + mirrored[layer]) / 2 for layer in layers}
            blocks += [self._scaled(features[layer]) for layer in layers]
        return blocks

    def _scaled(self, block: Tensor) -> Tensor:
        if self.scaling == "none":
            return block
        if self.scaling == "square-root":
            # The derivative of a square root is infinite at 0; the bound keeps gradients finite.
            block = block.sign() * block.abs().clamp_min(1e-12).sqrt()
        return F.normalize(block, dim=1)


def linear_layer(head: LinearHead) -> nn.Linear:
    """The head as a layer: scaled features (N, D) to calibrated logits (N, K)."""
    layer = nn.Linear(head.weights.shape[1], len(head.weights))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.logit_scale * head.weights))
        layer.bias.copy_(torch.from_numpy(head.logit_scale * head.intercept))
    return layer


def fit_to_size(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Images cropped to the network's input size; resized first only if their short side differs."""
    if min(images.shape[2:]) != preprocessing.short_side and min(images.shape[2:]) != preprocessing.size:
        images = F.interpolate(images, size=(preprocessing.short_side,) * 2, mode="bilinear", antialias=True)
    top, left = (round((side - preprocessing.size) / 2) for side in images.shape[2:])
    return images[:, :, top : top + preprocessing.size, left : left + preprocessing.size]


@dataclass(frozen=True)
class Member:
    """One network of a classifier, and the layers whose features are used.

    Attributes:
        weights: file that replaces the network's own weights; None: its own.
    """

    spec: BackboneSpec
    layers: tuple[str, ...]
    weights: Path | None = None


@dataclass(frozen=True)
class SavedClassifier:
    """A linear classifier on the features of networks, before the networks are built.

    Attributes:
        scaling: of the features; see `vitrail.transfer.scaling`.
        flip: whether features are averaged with those of the mirror image.
        classes: names, in the order of the logits.
    """

    members: tuple[Member, ...]
    head: LinearHead
    name: str
    scaling: Scaling
    flip: bool
    classes: tuple[str, ...]

    def build(self) -> Backbone:
        """The classifier as one differentiable network.

        Raises:
            MissingWeights, BadWeights: those of a member are not on this machine, or damaged.
        """
        members = [(member.spec(member.weights), member.layers) for member in self.members]
        description = Description(
            name=self.name,
            preprocessing=_common_preprocessing([member.spec.preprocessing for member in self.members]),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            feature_layers=("linear",),
            classes=self.classes,
        )
        return Backbone(Classifier(members, self.head, scaling=self.scaling, flip=self.flip), description)


def _common_preprocessing(members: Sequence[Preprocessing]) -> Preprocessing:
    """The members' preprocessing, or one from which the input of every member can be cropped."""
    if len(set(members)) == 1:
        return members[0]
    side = max(preprocessing.short_side for preprocessing in members)
    return Preprocessing(short_side=side, size=side, interpolation=members[0].interpolation)


def read_classifier(run: Path) -> SavedClassifier:
    """The classifier in a run folder; no network is built.

    Raises:
        BadSetting: `run` is no path.
        BadRun: the folder holds no classifier, or a damaged one.
    """
    check_path("classifier", run)
    stem = run / "weights" / "head"
    try:
        header = parse_model(_Header, read_json(stem.with_suffix(".json"), within=run))
        tensors = check_regular(stem.with_suffix(".safetensors"), within=run, limit=LIMITS["head"])
        head = unpack_head(load_file(tensors), len(header.classes))
        members = tuple(_member(member, run) for member in header.members)
    except FileNotFoundError:
        raise BadRun(f"'{display_name(run)}' holds no classifier. Use a finished run of `vitrail transfer`.") from None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        reason = one_line(error)
        raise BadRun(
            f"The classifier in '{display_name(run)}' is damaged ({reason}). Use `vitrail transfer` again."
        ) from None
    return SavedClassifier(members, head, header.name, header.scaling, header.flip, tuple(header.classes))


NO_NULL = r"^[^\x00]*$"  # no path can hold a null character


class _MemberHeader(BaseModel):
    """One network in the JSON description of a classifier."""

    model_config = ConfigDict(strict=True)

    backbone: str
    layers: list[str] = Field(min_length=1)
    network: str | None = Field(pattern=NO_NULL)
    weights: None = None  # of earlier versions: a file elsewhere

    @field_validator("weights", mode="before")
    @classmethod
    def _in_the_run(cls, value: object) -> None:
        if value is not None:
            raise ValueError("the weights lie outside the run folder")


class _Header(BaseModel):
    """The JSON description beside the head's tensors."""

    model_config = ConfigDict(strict=True)

    name: str
    scaling: Scaling
    flip: bool
    classes: list[str] = Field(min_length=1)
    members: list[_MemberHeader] = Field(min_length=1)


def _member(header: _MemberHeader, run: Path) -> Member:
    spec, layers = BACKBONES[header.backbone], tuple(header.layers)
    if not header.network:
        return Member(spec, layers)
    file = run / "weights" / Path(header.network).name  # fine-tuned, or given with --weights
    refuse_links(file, run)
    return Member(spec.for_own_names(), layers, file)


def load(source: str | Path, *, weights: str | Path | None = None, device: str = "auto") -> Backbone:
    """A backbone by name, or the classifier in a run folder, as one differentiable network.

    Args:
        source: name of a backbone, or run folder of `vitrail transfer`.
        weights: file that replaces the backbone's own weights.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises:
        BadSetting: neither a name nor a path, or weights that are no path.
        UnknownName: neither a run folder nor a backbone's name.
        BadRun: the folder holds no classifier.
        MissingWeights, BadWeights: the weights are not on this machine, or damaged.
    """
    check_path("source", source)
    if weights is not None:
        check_path("weights", weights)
    if Path(source).is_dir():
        backbone = read_classifier(Path(source)).build()
    elif "/" in str(source) and ":" not in str(source):  # a family's names may have slashes
        raise UnknownName(
            f"There is no run folder {str(source)!r}. Use one that `vitrail transfer` made, or the name of a network."
        )
    else:
        backbone = BACKBONES[str(source)](None if weights is None else Path(weights))
    return backbone.to(choose_device(device))


def open_network(source: str, *, weights: Path | None = None, device: str = "auto") -> Network:
    """As `load`, with an optimised copy for forward passes and the identity of the weights.

    Raises:
        UnknownName: neither a run folder nor a backbone's name.
        MissingWeights, BadWeights, BadRun: its files are missing or damaged.
    """
    device = choose_device(device)
    reference = load(source, weights=weights, device=device)
    head = Path(source) / "weights" / "head.safetensors"
    sha256 = file_sha256(head) if head.is_file() else reference.weights_sha256
    return Network(reference, optimised_copy(reference), {"name": reference.name, "sha256": sha256}, device)
