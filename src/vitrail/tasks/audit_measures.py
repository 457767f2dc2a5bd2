"""What `audit` measures, batch by batch."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.robustness_curve import ROUNDING, robust_accuracy
from vitrail.attributions.explainer import bind_method
from vitrail.attributions.faithfulness import deletion_insertion, random_maps
from vitrail.backbones.network import Network
from vitrail.datasets.batches import batches
from vitrail.errors import MissingExtra
from vitrail.events import Note, Progress
from vitrail.image_ascent import max_batch_size
from vitrail.image_ascent.batching import MIB
from vitrail.image_ascent.input_gradient import check_finite
from vitrail.images import to_unit
from vitrail.interrupts import until_stopped
from vitrail.tensors import Images, Labels

if TYPE_CHECKING:
    from vitrail.tasks.audit import Audit

FAITHFULNESS = ("deletion_auc", "insertion_auc")
TARGETS = 9  # classes that AutoAttack aims at, where there are as many


@dataclass(frozen=True)
class Audited:
    """What was found, image by image.

    Attributes:
        right: (N,), whether the unchanged image is classified rightly.
        smallest: norm -> (N,), length of the smallest change that fools; 0 where `right` is false, inf if none did.
        faithful: figure -> (N,), of the method's maps and, `random_` before it, of random ones.
        cost: (N,), forward passes and input gradients (two each) spent on the smallest changes of an image.
        reference: (N,), still right under AutoAttack; None if it was not run.
    """

    files: Sequence[Path]
    skipped: list[dict[str, str]]
    method: str
    epsilons: dict[str, tuple[float, ...]]
    right: np.ndarray = field(repr=False)
    smallest: dict[str, np.ndarray] = field(repr=False)
    faithful: dict[str, np.ndarray] = field(repr=False)
    cost: np.ndarray = field(repr=False)
    reference_radius: float
    reference: np.ndarray | None = field(repr=False)

    def accuracy(self, norm: str, epsilon: float) -> float:
        """Share of images that are right and stay so under every change found that is no longer than `epsilon`."""
        return float((self.smallest[norm] > epsilon + ROUNDING).mean())

    def figures(self) -> dict[str, Any]:
        """What `result.json` says."""
        curve = [
            {"norm": norm, "epsilon": epsilon, "accuracy": self.accuracy(norm, epsilon)}
            for norm, epsilons in self.epsilons.items()
            for epsilon in epsilons
        ]
        fooled = self.smallest["l2"][self.right & np.isfinite(self.smallest["l2"])]
        found: dict[str, Any] = {
            "n": len(self.right),
            "accuracy": float(self.right.mean()),
            "curve": curve,
            "minimal_l2": {
                "mean": float(fooled.mean()) if len(fooled) else None,
                "median": float(np.median(fooled)) if len(fooled) else None,
                "n": len(fooled),
            },
            "faithfulness": {"method": self.method, **{name: float(row.mean()) for name, row in self.faithful.items()}},
            "forwards_per_image": float(self.cost.mean()),
        }
        if self.reference is not None:
            found["reference"] = {
                "attack": "AutoAttack (pyautoattack, standard)",
                "norm": "linf",
                "epsilon": self.reference_radius,
                "accuracy": float(self.reference.mean()),
                "accuracy_here": self.accuracy("linf", self.reference_radius),
            }
        return found


Tensors = dict[str, np.ndarray]


def audited(task: Audit, files: Sequence[Path], skipped: list[dict[str, str]], found: Tensors) -> Audited:
    """What was found of all images.

    Args:
        found: what `measures` gave, joined.
    """
    return Audited(
        files,
        skipped,
        task.method,
        {"linf": task.linf, "l2": task.l2},
        found["right"],
        {norm: found[norm] for norm in ("linf", "l2")},
        {name: found[name] for name in found if name.removeprefix("random_") in FAITHFULNESS},
        found["cost"],
        task.reference_radius,
        found.get("reference"),
    )


Measured = tuple[list[int], list[dict[str, str]], Tensors]


def measures(
    task: Audit, network: Network, files: Sequence[Path], labels: Sequence[int] | None
) -> Generator[Progress | Note, None, Measured]:
    """Yields progress and returns which images could be read, those that could not, and what was found.

    Ctrl-C ends it with what there is, but for a shard, which is whole or nothing.

    Raises:
        MissingExtra: the reference was asked for and is not installed.
    """
    rows: list[Tensors] = []
    kept: list[int] = []
    skipped: list[dict[str, str]] = []

    def measured() -> Iterator[Progress]:
        for batch in batches(files, network.reference.preprocessing):
            skipped.extend(batch.skipped)
            size = max_batch_size(network.fast, to_unit(batch.pixels[:1]), memory=_bytes(task)) if batch.files else 1
            for start in range(0, len(batch.files), size):
                part = batch.rows[start : start + size]
                images = to_unit(batch.pixels[start : start + size]).to(network.device)
                wanted = None if labels is None else torch.tensor([labels[row] for row in part])
                rows.append(_measured(task, network, images, wanted))
                kept.extend(part)
                yield Progress("audit", len(kept) + len(skipped), len(files), detail=network.name)

    yield from measured() if task.is_sharded else until_stopped(measured(), lambda: len(kept))
    return kept, skipped, joined(rows)


def joined(rows: Sequence[Tensors]) -> Tensors:
    """Arrays one behind the other, by name; those of which there is nothing are left out."""
    return {name: np.concatenate([row[name] for row in rows if row]) for name in next(filter(None, rows), {})}


def _measured(task: Audit, network: Network, images: Images, labels: Labels | None) -> dict[str, np.ndarray]:
    with torch.no_grad():
        logits = network.reference(images)
    check_finite(logits, network.reference)
    top = logits.argmax(dim=1)
    labels = top if labels is None else labels.to(top.device)
    found: dict[str, np.ndarray] = {"right": _numbers(top == labels)}
    asked = {*task.linf, task.reference_radius} if task.reference else set(task.linf)  # or the two are no comparison
    swept = {
        "linf": robust_accuracy(network.fast, images, labels, norm="linf", epsilons=sorted(asked), seed=task.seed),
        "l2": robust_accuracy(network.fast, images, labels, norm="l2", epsilons=task.l2, seed=task.seed),
    }
    # The sweep stops at the smallest epsilon that it is asked for; how small a change can be, the patient attack tells.
    minimal = ATTACKS["minimal-l2"](network.fast, images, Criterion(labels), seed=task.seed)
    patient = torch.where(minimal.success, minimal.l2(), torch.inf)
    found["linf"] = _numbers(swept["linf"].smallest)
    found["l2"] = _numbers(torch.minimum(swept["l2"].smallest, patient))
    cost = sum(each.forwards + each.backwards for each in (*swept.values(), minimal))
    found["cost"] = _numbers(torch.as_tensor(cost))
    maps = bind_method(task.method, seed=task.seed, memory=_bytes(task))(network.fast, images, labels)
    for prefix, each in (("", maps), ("random_", random_maps(images, task.seed))):
        faithful = deletion_insertion(network.fast, images, labels, each, memory=_bytes(task))
        found |= {f"{prefix}{name}": _numbers(getattr(faithful, name)) for name in FAITHFULNESS}
    if task.reference:
        found["reference"] = _reference(network, images, labels, task)
    return found


def _reference(network: Network, images: Images, labels: Labels, task: Audit) -> np.ndarray:
    """Whether each image stays right under the official AutoAttack."""
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        raise MissingExtra("AutoAttack is not installed; run `pip install 'vitrail[autoattack]'`.") from None
    attack = AutoAttack(network.fast, norm="Linf", eps=task.reference_radius, seed=task.seed, device=network.device)
    rivals = len(network.classes) - 1
    attack.fab.n_target_classes = attack.apgd_targeted.n_target_classes = min(TARGETS, rivals)
    if rivals < 3:  # its targeted loss compares four logits
        attack.attacks_to_run.remove("apgd-t")
    with torch.random.fork_rng():  # it seeds the global generator
        attacked, _ = attack.run_standard_evaluation(images, labels, batch_size=len(images))
    with torch.no_grad():
        return _numbers(network.reference(attacked).argmax(dim=1) == labels)


def _bytes(task: Audit) -> int:
    return task.memory * MIB


def _numbers(values: torch.Tensor) -> np.ndarray:
    return np.asarray(values.cpu().numpy())
