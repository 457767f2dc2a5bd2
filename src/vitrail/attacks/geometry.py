"""The two ways of measuring a change of an image, and what each means for a step and for a limit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.tensors import Images, Scores

NormName = Literal["linf", "l2"]
TINY = 1e-12


class Geometry(ABC):
    """A norm of changes (N, 3, H, W), in pixel intensity.

    Attributes:
        radius: the usual limit for ImageNet networks (https://robustbench.github.io; Engstrom et al. for L2).
    """

    radius: float

    @abstractmethod
    def length(self, change: Images) -> Scores:
        """The norm of each change, (N,)."""

    @abstractmethod
    def dual(self, gradient: Images) -> Scores:
        """How much a step of length 1 gains at most, (N,)."""

    @abstractmethod
    def steepest(self, gradient: Images) -> Images:
        """The step of length 1 that gains most; 0 where the gradient is 0."""

    @abstractmethod
    def project(self, change: Images, radius: Tensor | float) -> Images:
        """The nearest change of length `radius`, one for all or (N,), at most."""

    def scale(self, change: Images, radius: Scores) -> Images:
        """The change, brought to length `radius` (N,) in the way that suits the norm."""
        return self.project(change, radius)

    @abstractmethod
    def random(self, images: Images, generator: torch.Generator) -> Images:
        """A random change of length 1 at most for every image."""

    def within(self, images: Images, clean: Images, radius: Tensor | float) -> Images:
        """`images` brought to within `radius` of the clean ones, and into [0, 1]."""
        return (clean + self.project(images - clean, radius)).clamp(0, 1)


class Linf(Geometry):
    """The largest change of a value."""

    radius = 4 / 255

    def length(self, change: Images) -> Scores:
        """The norm of each change, (N,)."""
        return change.flatten(1).abs().amax(dim=1)

    def dual(self, gradient: Images) -> Scores:
        """How much a step of length 1 gains at most, (N,)."""
        return gradient.flatten(1).abs().sum(dim=1)

    def steepest(self, gradient: Images) -> Images:
        """The step of length 1 that gains most; 0 where the gradient is 0."""
        return gradient.sign()

    def project(self, change: Images, radius: Tensor | float) -> Images:
        """The nearest change of length `radius`, one for all or (N,), at most."""
        limit = _column(radius)
        return change.clamp(-limit, limit) if isinstance(limit, float) else torch.clamp(change, -limit, limit)

    def random(self, images: Images, generator: torch.Generator) -> Images:
        """A random change of length 1 at most for every image."""
        return (2 * torch.rand(images.shape, generator=generator) - 1).to(images)


class L2(Geometry):
    """The Euclidean length."""

    radius = 3.0

    def length(self, change: Images) -> Scores:
        """The norm of each change, (N,)."""
        return change.square().sum(dim=(1, 2, 3)).sqrt()

    def dual(self, gradient: Images) -> Scores:
        """How much a step of length 1 gains at most, (N,)."""
        return self.length(gradient)

    def steepest(self, gradient: Images) -> Images:
        """The step of length 1 that gains most; 0 where the gradient is 0."""
        return gradient / _column(self.length(gradient).clamp_min(TINY))

    def project(self, change: Images, radius: Tensor | float) -> Images:
        """The nearest change of length `radius`, one for all or (N,), at most."""
        return change * _column((radius / self.length(change).clamp_min(TINY)).clamp_max(1))

    def scale(self, change: Images, radius: Scores) -> Images:
        """The change, made longer or shorter."""
        return change * column(radius / self.length(change).clamp_min(TINY))

    def random(self, images: Images, generator: torch.Generator) -> Images:
        """A random change of length 1 for every image."""
        return self.steepest(torch.randn(images.shape, generator=generator).to(images))


NORMS: dict[str, Geometry] = {"linf": Linf(), "l2": L2()}


def geometry(norm: str) -> Geometry:
    """The geometry of that name; raises `BadSetting`."""
    if norm not in NORMS:
        raise BadSetting(f"norm must be one of {', '.join(NORMS)}; got {norm!r}.")
    return NORMS[norm]


def chosen_radius(norm: str, radius: float | None) -> float:
    """The radius, or the norm's usual one if None; raises `BadSetting` if it is no positive number."""
    return geometry(norm).radius if radius is None else checked_radius(radius)


def checked_radius(radius: float) -> float:
    """The radius; raises `BadSetting` if it is no positive number."""
    if not 0 < radius < float("inf"):
        raise BadSetting(f"radius must be above 0, in pixel intensity; got {radius}.")
    return radius


def column(numbers: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1)."""
    return numbers.view(-1, 1, 1, 1)


def _column(numbers: Tensor | float) -> Tensor | float:
    return column(numbers) if isinstance(numbers, Tensor) else numbers
