"""One interface for every network: images in [0, 1] in, logits and activations of named layers out."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.backbones.description import Description
from vitrail.backbones.imagenet import imagenet_classes
from vitrail.devices import full_float32, is_out_of_memory
from vitrail.errors import BadImage, BadSetting, UnknownName
from vitrail.image_files import display_name
from vitrail.images import read_pixels, to_unit
from vitrail.preprocessing import Preprocessing
from vitrail.tensors import Features, Images, Logits
from vitrail.validation import check_count, check_number, describe, paths_of

PREDICT_BATCH = 32  # images
LOGITS = "logits"  # the layer that every network has: its output
PROBABILITY_SUM = 1e-4  # how far a sum of probabilities may be from 1 by rounding


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image.

    Attributes:
        file: the path as given.
        top: name and probability of each class, the most probable one first.
    """

    file: str
    top: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.top[0][0]

    @property
    def probability(self) -> float:
        """Its probability, in [0, 1]."""
        return self.top[0][1]


class Backbone(nn.Module):
    """A classifier that takes images in [0, 1], normalises inside, and knows its layers and classes.

    The network given is taken over: put into evaluation mode and its weights frozen. `wrap` takes a copy.

    Args:
        network: takes normalised images, gives logits.
        description: what it expects and what its parts are called.
        weights_sha256: which weights it holds; None if they came from no file.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, description: Description, *, weights_sha256: str | None = None) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.description = description
        self.weights_sha256 = weights_sha256
        self.register_buffer("mean", torch.tensor(description.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(description.std).view(1, 3, 1, 1), persistent=False)
        self.eval()

    @classmethod
    def wrap(
        cls,
        model: nn.Module,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        classes: Sequence[str],
        size: int,
        name: str = "custom",
        feature_layers: Sequence[str] = (LOGITS,),
    ) -> "Backbone":
        """Any image classifier as a backbone.

        Works on a copy of `model`, so that nothing done to the backbone can reach the user's model: its
        weights, gradients, training mode, hooks and device stay as they are (and later changes to it stay there).

        Args:
            model: takes (N, 3, size, size), normalised by `mean` and `std`; gives logits (N, classes).
            mean, std: of RGB intensities in [0, 1], three numbers each.
            size: side of its input in pixels.
        Raises:
            BadSetting: an argument out of range, or a `model` that gives something else than a tensor (N, classes), or
                probabilities for logits.
            UnknownName: `model` has no such feature layer.
        """
        if not isinstance(model, nn.Module):
            raise BadSetting(f"model must be a torch.nn.Module; got {describe(model)}.")
        _check_description(mean, std, classes, size)
        copy = deepcopy(model).requires_grad_(False)
        copy.zero_grad(set_to_none=True)
        description = Description(
            name=name,
            preprocessing=Preprocessing(short_side=size, size=size),
            mean=mean,
            std=std,
            feature_layers=tuple(feature_layers),
            classes=tuple(classes),
        )
        backbone = cls(copy, description)
        first = next(copy.parameters(), None)
        backbone.to(None if first is None else first.device)  # the normalisation goes where the model is
        backbone._check_output()
        for layer in backbone.feature_layers:
            backbone._resolve_layer(layer)
        return backbone

    def __call__(self, images: Any) -> Logits:  # Any: what is no tensor is met with an error that helps
        """Logits (N, classes) of images (N, 3, H, W) in [0, 1]; in float32 on a GPU too, never in TF32.

        Raises:
            TypeError: `images` is not a tensor; `predict` takes image files.
            BadSetting: another layout, type or device.
        """
        self.check_images(images)
        logits: Tensor = super().__call__(images)
        return logits

    def check_images(self, images: Any) -> None:
        """Raises `BadSetting` unless `images` have the layout, type and device of this network's input.

        Raises:
            TypeError: `images` is not a tensor.
        """
        if not isinstance(images, Tensor):
            raise TypeError(
                f"A backbone takes a tensor (N, 3, H, W) in [0, 1]; got {type(images).__name__}. "
                "Use .predict(files) for image files."
            )
        if torch._C._is_tracing():  # there, sizes are part of what is traced
            return
        if images.ndim != 4 or images.shape[1] != 3 or not images.shape[2] or not images.shape[3]:
            raise BadSetting(
                f"{self.name!r} takes images (N, 3, H, W), RGB; got {describe(images)}. "
                "Use images[None] for one image, and three equal channels for grey."
            )
        if images.dtype != self.mean.dtype:
            wanted = str(self.mean.dtype).removeprefix("torch.")
            raise BadSetting(
                f"{self.name!r} takes images of {wanted} in [0, 1]; got {describe(images)}. "
                f"Use images.to(torch.{wanted}), and / 255 for 8 bits."
            )
        if images.device != self.mean.device:
            raise BadSetting(
                f"{self.name!r} is on {self.mean.device}, the images on {images.device}. "
                f"Use images.to('{self.mean.device}')."
            )

    def train(self, mode: bool = True) -> "Backbone":
        """Stays in evaluation mode: the network is frozen, and its maps and attacks are those of what it predicts."""
        return super().train(False)

    def forward(self, images: Images) -> Logits:
        """Logits (N, classes) of images (N, 3, H, W) in [0, 1]."""
        return self._run(images)

    def predict(self, files: str | Path | Sequence[str | Path], *, top_k: int = 1) -> list[Prediction]:
        """The most probable classes of image files, in their order.

        Args:
            files: one path or several. Each image is turned upright by its EXIF orientation, resized and cropped as
                the network expects.
            top_k: number of classes of each image.
        Raises:
            BadImage: a file cannot be read.
            BadSetting: `top_k` is below 1.
        """
        check_count("top_k", top_k)
        paths = paths_of("files", files)
        how, predictions = self.preprocessing, []
        for start in range(0, len(paths), PREDICT_BATCH):
            batch = paths[start : start + PREDICT_BATCH]
            pixels = [
                read_pixels(file, short_side=how.short_side, crop=how.size, interpolation=how.interpolation)
                for file in batch
            ]
            with torch.no_grad():
                probabilities = self(to_unit(torch.stack(pixels)).to(self.mean.device)).softmax(dim=1)
            best = probabilities.topk(min(top_k, len(self.classes)), dim=1)
            for file, values, indices in zip(batch, best.values.tolist(), best.indices.tolist(), strict=True):
                top = tuple((self.classes[index], value) for index, value in zip(indices, values, strict=True))
                predictions.append(Prediction(display_name(file), top))
        return predictions

    def _run(self, images: Tensor) -> Tensor:
        try:
            with full_float32():
                logits: Tensor = self.network((images - self.mean) / self.std)
        except RuntimeError as error:
            height, width = images.shape[2:]
            if min(height, width) >= self.size or is_out_of_memory(error) or not self._takes_its_own_size(images):
                raise
            raise BadImage(
                f"Images of {width} x {height} pixels are too small for {self.name!r}. "
                f"Use at least {self.size} x {self.size}.",
                kind="too-small",
            ) from error
        return logits

    @torch.no_grad()
    def _takes_its_own_size(self, images: Tensor) -> bool:
        """Whether black images of the network's own size pass where `images` did not: then their size is the fault."""
        try:
            self.network((images.new_zeros(1, 3, self.size, self.size) - self.mean) / self.std)
        except RuntimeError:
            return False
        except _StopForward:  # `trunk` reached its layer
            pass
        return True

    def activations(self, images: Images, layers: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of layers for `images`, by layer, from one forward pass.

        The tensors are part of the graph of "logits", which may be asked for as well; they stay right where
        a later layer works in place. Of a module that runs several times the last run counts.

        Raises:
            UnknownName: the network has no such layer.
            BadSetting: a layer gives no tensor, or does not run.
        """
        places = {layer: self._resolve_layer(layer) for layer in layers}
        found: dict[str, Tensor] = {}
        handles = []
        try:
            for layer, (module, is_input) in places.items():
                if is_input:
                    handles.append(module.register_forward_pre_hook(partial(_keep_input, found, layer)))
                else:
                    handles.append(module.register_forward_hook(partial(_keep_output, found, layer)))
            self._run(images)
        finally:
            for handle in handles:
                handle.remove()
        for layer in layers:
            if not isinstance(found.get(layer), Tensor):
                raise BadSetting(
                    f"Layer {layer!r} of {self.name!r} gives no tensor; choose one of {self._display_layers()}."
                )
        return {layer: found[layer] for layer in layers}

    def trunk(self, images: Images, cut: str) -> Tensor:
        """Output of the layer `cut` for `images`; later layers are not computed."""
        if torch._C._is_tracing():  # a trace does not survive being left in the middle
            return self.activations(images, (cut,))[cut]
        module, _ = self._resolve_layer(cut)
        handle = module.register_forward_hook(_stop)
        try:
            self._run(images)
        except _StopForward as stopped:
            return stopped.output
        finally:
            handle.remove()
        raise BadSetting(f"Layer {cut!r} of {self.name!r} does not run; choose one of {self._display_layers()}.")

    def tail(self, activation: Tensor, cut: str, layers: Sequence[str]) -> dict[str, Features]:
        """The features of `layers`, (N, D) each, as if `cut` had given `activation` (N, ...): `trunk` continued.

        Right only where nothing leads round `cut`. What lies below runs as well, on one black image.
        """
        module, _ = self._resolve_layer(cut)
        handle = module.register_forward_hook(lambda *_: activation)
        black = torch.zeros(1, 3, self.size, self.size, device=self.mean.device)
        try:
            return {name: pool(given) for name, given in self.activations(black, layers).items()}
        finally:
            handle.remove()

    def features(self, images: Images, layers: Sequence[str]) -> dict[str, Features]:
        """The layers' activations pooled to one row per image, (N, D) each; see `pool` and `activations`."""
        return {layer: pool(activation) for layer, activation in self.activations(images, layers).items()}

    @property
    def name(self) -> str:
        """The public name of the network."""
        return self.description.name

    @property
    def preprocessing(self) -> Preprocessing:
        """How an image is resized and cropped for this network."""
        return self.description.preprocessing

    @property
    def size(self) -> int:
        """Side of the input in pixels."""
        return self.description.preprocessing.size

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return imagenet_classes() if self.description.classes is None else self.description.classes

    @property
    def feature_layers(self) -> tuple[str, ...]:
        """Layers worth trying as features, shallow to deep; the last is the default."""
        return self.description.feature_layers

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, in the order of the network; the last is "logits"."""
        names = self.description.layer_names or _module_names(self.network)
        return (*names, LOGITS)

    def _resolve_layer(self, layer: str) -> tuple[nn.Module, bool]:
        """The module that a layer's name stands for, and whether its input is meant."""
        if layer not in self.layers:
            near = get_close_matches(layer, self.layers, n=3)
            known = ", ".join(near) if near else self._display_layers()
            raise UnknownName(f"The backbone {self.name!r} has no layer {layer!r}; there are {known}.")
        path = "" if layer == LOGITS else self.description.layer_names.get(layer, layer)
        path, is_input, _ = path.partition(":input")
        return self.network.get_submodule(path), bool(is_input)

    def _display_layers(self) -> str:
        """The layers for a message; a deep network has hundreds."""
        shown = self.layers if len(self.layers) <= 20 else tuple(dict.fromkeys((*self.feature_layers, LOGITS)))
        more = len(self.layers) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

    def _check_output(self) -> None:
        with torch.no_grad():
            grey = torch.full((1, 3, self.size, self.size), 0.5, device=self.mean.device)
            output: Any = self.network((grey - self.mean) / self.std)
        given = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
        if given != (1, len(self.classes)):
            raise BadSetting(
                f"A classifier must give one tensor (N, {len(self.classes)}), a column per class; for one image "
                f"of {self.size} pixels {self.name!r} gave {given}. Use a module around it that gives its logits."
            )
        if len(self.classes) > 1 and (output >= 0).all() and (output.sum() - 1).abs() < PROBABILITY_SUM:
            raise BadSetting(
                f"A classifier must give logits; {self.name!r} gave numbers of 0 and more that sum to 1, as "
                "probabilities do; leave its softmax out."
            )


def _check_description(mean: Sequence[float], std: Sequence[float], classes: Sequence[str], size: int) -> None:
    for name, values in (("mean", mean), ("std", std)):
        if not isinstance(values, Sequence) or len(values) != 3:
            raise BadSetting(f"{name} must be three numbers, one per channel; got {describe(values)}.")
        for value in values:
            check_number(name, value, above=0 if name == "std" else -math.inf)
    if isinstance(classes, str) or not classes or len(set(classes)) < len(classes):
        raise BadSetting(f"classes must be different names, at least one; got {describe(classes)}.")
    check_count("size", size)


def pool(activation: Tensor) -> Features:
    """(N, C, H, W) as its mean over places, (N, T, C) as its mean over tokens, (N, D) as it is."""
    if activation.ndim == 4:
        return activation.mean(dim=(2, 3))
    return activation.mean(dim=1) if activation.ndim == 3 else activation


class _StopForward(Exception):
    """Carries a layer's output out of a forward pass that need not go on."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output


def _stop(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
    raise _StopForward(output)


def _keep_output(found: dict[str, Any], layer: str, _module: nn.Module, _inputs: Any, output: Any) -> Any:
    """Keeps what a layer gave and hands a copy on, which a later layer may overwrite (`ReLU(inplace=True)`)."""
    found[layer] = output
    return output.clone() if isinstance(output, Tensor) else output


def _keep_input(found: dict[str, Any], layer: str, _module: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """The same for what goes into a layer."""
    found[layer] = inputs[0]
    return (inputs[0].clone(), *inputs[1:])


def _module_names(network: nn.Module) -> list[str]:
    """Paths of the modules, but for the inside of attention layers, which do not run as modules."""
    names: list[str] = []
    inside: tuple[str, ...] = ()
    for name, module in network.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            inside = (*inside, name)
        if name and not any(name == path or name.startswith(f"{path}.") for path in inside):
            names.append(name)
    return names
