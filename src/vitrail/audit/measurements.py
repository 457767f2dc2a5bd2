"""Measurements of an audit: perturbations of images, and the faithfulness of maps, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.minimal_norm import minimal_l2
from vitrail.attacks.norms import NORMS
from vitrail.attacks.robustness_curve import robust_accuracy
from vitrail.attacks.table import EPSILONS
from vitrail.attributions.explainer import bind_method
from vitrail.attributions.faithfulness import deletion_insertion, random_maps
from vitrail.attributions.table import ATTRIBUTIONS, DEFAULT_METHOD
from vitrail.audit.autoattack import survives_autoattack
from vitrail.audit.result import FAITHFULNESS, AuditResult
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.backbones.network import Network
from vitrail.datasets.batches import batches
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, check_finite, check_images, check_targets, max_batch_size
from vitrail.images import to_unit
from vitrail.tensors import Images, Labels
from vitrail.validation import check_seed

Measurements = dict[str, np.ndarray]
"""Name -> (N, ...): `correct`, the minimal norms `linf` and `l2`, faithfulness, `passes` and `autoattack`."""


@dataclass(frozen=True)
class AuditedBatch:
    """Measurements of some of the files.

    Attributes:
        rows: their places in the list of files.
    """

    rows: list[int]
    measurements: Measurements = field(repr=False)


class Auditor:
    """Measures batches of images with one network.

    Args:
        method: attribution method, a name in `ATTRIBUTIONS`.
        epsilons: norm -> epsilon values, in pixel intensity.
        autoattack_epsilon: run the official AutoAttack too, at this epsilon, L-infinity; None: do not.
        seed: of random starts and random maps.
        memory: bytes per batch.

    Raises:
        UnknownName: no such method.
        BadSetting: no epsilons of a norm.
    """

    def __init__(
        self,
        network: Network,
        *,
        method: str = DEFAULT_METHOD,
        epsilons: Mapping[str, Sequence[float]] = EPSILONS,
        autoattack_epsilon: float | None = None,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> None:
        ATTRIBUTIONS.check(method)
        if set(epsilons) != set(NORMS):
            raise BadSetting(
                f"epsilons must have values for {' and '.join(NORMS)}; got {', '.join(epsilons) or 'none'}."
            )
        self.network, self._method, self._epsilons = network, method, epsilons
        self._autoattack_epsilon, self._seed, self._memory = autoattack_epsilon, seed, memory

    def run(self, files: Sequence[Path], labels: Sequence[int] | None) -> Iterator[AuditedBatch | Mapping[str, str]]:
        """Measures every file, and yields what `result.json` says of each unreadable one.

        Args:
            labels: the class of each file; None: not known.
        """
        for batch in batches(files, self.network.reference.preprocessing):
            yield from batch.skipped
            size = self.batch_size(to_unit(batch.pixels[:1]).to(self.network.device)) if batch.files else 1
            for start in range(0, len(batch.files), size):
                rows = batch.rows[start : start + size]
                images = to_unit(batch.pixels[start : start + size]).to(self.network.device)
                own = None if labels is None else torch.tensor([labels[row] for row in rows])
                yield AuditedBatch(rows, self.measure(images, own))

    def batch_size(self, images: Images) -> int:
        """The number of images of this size that are measured together."""
        return max_batch_size(self.network.fast, images, memory=self._memory)

    def measure(self, images: Images, labels: Labels | None) -> Measurements:
        """Measurements of a batch.

        Args:
            labels: (N,); None: the predictions on the images.
        """
        network, seed = self.network, self._seed
        with torch.no_grad():
            logits = network.reference(images)
        check_finite(logits, network.reference)
        predictions = logits.argmax(dim=1)
        labels = predictions if labels is None else labels.to(predictions.device)
        # AutoAttack's epsilon is among ours, or the two could not be compared.
        epsilons = {norm: sorted(set(values)) for norm, values in self._epsilons.items()}
        if self._autoattack_epsilon is not None:
            epsilons["linf"] = sorted({*epsilons["linf"], self._autoattack_epsilon})
        linf, l2 = (
            robust_accuracy(network.fast, images, labels, norm=norm, epsilons=epsilons[norm], seed=seed)
            for norm in ("linf", "l2")
        )
        # The curve's attack stops at the smallest epsilon; the minimal-norm attack finds shorter perturbations.
        shortest = minimal_l2(network.fast, images, Criterion(labels), seed=seed)
        minimal = torch.where(shortest.success, shortest.l2(), torch.inf)
        found: Measurements = {
            "correct": _array(predictions == labels),
            "linf": _array(linf.smallest),
            "l2": _array(torch.minimum(l2.smallest, minimal)),
            "passes": _array(sum(each.forwards + each.backwards for each in (linf, l2, shortest))),
        }
        maps = bind_method(self._method, seed=seed, memory=self._memory)(network.fast, images, labels)
        for prefix, each in (("", maps), ("random_", random_maps(images, seed))):
            areas = deletion_insertion(network.fast, images, labels, each, memory=self._memory)
            found |= {f"{prefix}{name}": _array(getattr(areas, name)) for name in FAITHFULNESS}
        if self._autoattack_epsilon is not None:
            survived = survives_autoattack(network, images, labels, epsilon=self._autoattack_epsilon, seed=seed)
            found["autoattack"] = _array(survived)
        return found

    def result(self, parts: Sequence[Measurements], *, labelled: bool) -> AuditResult:
        """The result of all batches, in their order.

        Raises:
            BadSetting: there is none.
        """
        found = concatenate(parts)
        if not found:
            raise BadSetting("An audit needs images; got none. Use at least one.")
        return AuditResult(
            self._method,
            self._epsilons,
            labelled,
            found["correct"],
            {norm: found[norm] for norm in ("linf", "l2")},
            {name: found[name] for name in found if name.removeprefix("random_") in FAITHFULNESS},
            found["passes"],
            found.get("autoattack"),
            self._autoattack_epsilon or 0.0,
        )


def audit_images(
    model: Backbone,
    images: Images,
    labels: Labels | None = None,
    *,
    method: str = DEFAULT_METHOD,
    epsilons: Mapping[str, Sequence[float]] = EPSILONS,
    autoattack_epsilon: float | None = None,
    seed: int = 0,
    memory: int = MEMORY,
) -> AuditResult:
    """Robust accuracy against epsilon, minimal perturbations, and the faithfulness of maps.

    Args:
        model: `vitrail.load(...)`, or `Backbone.wrap(...)` of any classifier.
        images: (N, 3, H, W), RGB in [0, 1], of the network's size.
        labels: (N,), the true classes; without them the result is agreement with the predictions on `images`.
        method: attribution method, a name in `ATTRIBUTIONS`.
        epsilons: norm -> epsilon values, in pixel intensity, of both "linf" and "l2".
        autoattack_epsilon: run the official AutoAttack too, at this epsilon, L-infinity.
        seed: of random starts and random maps.
        memory: bytes per batch.

    Raises:
        UnknownName: no such method.
        BadSetting: images that are not RGB in [0, 1], no image, or epsilon values that are not above 0.
        MissingExtra: AutoAttack is asked for and not installed.
    """
    check_images(model, images)
    check_seed("seed", seed)
    if labels is not None:
        check_targets(model, labels, len(images))
    identity = {"name": model.name, "sha256": model.weights_sha256}
    network = Network(model, optimised_copy(model), identity, str(images.device))
    auditor = Auditor(
        network, method=method, epsilons=epsilons, autoattack_epsilon=autoattack_epsilon, seed=seed, memory=memory
    )
    size = auditor.batch_size(images[:1]) if len(images) else 1
    rows = [slice(start, start + size) for start in range(0, len(images), size)]
    parts = [auditor.measure(images[row], None if labels is None else labels[row]) for row in rows]
    return auditor.result(parts, labelled=labels is not None)


def concatenate(parts: Sequence[Mapping[str, np.ndarray]]) -> Measurements:
    """Measurements of all parts, by name; of none, nothing."""
    return {name: np.concatenate([part[name] for part in parts if part]) for name in next(filter(None, parts), {})}


def _array(values: torch.Tensor | int) -> np.ndarray:
    return np.asarray(torch.as_tensor(values).cpu().numpy())
