"""Squared-hinge linear SVMs, many at once, along a rising path of C, each with a certificate.

One column is one problem, over the weights w and a regularised intercept b (LinearSVC's objective):

    minimise  ½(‖w‖² + b²) + Σᵢ cᵢ max(0, 1 − yᵢ(w·xᵢ + b))²,    cᵢ = C · weightᵢ.

Newton's method on it is exact as soon as the set of samples inside the margin stays the same, so a few rounds do
(Keerthi & DeCoste, 2005, https://jmlr.org/papers/v6/keerthi05a.html; Chapelle, 2007,
https://doi.org/10.1162/neco.2007.19.5.1155). The objective is 1-strongly convex: its value is at most
½‖gradient‖² above the optimum, a bound that costs nothing and is what stops the rounds.

A weight of zero leaves a sample out while its score is still computed: cross-validation is one such path,
with a column for every class and fold, and the scores of the samples left out are its predictions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

Table = Float[ndarray, "samples columns"]  # a value per sample and problem
Coefficients = Float[ndarray, "size columns"]  # a weight vector per problem, as a space holds it
Row = Float[ndarray, " columns"]  # a value per problem

EASY = 50.0  # 2C times the mean squared length of samples up to which Newton's method gets there from zero
RISE = 10.0  # factor of C over which one solution is a good start for the next
ROUGH = 0.1  # relative gap that is enough on the way
ARMIJO = 1e-4  # share of the decrease promised by the slope that a step must keep
HALVINGS = 40


@runtime_checkable
class Solver(Protocol):
    """How the weights of all problems are held, and how a Newton step is found there."""

    size: int
    mean_square: float
    """Mean squared length of the samples, the intercept's 1 included; an estimate will do."""

    def gradient(self, coefficients: Coefficients, pull: Table) -> tuple[tuple[Coefficients, ...], Row]:
        """Gradient w − Σᵢ pullᵢ xᵢ as this space holds it, and its squared length."""

    def step(
        self, gradient: tuple[Coefficients, ...], costs: Table, active: Bool[ndarray, "samples columns"]
    ) -> tuple[Coefficients, Table]:
        """Newton step (I + 2 Σ_active cᵢ xᵢxᵢᵀ)⁻¹(−gradient), and what it adds to every score."""

    def inner(self, left: Coefficients, right: Coefficients, right_scores: Table) -> Row:
        """Inner product of two weight vectors, per problem."""

    def weights(self, coefficients: Coefficients) -> Float[ndarray, "weights columns"]:
        """(D + 1, columns), the weights with the intercept as last row."""


@dataclass(frozen=True)
class Problems:
    """What every column is to separate.

    Args:
        signs: (n, columns), +1 or −1.
        weights: (n, columns), factor of C per sample; 0 leaves the sample out.
    """

    signs: Table
    weights: Table

    def take(self, columns: ndarray) -> "Problems":
        """Only these columns."""
        return Problems(self.signs[:, columns], self.weights[:, columns])


@dataclass(frozen=True)
class Solution:
    """All problems at one C.

    Args:
        coefficients: (size, columns), as the space holds them; `Space.weights` turns them into weights.
        scores: (n, columns), w·x + b of every sample, left-out ones too.
        gap: (columns,), bound on (objective − optimum) / objective.
        rounds: Newton rounds taken.
    """

    C: float
    coefficients: Coefficients
    scores: Table
    gap: Row
    rounds: int


@dataclass(frozen=True)
class Stop:
    """When a problem is done: at this relative gap, or after this many rounds (`Solution.gap` tells which)."""

    gap: float
    rounds: int


def solve_path(solver: Solver, problems: Problems, Cs: Sequence[float], stop: Stop) -> Iterator[Solution]:
    """Yield the solution at each C, rising, each started from the one before.

    Where C, or the samples' length, is large, Newton's method from zero can take hundreds of rounds; a few rough
    solutions at smaller C on the way there take a dozen.
    """
    coefficients = np.zeros((solver.size, problems.signs.shape[1]))
    scores = np.zeros(problems.signs.shape)
    reached = EASY / (2 * solver.mean_square * max(float(problems.weights.max(initial=0)), np.finfo(float).tiny))

    def solve(C: float, stop: Stop) -> tuple[Row, int]:
        return _Descent(solver, Problems(problems.signs, C * problems.weights), coefficients, scores).run(stop)

    for C in sorted(Cs):
        while reached * RISE < C:
            solve(reached, Stop(max(stop.gap, ROUGH), stop.rounds))
            reached *= RISE
        gap, rounds = solve(C, stop)
        reached = max(reached, C)
        yield Solution(C, coefficients.copy(), scores.copy(), gap, rounds)


def mean_square(features: Float[ndarray, "samples dimension"]) -> float:
    """Mean squared length of about a thousand rows, each with a 1 added."""
    rows = np.asarray(features[:: max(1, len(features) // 1000)], dtype=np.float64)
    return 1.0 + float(np.einsum("nd,nd->", rows, rows)) / len(rows)


@dataclass
class _Descent:
    """Newton rounds at one C; changes `coefficients` and `scores` in place, column by column as long as needed."""

    solver: Solver
    problems: Problems
    coefficients: Coefficients
    scores: Table

    def run(self, stop: Stop) -> tuple[Row, int]:
        gap = np.full(self.scores.shape[1], np.inf)
        todo = np.arange(len(gap))
        for rounds in range(stop.rounds + 1):
            state = _State(self.solver, self.problems.take(todo), self.coefficients[:, todo], self.scores[:, todo])
            gradient, squared_length = self.solver.gradient(state.coefficients, state.pull)
            gap[todo] = squared_length / 2 / state.objective
            left = gap[todo] > stop.gap
            if not left.any() or rounds == stop.rounds:
                break
            todo = todo[left]
            step, score_step = state.take(left).newton(tuple(part[:, left] for part in gradient))
            self.coefficients[:, todo] += step
            self.scores[:, todo] += score_step
        return gap, rounds


class _State:
    """The objective and its pieces at the present weights of some problems."""

    def __init__(self, solver: Solver, problems: Problems, coefficients: Coefficients, scores: Table):
        self.solver, self.problems = solver, problems
        self.coefficients, self.scores = coefficients, scores
        self.hinge = np.maximum(0.0, 1.0 - problems.signs * scores)
        self.pull = 2.0 * problems.weights * problems.signs * self.hinge
        self.half_norm = solver.inner(coefficients, coefficients, scores) / 2
        self.objective = self.half_norm + _loss(problems.weights, self.hinge)

    def take(self, columns: Bool[ndarray, " columns"]) -> "_State":
        if columns.all():
            return self
        kept = self.problems.take(columns)
        return _State(self.solver, kept, self.coefficients[:, columns], self.scores[:, columns])

    def newton(self, gradient: tuple[Coefficients, ...]) -> tuple[Coefficients, Table]:
        """Newton step and its scores, shortened until the objective falls enough."""
        costs = self.problems.weights
        step, score_step = self.solver.step(gradient, costs, (self.hinge > 0) & (costs > 0))
        linear = self.solver.inner(self.coefficients, step, score_step)
        quadratic = self.solver.inner(step, step, score_step) / 2
        promised = linear - (self.pull * score_step).sum(axis=0)
        length = np.ones(len(linear))
        for _ in range(HALVINGS):
            hinge = np.maximum(0.0, 1.0 - self.problems.signs * (self.scores + length * score_step))
            reached = self.half_norm + length * linear + length**2 * quadratic + _loss(costs, hinge)
            short = reached > self.objective + ARMIJO * length * promised
            if not short.any():
                break
            length[short] /= 2
        return length * step, length * score_step


def _loss(costs: Table, hinge: Table) -> Row:
    return np.asarray(np.einsum("nk,nk,nk->k", costs, hinge, hinge))
