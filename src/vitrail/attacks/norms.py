"""Norms of perturbations, L-infinity and L2: length, steepest step, projection, random start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.tensors import Images, Scores
from vitrail.validation import check_number, describe

NormName = Literal["linf", "l2"]
TINY = 1e-12


class Norm(ABC):
    """A norm of perturbations (N, 3, H, W), in pixel intensity.

    Attributes:
        default_epsilon: the usual one for ImageNet networks (https://robustbench.github.io; Engstrom et al. for L2).
    """

    default_epsilon: float

    @abstractmethod
    def length(self, change: Images) -> Scores:
        """The norm of each perturbation, (N,)."""

    @abstractmethod
    def dual(self, gradient: Images) -> Scores:
        """The dual norm, (N,): the most that a step of length 1 gains to first order."""

    @abstractmethod
    def steepest(self, gradient: Images) -> Images:
        """The step of length 1 with the largest first-order gain; 0 where the gradient is 0."""

    @abstractmethod
    def project(self, change: Images, epsilon: Tensor | float) -> Images:
        """The projection onto the ball of radius `epsilon`, a number or (N,)."""

    def scale(self, change: Images, length: Scores) -> Images:
        """The perturbation, brought to `length` (N,) in the way that suits the norm."""
        return self.project(change, length)

    @abstractmethod
    def random(self, images: Images, generator: torch.Generator) -> Images:
        """A random perturbation of length at most 1 for each image."""

    def within(self, images: Images, clean: Images, epsilon: Tensor | float) -> Images:
        """`images`, projected to within `epsilon` of the clean ones and into [0, 1]."""
        return (clean + self.project(images - clean, epsilon)).clamp(0, 1)


class Linf(Norm):
    """L-infinity: the largest change of a value."""

    default_epsilon = 4 / 255

    def length(self, change: Images) -> Scores:
        """The norm of each perturbation, (N,)."""
        return change.flatten(1).abs().amax(dim=1)

    def dual(self, gradient: Images) -> Scores:
        """The L1 norm, (N,)."""
        return gradient.flatten(1).abs().sum(dim=1)

    def steepest(self, gradient: Images) -> Images:
        """The gradient's sign."""
        return gradient.sign()

    def project(self, change: Images, epsilon: Tensor | float) -> Images:
        """Every value clamped to [-epsilon, epsilon]."""
        limit = _broadcast(epsilon)
        return change.clamp(-limit, limit) if isinstance(limit, float) else torch.clamp(change, -limit, limit)

    def random(self, images: Images, generator: torch.Generator) -> Images:
        """Every value uniform in [-1, 1]."""
        return (2 * torch.rand(images.shape, generator=generator) - 1).to(images)


class L2(Norm):
    """L2: the Euclidean length."""

    default_epsilon = 3.0

    def length(self, change: Images) -> Scores:
        """The norm of each perturbation, (N,)."""
        return change.square().sum(dim=(1, 2, 3)).sqrt()

    def dual(self, gradient: Images) -> Scores:
        """The L2 norm, (N,)."""
        return self.length(gradient)

    def steepest(self, gradient: Images) -> Images:
        """The gradient, normalised to length 1; 0 where it is 0."""
        return gradient / _broadcast(self.length(gradient).clamp_min(TINY))

    def project(self, change: Images, epsilon: Tensor | float) -> Images:
        """Perturbations longer than `epsilon`, shortened to it."""
        return change * _broadcast((epsilon / self.length(change).clamp_min(TINY)).clamp_max(1))

    def scale(self, change: Images, length: Scores) -> Images:
        """The perturbation, rescaled to `length` (N,)."""
        return change * broadcast(length / self.length(change).clamp_min(TINY))

    def random(self, images: Images, generator: torch.Generator) -> Images:
        """A random direction, of length 1."""
        return self.steepest(torch.randn(images.shape, generator=generator).to(images))


NORMS: dict[str, Norm] = {"linf": Linf(), "l2": L2()}


def get_norm(name: str) -> Norm:
    """The norm of that name; raises `BadSetting`."""
    if not isinstance(name, str) or name not in NORMS:
        raise BadSetting(f"norm must be one of {', '.join(NORMS)}; got {describe(name)}.")
    return NORMS[name]


def epsilon_or_default(norm: str, epsilon: float | None) -> float:
    """The epsilon, or the norm's default if None; raises `BadSetting` if it is no positive number."""
    ball = get_norm(norm)
    if epsilon is None:
        return ball.default_epsilon
    check_epsilon(epsilon)
    if ball is NORMS["linf"] and epsilon > 1:
        raise BadSetting(
            f"epsilon of linf is at most 1, as intensities are in [0, 1]; got {epsilon:g}. "
            f"Use {f'{epsilon / 255:.4g} for {epsilon:g}/255' if epsilon <= 255 else 'e.g. 0.0314 for 8/255'}."
        )
    return epsilon


def check_epsilon(epsilon: float) -> float:
    """The epsilon; raises `BadSetting` if it is no positive number."""
    check_number("epsilon", epsilon, above=0, unit="in pixel intensity")
    return epsilon


def broadcast(values: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def _broadcast(values: Tensor | float) -> Tensor | float:
    return broadcast(values) if isinstance(values, Tensor) else values
