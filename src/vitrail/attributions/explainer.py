"""Predictions, attribution maps and their faithfulness, of images and of image files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from vitrail.attributions.explanation import ExplainedFile, ExplainedImage, Explanation
from vitrail.attributions.faithfulness import deletion_insertion
from vitrail.attributions.grad_cam import from_pass as grad_cam_from_pass
from vitrail.attributions.grad_cam_plus_plus import from_pass as grad_cam_plus_plus_from_pass
from vitrail.attributions.gradient import from_pass as gradient_from_pass
from vitrail.attributions.gradient_pass import GradientPass, run_gradient_pass
from vitrail.attributions.gradient_x_input import from_pass as gradient_x_input_from_pass
from vitrail.attributions.integrated_gradients import completeness_error
from vitrail.attributions.randomisation import randomisation_test as measure_randomisation
from vitrail.attributions.segment import Region
from vitrail.attributions.segment import segment as segment_map
from vitrail.attributions.table import ATTRIBUTIONS, DEFAULT_METHOD
from vitrail.attributions.verdict import random_baseline, verdicts
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.backbones.network import Network
from vitrail.class_names import class_choice
from vitrail.datasets.batches import batches
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.image_ascent import MEMORY, check_finite, check_images, check_targets, max_batch_size
from vitrail.images import to_hwc, to_unit
from vitrail.tensors import Images, Labels, Maps, Pixels
from vitrail.validation import check_seed

Method = Callable[[Backbone, Images, Labels], Maps]

FROM_PASS: Mapping[str, Callable[[GradientPass], Maps]] = {
    "gradient": gradient_from_pass,
    "gradient-x-input": gradient_x_input_from_pass,
    "grad-cam": grad_cam_from_pass,
    "grad-cam-plus-plus": grad_cam_plus_plus_from_pass,
}
"""Methods that need no more than one gradient pass, which they share with each other and with the prediction."""

LIKELIEST = "top"  # in place of a class: the likeliest of each image


def explain(
    model: Backbone,
    images: Images,
    targets: Labels | None = None,
    *,
    method: str = DEFAULT_METHOD,
    faithfulness: bool = True,
    randomisation_test: bool = False,
    samples: int | None = None,
    noise: float = 0.15,
    seed: int = 0,
    memory: int = MEMORY,
) -> list[Explanation]:
    """The attribution map of each image, with its faithfulness, that of random maps, and a verdict in words.

    Args:
        model: `vitrail.load(...)`, or `Backbone.wrap(...)` of any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,), the classes to explain; default: the likeliest of each image.
        method: a name in `ATTRIBUTIONS`.
        faithfulness: measure deletion and insertion, of the map and of random maps.
        randomisation_test: compare with the map of the network with shuffled weights.
        samples: of methods that draw any; default: the method's own number.
        noise: standard deviation of the noise of SmoothGrad and VarGrad, in pixel intensity.
        seed: of samples, random maps and shuffled weights.
        memory: bytes per batch.

    Returns:
        One per image.

    Raises:
        UnknownName: no such method.
        BadSetting: images that are not RGB in [0, 1], a target that is not in [0, classes), or a method that cannot
            explain this network.
    """
    check_images(model, images)
    check_seed("seed", seed)
    device = str(images.device)
    network = Network(model, optimised_copy(model), {"name": model.name, "sha256": model.weights_sha256}, device)
    explainer = Explainer(
        network,
        methods=(method,),
        faithfulness=faithfulness,
        randomisation_test=randomisation_test,
        samples=samples,
        noise=noise,
        seed=seed,
        memory=memory,
    )
    return [explained.explanations[0] for explained in explainer.explain(images, targets)]


def explain_files(
    explainers: Sequence[Explainer], files: Sequence[Path]
) -> Iterator[ExplainedFile | Mapping[str, str] | Progress]:
    """Every file explained by every explainer in turn.

    Yields:
        Explained files, for each unreadable file what `result.json` says of it, and progress.
    """
    for explainer in explainers:
        done, name = 0, explainer.network.name
        yield Progress("maps", done, len(files), detail=name)
        for batch in batches(files, explainer.network.reference.preprocessing):
            if batch.skipped:
                yield from batch.skipped
                done += len(batch.skipped)
                yield Progress("maps", done, len(files), detail=name)
            for file, row, image in zip(batch.files, batch.rows, explainer.run(batch.pixels), strict=True):
                yield ExplainedFile(row, file, image)
                done += 1
                yield Progress("maps", done, len(files), detail=name)


class Explainer:
    """Predictions and maps of one network; see `vitrail explain` for the settings.

    Args:
        methods: names in `ATTRIBUTIONS`, at least one.
        target: the class to explain, by name or number; `top`: the likeliest of each image.
        segment: find the object that each map marks.
        samples: of the methods that draw any; None: each method's own number.
        noise: standard deviation of the noise of SmoothGrad and VarGrad, in pixel intensity.
        seed: of samples, random maps and shuffled weights.
        memory: bytes per batch.

    Raises:
        UnknownName: no such method or class.
        BadSetting: no method.
    """

    def __init__(
        self,
        network: Network,
        *,
        methods: Sequence[str] = (DEFAULT_METHOD,),
        target: str = f"@{LIKELIEST}",
        faithfulness: bool = True,
        randomisation_test: bool = False,
        segment: bool = False,
        samples: int | None = None,
        noise: float = 0.15,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> None:
        if not methods:
            raise BadSetting(f"No method was given. Use e.g. {DEFAULT_METHOD!r}.")
        options = {"samples": samples, "noise": noise, "seed": seed, "memory": memory}
        given = {name: value for name, value in options.items() if value is not None}
        self.network = network
        self._methods: dict[str, Method] = {name: bind_method(name, **given) for name in methods}
        self._index = class_choice(network.classes, target, otherwise=LIKELIEST)
        self._faithfulness, self._randomisation_test, self._segment = faithfulness, randomisation_test, segment
        self._seed, self._memory = seed, memory

    def run(self, pixels: Pixels) -> Iterator[ExplainedImage]:
        """Each image explained, as 8-bit pixels of the network's size."""
        images = to_unit(pixels)
        yield from self.explain(images, None if self._index is None else torch.full((len(images),), self._index))

    def explain(self, images: Images, targets: Labels | None = None) -> Iterator[ExplainedImage]:
        """Each image explained; as many at once as memory allows."""
        if targets is not None:
            check_targets(self.network.reference, targets, len(images))
        if not len(images):
            return
        images = images.to(self.network.device)
        size = max_batch_size(self.network.fast, images, memory=self._memory)
        for start in range(0, len(images), size):
            rows = slice(start, start + size)
            yield from self._explain(images[rows], None if targets is None else targets[rows].to(images.device))

    def _explain(self, images: Images, targets: Labels | None) -> Iterator[ExplainedImage]:
        fast, classes = self.network.fast, self.network.classes
        gradient_pass = run_gradient_pass(fast, images, targets)
        check_finite(gradient_pass.logits, self.network.reference)
        targets = gradient_pass.targets
        probabilities = gradient_pass.logits.softmax(dim=1).gather(1, targets[:, None])[:, 0].tolist()
        maps = {
            name: FROM_PASS[name](gradient_pass) if name in FROM_PASS else method(fast, images, targets)
            for name, method in self._methods.items()
        }
        metrics = self._metrics(images, targets, maps)
        pixels = to_hwc(images)
        for row, (index, probability) in enumerate(zip(targets.tolist(), probabilities, strict=True)):
            explanations = tuple(
                Explanation(
                    name,
                    each[row].cpu().numpy(),
                    index,
                    classes[index],
                    probability,
                    region=_region(images[row], each[row]) if self._segment else None,
                    **{key: values[row] for key, values in metrics[name].items()},
                )
                for name, each in maps.items()
            )
            yield ExplainedImage(self.network.name, pixels[row], explanations)

    def _metrics(self, images: Images, targets: Labels, maps: dict[str, Maps]) -> dict[str, dict[str, list[Any]]]:
        """Method -> field of `Explanation` -> one value per image."""
        fast, memory = self.network.fast, self._memory
        metrics: dict[str, dict[str, list[Any]]] = {name: {} for name in maps}
        if self._faithfulness:
            baseline = random_baseline(fast, images, targets, seed=self._seed, memory=memory)
            random_areas = list(zip(baseline.deletion_auc.tolist(), baseline.insertion_auc.tolist(), strict=True))
            for name, each in maps.items():
                measured = deletion_insertion(fast, images, targets, each, memory=memory)
                metrics[name]["deletion"] = measured.deletion_auc.tolist()
                metrics[name]["insertion"] = measured.insertion_auc.tolist()
                metrics[name]["baseline"] = random_areas
                metrics[name]["verdict"] = verdicts(measured, baseline)
        if "integrated-gradients" in maps:
            error = completeness_error(fast, images, targets, maps["integrated-gradients"], memory=memory)
            metrics["integrated-gradients"]["completeness_error"] = error.tolist()
        if self._randomisation_test:
            for name, method in self._methods.items():
                correlation = measure_randomisation(fast, method, images, targets, seed=self._seed)
                metrics[name]["random_weights_correlation"] = correlation.tolist()
        return metrics


def bind_method(name: str, **options: Any) -> Method:
    """A method with those of the `options` that it takes.

    Raises:
        UnknownName: no such method.
    """
    method = ATTRIBUTIONS[name]
    parameters = signature(method).parameters
    return partial(method, **{key: value for key, value in options.items() if key in parameters})


def _region(image: torch.Tensor, map: torch.Tensor) -> Region | None:
    """The object that a map marks; None for a map that marks nothing, which must not end a run."""
    try:
        return segment_map(image, map)
    except BadSetting:
        return None
