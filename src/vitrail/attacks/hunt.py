"""The images of one run: which are still hunted, what was found, what each of them cost.

An image that is finished leaves the batch, so that it costs nothing more.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import NORMS, Geometry
from vitrail.attacks.goal import Flags, Goal
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import InputGradient, Objective, in_chunks, input_gradient, max_batch_size
from vitrail.image_ascent.input_gradient import check_finite
from vitrail.tensors import Images, Labels, Logits, Scores

ROUNDING = 1e-5  # of the largest logit


class Hunt:
    """Starts with one look at the clean images; those that fool the network already are finished.

    Everything that goes in and out concerns the active images, in their order.

    Attributes:
        rows: (A,), numbers of the active images.
        clean, goal: the active images as they were, and what is wanted of them.
    Raises:
        BadSetting: another number of labels than of images, a class that the network does not have, no step.
    """

    def __init__(self, backbone: Backbone, images: Images, goal: Goal, *, steps: int, norm: Geometry = NORMS["l2"]):
        if len(images) != len(goal.labels):
            raise BadSetting(f"Every image needs one label; got {len(goal.labels)} for {len(images)} images.")
        if steps < 1:
            raise BadSetting(f"steps must be 1 or more; got {steps}.")
        self.backbone, self.norm = backbone, norm
        self._all = images.detach()
        self._found = self._all.clone()
        count = torch.zeros(len(images), dtype=torch.long, device=images.device)
        self._reached, self._nearest = count > 0, torch.full_like(count, torch.inf, dtype=torch.float32)
        self._steps, self._forwards, self._backwards = count, count.clone(), count.clone()
        self._path: list[Tensor] = []
        self.rows = torch.arange(len(images), device=images.device)
        self.clean, self.goal, self._goal = self._all, goal, goal
        self._size = max_batch_size(backbone, self._all) if len(images) > 1 else 1
        self.keep(self.clean, self.goal.reached(self.look(self.clean)))

    @property
    def nearest(self) -> Scores:
        """Length of the shortest change of each active image that reaches the goal; infinite before."""
        return self._nearest[self.rows]

    def look(self, images: Images) -> Logits:
        """What the network says of `images`; a forward pass each."""
        parts: list[Tensor] = []

        def work(chunk: slice) -> None:
            with torch.no_grad():
                parts.append(self.backbone(images[chunk]))

        self._in_chunks(work)
        self._forwards[self.rows] += 1
        logits = torch.cat(parts) if parts else images.new_zeros(0, 1)
        check_finite(logits, self.backbone)
        return logits

    def reached(self, logits: Logits) -> Flags:
        """Which images reach the goal by more than rounding: a batch of another size must not say otherwise."""
        return self.goal.scores(logits) - self.goal.confidence > ROUNDING * logits.abs().amax(dim=1)

    def gap(self, scores: Scores, logits: Logits) -> Scores:
        """How much is missing for `reached`, in logits; negative beyond the border."""
        return self.goal.confidence + 2 * ROUNDING * logits.abs().amax(dim=1) - scores

    def input_gradient(self, images: Images, objective: Callable[[Goal], Objective] = Goal.objective) -> InputGradient:
        """The goal's objective (or another one made from it), its gradient and the logits; noted in the path."""
        parts: list[InputGradient] = []

        def work(chunk: slice) -> None:
            parts.append(input_gradient(self.backbone, images[chunk], objective(self.goal.take(chunk))))

        self._in_chunks(work)
        self._forwards[self.rows] += 1
        self._backwards[self.rows] += 1
        found = InputGradient(
            *(torch.cat([getattr(part, name) for part in parts]) for name in ("scores", "gradient", "logits"))
        )
        self._note(self.goal.scores(found.logits))
        return found

    def several(
        self, images: Images, work: Callable[[Images, Goal], tuple[Tensor, ...]], *, backwards: int
    ) -> list[Tensor]:
        """What `work` gives of images and goals, chunk by chunk; it goes back through the network so many times."""
        parts: list[tuple[Tensor, ...]] = []
        self._in_chunks(lambda chunk: parts.append(work(images[chunk], self.goal.take(chunk))))
        self._forwards[self.rows] += 1
        self._backwards[self.rows] += backwards
        return [torch.cat(column) for column in zip(*parts, strict=True)]

    def offer(self, images: Images, reached: Flags) -> None:
        """Of `images` those count that reach the goal nearer than any before; or at all, if none has yet."""
        lengths = self.norm.length(images - self.clean)
        better = reached & (lengths < self.nearest)
        chosen = self.rows[better]
        self._nearest[chosen], self._reached[chosen] = lengths[better].to(self._nearest), True
        shown = better | ~self._reached[self.rows]  # where nothing was found, the last one tried
        self._found[self.rows[shown]] = images[shown]

    def keep(self, images: Images, reached: Flags) -> Flags:
        """Offers `images` and lets those go that reach the goal; see `finish`."""
        self.offer(images, reached)
        return self.finish(reached)

    def keep_last(self, images: Images) -> Flags:
        """The same after a look at `images`."""
        return self.keep(images, self.reached(self.look(images))) if len(self.rows) else self.rows > 0

    def found(self) -> Images:
        """The best of each active image so far."""
        return self._found[self.rows]

    def finish(self, done: Flags) -> Flags:
        """Lets images go; gives the mask of those that stay, to take along whatever else one holds of them."""
        stay = ~done
        self.rows, self.clean, self.goal = self.rows[stay], self.clean[stay], self.goal.take(stay)
        return stay

    def resume(self, rows: Labels) -> None:
        """Takes up images again that were finished."""
        self.rows, self.clean, self.goal = rows, self._all[rows], self._goal.take(rows)

    def lengths(self) -> Scores:
        """Of every image: the length of the shortest change found; 0 if it was wrong already, infinite if none."""
        return self._nearest.clone()

    def give_up_beyond(self, limit: float) -> None:
        """What was found further away than `limit` is brought within it and no longer counts as found."""
        far = self.norm.length(self._found - self._all) > limit
        self._found[far] = self.norm.within(self._found[far], self._all[far], limit)
        self._reached &= ~far

    def moved(self) -> None:
        """Counts a step for each active image."""
        self._steps[self.rows] += 1

    def result(self) -> Attacked:
        """What was found, of all images."""
        path = torch.stack(self._path) if self._path else self._all.new_zeros(0, len(self._all))
        costs = (self._steps, self._forwards, self._backwards)
        return Attacked(self._all, self._found, self._reached, *costs, path)

    def _note(self, scores: Scores) -> None:
        line = torch.full_like(self._nearest, torch.nan)
        line[self.rows] = scores.to(line)
        self._path.append(line)

    def _in_chunks(self, work: Callable[[slice], None]) -> None:
        in_chunks(len(self.rows), self._size, work)
