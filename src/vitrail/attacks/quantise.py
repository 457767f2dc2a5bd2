"""Adversarial images that remain adversarial as 8-bit files: the shortest perturbation in whole steps of 1/255.

The perturbation is scaled to several lengths and rounded, so that small values vanish and large ones stay (after the
quantised form of DDN, Rony et al., 2019, https://arxiv.org/abs/1811.09600). Then two updates alternate, each ended by
bisection at the decision boundary: the perturbation is turned towards the gradient, by at most 1/255 a value, as the
shortest perturbation is parallel to it; and the steps of 1/255 that contribute least to the margin are reverted.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.attacks.criterion import Criterion, Flags
from vitrail.attacks.norms import TINY, NormName, broadcast
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone
from vitrail.images import to_bytes, to_unit
from vitrail.tensors import Images, Labels, Logits, Pixels, Scores

Classifier = Callable[[Pixels], Logits]
PASSES = 90
PASSES_OF_UPDATE = 10  # forward passes of one update: a gradient, and bisections
BISECTIONS = 8
DOUBLINGS = 6
HALF_STEP = 0.5 / 255  # by which rounding may exceed epsilon


def quantise_adversarial(
    model: Backbone,
    images: Images,
    adversarial: Images,
    criterion: Criterion | Labels,
    *,
    passes: int = PASSES,
    classify: Classifier | None = None,
) -> AttackResult:
    """Images in whole steps of 1/255 that meet the criterion exactly as the file will, as near to `images` as possible.

    Args:
        images: the images before the attack; rounded to whole steps first.
        adversarial: the images after an attack; they give the direction.
        criterion: what counts as success; labels (N,): misclassification.
        passes: about how many passes, forward or backward, each image may cost.
        classify: pixels to logits, as the saved file will be read; None: the network on `pixels / 255`.
    """
    run = _QuantisedRun(model, to_unit(to_bytes(images)), criterion, classify)
    if len(run.rows):
        run.round_along(adversarial.detach()[run.rows] - run.clean)
        for update in range((passes - DOUBLINGS - BISECTIONS) // PASSES_OF_UPDATE):
            if update and update % 2 == 0:
                run.revert_least()
            else:
                run.turn_to_gradient(0.5 if update else 1.0)
    return run.result()


def quantise_result(
    model: Backbone,
    result: AttackResult,
    criterion: Criterion,
    *,
    norm: NormName,
    epsilon: float | None = None,
    classify: Classifier | None = None,
) -> AttackResult:
    """The result of an attack in whole steps of 1/255; `success` is that of the quantised images.

    Where the attack failed, or the shortest quantised perturbation exceeds epsilon by more than rounding, the image is
    the attack's own, rounded.

    Args:
        norm: what epsilon limits.
        classify: as in `quantise_adversarial`.
    """
    clean, images = to_unit(to_bytes(result.clean)), to_unit(to_bytes(result.images))
    success, forwards, backwards = result.success.clone(), result.forwards.clone(), result.backwards.clone()
    rows = result.success.nonzero()[:, 0]
    if len(rows):
        exact = quantise_adversarial(model, clean[rows], result.images[rows], criterion.select(rows), classify=classify)
        forwards[rows] += exact.forwards
        backwards[rows] += exact.backwards
        length = exact.linf() if norm == "linf" else exact.l2()
        within = length <= (torch.inf if epsilon is None else epsilon + HALF_STEP)
        images[rows[within]], success[rows[within]] = exact.images[within], exact.success[within]
        others = rows[~within]
        if len(others):
            rounded = _QuantisedRun(model, images[others], criterion.select(others), classify).result()
            success[others] = rounded.success
            forwards[others] += 1
    return AttackResult(clean, images, success, result.steps, forwards, backwards, result.margin_history)


class _QuantisedRun(AttackRun):
    """A run on the grid of 1/255, whose logits are those of `classify`."""

    def __init__(
        self, model: Backbone, clean: Images, criterion: Criterion | Labels, classify: Classifier | None
    ) -> None:
        self._classify = classify
        super().__init__(model, clean, criterion, steps=1)

    def logits(self, images: Images) -> Logits:
        """Logits by `classify`; one forward pass each."""
        if self._classify is None:
            return super().logits(images)
        self._forwards[self.rows] += 1
        with torch.no_grad():
            return self._classify(to_bytes(images))

    def round_along(self, direction: Images) -> None:
        """Finds the shortest multiple of `direction` that is adversarial when rounded."""
        unit = _normalised(direction)
        low = torch.linalg.vector_norm(direction.flatten(1), dim=1).clamp_min(1 / 255)
        low, high = low / 4, low.clone()
        for _ in range(DOUBLINGS):
            success = self._try(self.clean + broadcast(high) * unit)
            if success.all():
                break
            low, high = torch.where(success, low, high), torch.where(success, high, 2 * high)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            success = self._try(self.clean + broadcast(middle) * unit)
            low, high = torch.where(success, low, middle), torch.where(success, middle, high)

    def turn_to_gradient(self, share: float) -> None:
        """Moves every value by at most 1/255 towards a perturbation along the gradient, as short as succeeds.

        Args:
            share: of the way from the present perturbation to the one along the gradient.
        """
        best = self.adversarial()
        unit = _normalised(self.input_gradient(best).gradient)
        change = ((best - self.clean) * 255).round()
        length = torch.linalg.vector_norm(change.flatten(1), dim=1)
        low, high = torch.zeros_like(length), 2 * length
        for _ in range(PASSES_OF_UPDATE - 2):
            aim = (1 - share) * change + share * broadcast(length) * unit
            moved = change + (aim.round() - change).clamp(-1, 1)
            success = self._try(self.clean + moved / 255)
            low, high = torch.where(success, low, length), torch.where(success, length, high)
            length = (low + high) / 2
        self.count_step()

    def revert_least(self) -> None:
        """Reverts by 1/255 as many changes as leave the image adversarial, those that contribute least first."""
        best = self.adversarial()
        gradient = self.input_gradient(best).gradient
        change = (best - self.clean) * 255
        sign = change.sign().round()
        gain = (gradient * sign / (2 * change.abs().round() - 1).clamp_min(1)).flatten(1)
        gain = gain.masked_fill(sign.flatten(1) == 0, torch.inf)
        order = gain.argsort(dim=1)
        changed = (sign != 0).flatten(1).sum(dim=1)
        low, high = torch.zeros_like(changed), changed
        rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).to(order).expand_as(order))
        count = (changed // 8).clamp_min(1)
        for _ in range(PASSES_OF_UPDATE - 2):
            back = (rank < count[:, None]).view_as(sign) * sign
            success = self._try(best - back / 255)
            low, high = torch.where(success, count, low), torch.where(success, high, count)
            count = (low + high + 1) // 2
        self.count_step()

    def _try(self, images: Images) -> Flags:
        """Rounds and clamps `images`, classifies and records them; which are adversarial."""
        rounded = to_unit(to_bytes(images))
        success = self.success(self.logits(rounded))
        self.record(rounded, success)
        return success


def _normalised(change: Tensor) -> Tensor:
    lengths: Scores = torch.linalg.vector_norm(change.flatten(1), dim=1).clamp_min(TINY)
    return change / broadcast(lengths)
