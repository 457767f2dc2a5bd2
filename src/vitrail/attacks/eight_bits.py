"""Fooling images that stay so as 8-bit files: the shortest change in whole 255ths that can be found.

A change is rounded in its direction at several lengths, so that small parts of it vanish and large ones stay (after
the quantised form of DDN, Rony et al., 2019, https://arxiv.org/abs/1811.09600). Then two moves take turns, each ended
by bisection where the network is only just fooled: the change is turned towards the slope, by 1/255 a value at most, as
the shortest change points along it; and the steps of 1/255 that matter least are taken back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import TINY, column
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import Backbone
from vitrail.images import to_bytes, to_unit
from vitrail.tensors import Images, Logits, Pixels, Scores

Judge = Callable[[Pixels], Logits]
FORWARDS = 90
ROUND = 10  # forward passes that one round takes: a gradient, and halvings
HALVINGS = 8
DOUBLINGS = 6


def to_eight_bits(
    backbone: Backbone,
    images: Images,
    attacked_images: Images,
    goal: Goal,
    *,
    forwards_left: int = FORWARDS,
    judge: Judge | None = None,
) -> Attacked:
    """Images in whole 255ths that reach the goal exactly as the file will, as near to `images` as can be found.

    Args:
        images: the images before the attack; brought to whole 255ths first.
        attacked_images: what an attack made of them; tells the direction.
        forwards_left: roughly how many passes, forward or back, each image may cost.
        judge: pixels to logits, as the saved file will be read; None: the network on `pixels / 255`.
    """
    clean = to_unit(to_bytes(images))
    hunt = _Rounded(backbone, clean, goal, judge)
    if len(hunt.rows):
        hunt.round(attacked_images.detach()[hunt.rows] - hunt.clean)
        for number in range((forwards_left - DOUBLINGS - HALVINGS) // ROUND):
            if number and number % 2 == 0:
                hunt.take_back()
            else:
                hunt.turn(0.5 if number else 1.0)
    return hunt.result()


class _Rounded(Hunt):
    """A hunt on the grid of 255ths, whose verdict is the judge's."""

    def __init__(self, backbone: Backbone, clean: Images, goal: Goal, judge: Judge | None) -> None:
        self._judge = judge
        super().__init__(backbone, clean, goal, steps=1)

    def look(self, images: Images) -> Logits:
        """What the judge says of the pixels."""
        if self._judge is None:
            return super().look(images)
        self._forwards[self.rows] += 1
        with torch.no_grad():
            return self._judge(to_bytes(images))

    def round(self, direction: Images) -> None:
        """Finds the shortest multiple of `direction` that still fools when rounded."""
        unit = direction / column(direction.flatten(1).norm(dim=1).clamp_min(TINY))
        low = direction.flatten(1).norm(dim=1).clamp_min(1 / 255)
        low, high = low / 4, low.clone()
        for _ in range(DOUBLINGS):
            fooled = self._try(unit, high)
            if fooled.all():
                break
            low, high = torch.where(fooled, low, high), torch.where(fooled, high, 2 * high)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            fooled = self._try(unit, middle)
            low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)

    def _try(self, unit: Images, length: Scores) -> Tensor:
        wanted = (self.clean + column(length) * unit).clamp(0, 1)
        images = to_unit(to_bytes(wanted))
        fooled = self.goal.reached(self.look(images))
        self.offer(images, fooled)
        return fooled

    def turn(self, share: float) -> None:
        """Moves every value by up to 1/255 towards a change along the slope, its length as short as still fools.

        Args:
            share: how far the change that is aimed at lies from the present one to the one along the slope.
        """
        best = self.found()
        gradient = self.input_gradient(best).gradient
        unit = gradient / column(gradient.flatten(1).norm(dim=1).clamp_min(TINY))
        change = ((best - self.clean) * 255).round()
        length = change.flatten(1).norm(dim=1)
        low, high = torch.zeros_like(length), 2 * length
        for _ in range(ROUND - 2):
            wanted = (1 - share) * change + share * column(length) * unit
            moved = change + (wanted.round() - change).clamp(-1, 1)
            images = to_unit(to_bytes(self.clean + moved / 255))
            fooled = self.goal.reached(self.look(images))
            self.offer(images, fooled)
            low, high = torch.where(fooled, low, length), torch.where(fooled, length, high)
            length = (low + high) / 2
        self.moved()

    def take_back(self) -> None:
        """Moves the changes that earn little back by 1/255, those that earn least first, as many as keep it fooled."""
        best = self.found()
        gradient = self.input_gradient(best).gradient
        change = (best - self.clean) * 255
        sign = change.sign().round()
        earned = (gradient * sign / (2 * change.abs().round() - 1).clamp_min(1)).flatten(1)
        earned = earned.masked_fill(sign.flatten(1) == 0, torch.inf)
        order = earned.argsort(dim=1)
        changed = (sign != 0).flatten(1).sum(dim=1)
        low, high = torch.zeros_like(changed), changed
        rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).to(order).expand_as(order))
        tried = (changed // 8).clamp_min(1)
        for _ in range(ROUND - 2):
            back = (rank < tried[:, None]).view_as(sign) * sign
            images = to_unit(to_bytes(best - back / 255))
            fooled = self.goal.reached(self.look(images))
            self.offer(images, fooled)
            low, high = torch.where(fooled, tried, low), torch.where(fooled, high, tried)
            tried = (low + high + 1) // 2
        self.moved()
