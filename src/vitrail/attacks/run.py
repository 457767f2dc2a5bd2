"""The state of an attack on a batch: the active images, the best perturbation and the cost of each.

An image that is finished leaves the batch and costs nothing more.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from vitrail.attacks.criterion import Criterion, Flags, as_criterion
from vitrail.attacks.norms import NORMS, Norm, broadcast
from vitrail.attacks.result import AttackResult
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import (
    InputGradient,
    Objective,
    check_classes,
    check_finite,
    check_images,
    in_chunks,
    input_gradient,
    max_batch_size,
)
from vitrail.tensors import Images, Labels, Logits, Scores
from vitrail.validation import check_count

Rows = Int[Tensor, " rows"]
ROUNDING = 1e-5  # of the largest logit


class AttackRun:
    """Begins with a forward pass of the clean images; those that meet the criterion already are finished.

    All arguments and results of the methods concern the active images, in their order, unless stated otherwise.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        steps: at most; checked here, counted by `count_step`.
        norm: by which perturbations are compared.

    Attributes:
        rows: (A,), row numbers of the active images.
        clean, criterion: the active images before the attack, and their criterion.

    Raises:
        BadSetting: images that are not RGB in [0, 1], another number of labels than of images, a class that the
            network does not have, or no step.
    """

    def __init__(
        self,
        model: Backbone,
        images: Images,
        criterion: Criterion | Labels,
        *,
        steps: int,
        norm: Norm = NORMS["l2"],
    ) -> None:
        check_images(model, images)
        criterion = as_criterion(criterion)
        check_classes("labels", criterion.labels, len(images))
        check_count("steps", steps)
        self.model, self.norm = model, norm
        self._all_clean = images.detach()
        self._adversarial = self._all_clean.clone()
        count = torch.zeros(len(images), dtype=torch.long, device=images.device)
        self._success, self._best_length = count > 0, torch.full_like(count, torch.inf, dtype=torch.float32)
        self._steps, self._forwards, self._backwards = count, count.clone(), count.clone()
        self._margin_history: list[Tensor] = []
        self._nan = torch.zeros((), dtype=torch.bool, device=images.device)  # whether a logit was
        self.rows = torch.arange(len(images), device=images.device)
        self.clean, self.criterion, self._all_criterion = self._all_clean, criterion, criterion
        self._size = max_batch_size(model, self._all_clean) if len(images) > 1 else 1
        self.drop_solved(self.clean, self.criterion.success(self.logits(self.clean)))

    @property
    def best_length(self) -> Scores:
        """Norm of each active image's shortest adversarial perturbation so far; infinite if none was found."""
        return self._best_length[self.rows]

    def logits(self, images: Images) -> Logits:
        """Logits of `images`; one forward pass each."""
        parts: list[Tensor] = []

        def work(chunk: slice) -> None:
            with torch.no_grad():
                parts.append(self.model(images[chunk]))

        self._in_chunks(work)
        self._forwards[self.rows] += 1
        logits = torch.cat(parts) if parts else images.new_zeros(0, 1)
        self._nan |= logits.isnan().any()
        return logits

    def success(self, logits: Logits) -> Flags:
        """Which images meet the criterion by more than rounding, so that another batch size gives the same answer."""
        return self.criterion.margins(logits) - self.criterion.confidence > ROUNDING * logits.abs().amax(dim=1)

    def missing_margin(self, margins: Scores, logits: Logits) -> Scores:
        """How much is missing for `success`, in logits; negative beyond the decision boundary."""
        return self.criterion.confidence + 2 * ROUNDING * logits.abs().amax(dim=1) - margins

    def input_gradient(
        self, images: Images, objective: Callable[[Criterion], Objective] = Criterion.objective
    ) -> InputGradient:
        """The objective, its gradient and the logits; the margin goes into the history.

        Args:
            objective: made from the criterion; default: its margin.
        """
        parts: list[InputGradient] = []

        def work(chunk: slice) -> None:
            wanted = objective(self.criterion.select(chunk))
            parts.append(input_gradient(self.model, images[chunk], wanted, check=False))

        self._in_chunks(work)
        self._forwards[self.rows] += 1
        self._backwards[self.rows] += 1
        found = InputGradient(
            *(torch.cat([getattr(part, name) for part in parts]) for name in ("scores", "gradient", "logits"))
        )
        self._nan |= found.logits.isnan().any()
        self._record_margins(self.criterion.margins(found.logits))
        return found

    def multi_gradients(
        self, images: Images, work: Callable[[Images, Criterion], tuple[Tensor, ...]], *, backwards: int
    ) -> list[Tensor]:
        """The results of `work(images, criterion)`, chunk by chunk and concatenated.

        Args:
            backwards: gradients that `work` computes of each image.
        """
        parts: list[tuple[Tensor, ...]] = []
        self._in_chunks(lambda chunk: parts.append(work(images[chunk], self.criterion.select(chunk))))
        self._forwards[self.rows] += 1
        self._backwards[self.rows] += backwards
        return [torch.cat(values) for values in zip(*parts, strict=True)]

    def record(self, images: Images, success: Flags) -> None:
        """Records adversarial images that are nearer than the best so far; before any success, the last one tried."""
        lengths, before = self.norm.length(images - self.clean).to(self._best_length), self.best_length
        better = success & (lengths < before)
        self._best_length[self.rows] = torch.where(better, lengths, before)
        found = self._success[self.rows] | better
        self._success[self.rows] = found
        stored = better | ~found
        self._adversarial[self.rows] = torch.where(broadcast(stored), images, self._adversarial[self.rows])

    def drop_solved(self, images: Images, success: Flags) -> Rows:
        """Records `images` and drops those that succeed; see `drop`."""
        self.record(images, success)
        return self.drop(success)

    def record_last(self, images: Images) -> Rows:
        """The same after a forward pass of `images`."""
        return self.drop_solved(images, self.success(self.logits(images))) if len(self.rows) else self.rows

    def adversarial(self) -> Images:
        """The best image so far."""
        return self._adversarial[self.rows]

    def drop(self, done: Flags) -> Rows:
        """Finishes images; returns which of the active ones stay, to select them from the caller's own tensors.

        A GPU is waited for here, and nowhere else in a step.
        """
        stay = torch.nonzero(~done)[:, 0]
        self.rows, self.clean, self.criterion = self.rows[stay], self.clean[stay], self.criterion.select(stay)
        return stay

    def reactivate(self, rows: Labels) -> None:
        """Makes finished images active again, by their row numbers."""
        self.rows, self.clean, self.criterion = rows, self._all_clean[rows], self._all_criterion.select(rows)

    def lengths(self) -> Scores:
        """Norm of every image's shortest adversarial perturbation, (N,).

        0 where the clean image meets the criterion, infinite where none was found.
        """
        return self._best_length.clone()

    def clip_to_epsilon(self, epsilon: float) -> None:
        """Projects perturbations longer than `epsilon` back; they no longer count as successes."""
        far = self.norm.length(self._adversarial - self._all_clean) > epsilon
        self._adversarial[far] = self.norm.within(self._adversarial[far], self._all_clean[far], epsilon)
        self._success &= ~far

    def count_step(self) -> None:
        """Counts a step of each active image."""
        self._steps[self.rows] += 1

    def result(self) -> AttackResult:
        """The result, of all images."""
        check_finite(torch.where(self._nan, torch.nan, 0.0).view(1, 1), self.model)
        margins = self._margin_history
        history = torch.stack(margins) if margins else self._all_clean.new_zeros(0, len(self._all_clean))
        costs = (self._steps, self._forwards, self._backwards)
        return AttackResult(self._all_clean, self._adversarial, self._success, *costs, history)

    def _record_margins(self, margins: Scores) -> None:
        row = torch.full_like(self._best_length, torch.nan)
        row[self.rows] = margins.to(row)
        self._margin_history.append(row)

    def _in_chunks(self, work: Callable[[slice], None]) -> None:
        in_chunks(len(self.rows), self._size, work)
