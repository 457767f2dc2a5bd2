"""Squared-hinge linear SVMs, many at once, along a rising path of C, each with a bound on its suboptimality.

One column is one problem, over the weights w and a regularised intercept b (LinearSVC's objective):

    minimise  ½(‖w‖² + b²) + Σᵢ cᵢ max(0, 1 − yᵢ(w·xᵢ + b))²,    cᵢ = C · weightᵢ.

Newton's method is exact as soon as the set of samples inside the margin stays the same, so it takes a few rounds
(Keerthi & DeCoste, 2005, https://jmlr.org/papers/v6/keerthi05a.html; Chapelle, 2007,
https://doi.org/10.1162/neco.2007.19.5.1155). The objective is 1-strongly convex: its value is at most
½‖gradient‖² above the optimum. This bound costs nothing and stops the rounds.

A sample of weight 0 is left out, while its score is still computed: cross-validation is one such path, with a column
for every class and fold, and the scores of the samples left out are its predictions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

Table = Float[ndarray, "samples columns"]  # a value per sample and problem
Coefficients = Float[ndarray, "size columns"]  # a weight vector per problem, in the solver's representation
Row = Float[ndarray, " columns"]  # a value per problem

COLD_START_LIMIT = 50.0  # 2C times the mean squared length of samples up to which Newton's method starts from zero
WARM_START_RATIO = 10.0  # ratio of C up to which one solution is a good start for the next
WARM_START_GAP = 0.1  # relative gap of the solutions on the way
ARMIJO = 1e-4  # share of the decrease predicted by the directional derivative that a step must reach
HALVINGS = 40  # of the step length


@runtime_checkable
class Solver(Protocol):
    """Representation of the weights of all problems, and the Newton step in it."""

    size: int
    mean_square: float
    """Mean squared length of the samples, the intercept's 1 included; may be an estimate."""

    def gradient(self, coefficients: Coefficients, pull: Table) -> tuple[tuple[Coefficients, ...], Row]:
        """Gradient w − Σᵢ pullᵢ xᵢ in this representation, and its squared length."""

    def step(
        self, gradient: tuple[Coefficients, ...], costs: Table, active: Bool[ndarray, "samples columns"]
    ) -> tuple[Coefficients, Table]:
        """Newton step (I + 2 Σ_active cᵢ xᵢxᵢᵀ)⁻¹(−gradient), and its change of every score."""

    def inner(self, left: Coefficients, right: Coefficients, right_scores: Table) -> Row:
        """Inner product of two weight vectors, per problem."""

    def weights(self, coefficients: Coefficients) -> Float[ndarray, "weights columns"]:
        """(D + 1, columns), the weights with the intercept as last row."""


@dataclass(frozen=True)
class Problems:
    """Two-class problems, one a column.

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
        coefficients: (size, columns), in the solver's representation; `Solver.weights` converts them.
        scores: (n, columns), w·x + b of every sample, left-out ones too.
        gap: (columns,), bound on (objective − optimum) / objective.
        rounds: number of Newton rounds.
    """

    C: float
    coefficients: Coefficients
    scores: Table
    gap: Row
    rounds: int


@dataclass(frozen=True)
class Stop:
    """Stopping rule of a problem: at this relative gap, or after this many rounds."""

    gap: float
    rounds: int


def solve_path(solver: Solver, problems: Problems, Cs: Sequence[float], stop: Stop) -> Iterator[Solution]:
    """Yields the solution at each C, rising, each started from the one before.

    Where C or the samples' length is large, Newton's method from zero can take hundreds of rounds; with a few rough
    solutions at smaller C on the way it takes a dozen.
    """
    coefficients = np.zeros((solver.size, problems.signs.shape[1]))
    scores = np.zeros(problems.signs.shape)
    heaviest = max(float(problems.weights.max(initial=0)), np.finfo(float).tiny)
    reached = COLD_START_LIMIT / (2 * solver.mean_square * heaviest)

    def solve(C: float, stop: Stop) -> tuple[Row, int]:
        return _Descent(solver, Problems(problems.signs, C * problems.weights), coefficients, scores).run(stop)

    for C in sorted(Cs):
        while reached * WARM_START_RATIO < C:
            solve(reached, Stop(max(stop.gap, WARM_START_GAP), stop.rounds))
            reached *= WARM_START_RATIO
        gap, rounds = solve(C, stop)
        reached = max(reached, C)
        yield Solution(C, coefficients.copy(), scores.copy(), gap, rounds)


def mean_square(features: Float[ndarray, "samples dimension"]) -> float:
    """Mean squared length of about a thousand rows, each with a 1 added."""
    rows = np.asarray(features[:: max(1, len(features) // 1000)], dtype=np.float64)
    return 1.0 + float(np.einsum("nd,nd->", rows, rows)) / len(rows)


@dataclass
class _Descent:
    """Newton rounds at one C; updates `coefficients` and `scores` in place until each column has converged."""

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
    """The objective and its terms at the current weights of some problems."""

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
        subset = self.problems.take(columns)
        return _State(self.solver, subset, self.coefficients[:, columns], self.scores[:, columns])

    def newton(self, gradient: tuple[Coefficients, ...]) -> tuple[Coefficients, Table]:
        """Newton step and its change of scores, shortened until the objective decreases enough (Armijo's rule)."""
        costs = self.problems.weights
        step, score_step = self.solver.step(gradient, costs, (self.hinge > 0) & (costs > 0))
        linear = self.solver.inner(self.coefficients, step, score_step)
        quadratic = self.solver.inner(step, step, score_step) / 2
        predicted = linear - (self.pull * score_step).sum(axis=0)
        length = np.ones(len(linear))
        for _ in range(HALVINGS):
            hinge = np.maximum(0.0, 1.0 - self.problems.signs * (self.scores + length * score_step))
            objective = self.half_norm + length * linear + length**2 * quadratic + _loss(costs, hinge)
            too_long = objective > self.objective + ARMIJO * length * predicted
            if not too_long.any():
                break
            length[too_long] /= 2
        return length * step, length * score_step


def _loss(costs: Table, hinge: Table) -> Row:
    return np.asarray(np.einsum("nk,nk,nk->k", costs, hinge, hinge))
