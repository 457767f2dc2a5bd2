"""Newton steps through the Gram matrix: for a few thousand samples of any dimension.

Weights are represented as w = Σᵢ βᵢ xᵢ. With S the samples inside the margin and G the Gram matrix, a Newton step
solves (G_SS + diag(1 / 2c)) ε = q for each problem. Three things make that cheap: the features are read once; a
Cholesky factor in single precision takes half the time, and the gradient, always in double precision, corrects it in
the next round; where more samples are inside the margin than outside, the complement is solved instead.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg.lapack import spotrf, spotri
from threadpoolctl import ThreadpoolController

from vitrail.devices import cpu_count
from vitrail.linear_svm.cholesky import cholesky_solve
from vitrail.linear_svm.squared_hinge import Coefficients, Row, Table, mean_square

Square = Float[ndarray, "rows rows"]
Features = Float[ndarray, "samples dimension"]
Mask = Bool[ndarray, "samples columns"]  # which samples are inside the margin, per problem

SINGLE_ORDER = 256  # below this order, single precision saves no time
SINGLE_CONDITION = 1e6  # above this condition number a factor in single precision is too inaccurate
INVERSE_CONDITION = 1e4  # above this condition number its inverse is: solutions come from it by cancellation
FORCING = 0.1  # largest residual of a step, relative to the gradient; above it, a more accurate method solves again
PARALLEL_ORDER = 2048  # below this order, the threads of one factorisation mostly wait for each other
COLUMN_BLOCK = 2048


class DualSolver:
    """Weights as linear combinations of the samples; takes 12 n² bytes of memory."""

    def __init__(self, features: Features):
        self.features = features
        self.size = len(features)
        self.mean_square = mean_square(features)
        self.gram = np.ones((self.size, self.size))
        for start in range(0, features.shape[1], COLUMN_BLOCK):
            block = features[:, start : start + COLUMN_BLOCK].astype(np.float64)
            self.gram += block @ block.T
        self.single = self.gram.astype(np.float32)
        self.trace = float(np.trace(self.gram))
        self._threads = ThreadpoolController()
        self._inverse: tuple[Float[ndarray, " rows"], Square] | None = None

    def gradient(self, coefficients: Coefficients, pull: Table) -> tuple[tuple[Coefficients, ...], Row]:
        """Gradient coefficients, the score of every sample under it, and its squared length."""
        gradient = coefficients - pull
        image = self.gram @ gradient
        return (gradient, image), self.inner(gradient, gradient, image)

    def inner(self, left: Coefficients, right: Coefficients, right_scores: Table) -> Row:
        """Inner product of two weight vectors, per problem."""
        return np.asarray(np.einsum("nk,nk->k", left, right_scores))

    def weights(self, coefficients: Coefficients) -> Float[ndarray, "weights columns"]:
        """(D + 1, columns), the weights with the intercept as last row."""
        return np.vstack([self.features.T @ coefficients, coefficients.sum(axis=0)])

    def step(self, gradient: tuple[Coefficients, ...], costs: Table, active: Mask) -> tuple[Coefficients, Table]:
        """Newton step and its change of every score: −gradient + ε, where only ε needs a factorisation."""
        coefficients, image = gradient
        correction, change = np.zeros_like(image), np.zeros_like(image)
        todo, length = np.arange(image.shape[1]), np.sqrt(np.maximum(self.inner(coefficients, coefficients, image), 0))
        for columns, solve in self._methods(image, costs, active):
            batch = np.intersect1d(todo, columns)
            solve(batch, correction)
            change[:, batch] = self.gram @ correction[:, batch]
            residual = correction[:, batch] + 2 * costs[:, batch] * active[:, batch] * (change - image)[:, batch]
            error = self.inner(residual, residual, self.gram @ residual)
            todo = np.setdiff1d(todo, batch[error <= (FORCING * length[batch]) ** 2])
        return correction - coefficients, change - image

    def _methods(
        self, image: Table, costs: Table, active: Mask
    ) -> Iterator[tuple[ndarray, Callable[[ndarray, Table], None]]]:
        """Columns and a method that solves them: the cheapest method first, the most accurate last."""
        every, inside, ridge = np.arange(image.shape[1]), active.sum(axis=0), _common_ridge(costs)
        if ridge is not None and self._is_single(costs, INVERSE_CONDITION) and self._worth_inverting(inside, ridge):
            yield np.flatnonzero(inside > self.size // 2), partial(self._by_inverse, image, active)
        if self._is_single(costs, SINGLE_CONDITION):
            yield every, partial(self._by_factors, self.single, image, costs, active)
        yield every, partial(self._by_factors, self.gram, image, costs, active)

    def _for_each(self, columns: ndarray, solve: Callable[[int], None], *, order: int) -> None:
        """Solves each column; matrices of a low order several at a time, on one BLAS thread each."""
        if order >= PARALLEL_ORDER:
            for column in columns.tolist():
                solve(column)
            return
        with self._threads.limit(limits=1, user_api="blas"), ThreadPoolExecutor(cpu_count()) as pool:
            for _ in pool.map(solve, columns.tolist()):
                pass

    def _is_single(self, costs: Table, condition: float) -> bool:
        return self.size >= SINGLE_ORDER and bool(2 * costs.max() * self.trace < condition)

    def _by_factors(
        self, gram: Square, image: Table, costs: Table, active: Mask, columns: ndarray, correction: Table
    ) -> None:
        """Solves (G_SS + diag(1 / 2c)) ε = image for each column, in the precision of `gram`."""

        def solve(column: int) -> None:
            rows = np.flatnonzero(active[:, column])
            matrix = gram[rows].take(rows, axis=1)
            np.einsum("ii->i", matrix)[:] += (0.5 / costs[rows, column]).astype(matrix.dtype)
            correction[rows, column] = cholesky_solve(matrix, image[rows, column])

        self._for_each(columns, solve, order=int(active[:, columns].sum(axis=0).max(initial=0)))

    def _worth_inverting(self, inside: ndarray, ridge: Float[ndarray, " rows"]) -> bool:
        """Whether one inverse of order n, if it is not cached, costs less than it saves."""
        if self._inverse is not None and np.array_equal(self._inverse[0], ridge):
            return True
        saved = np.maximum(inside.astype(float) ** 3 - (self.size - inside.astype(float)) ** 3, 0.0)
        if saved.sum() / 3 < float(self.size) ** 3:
            return False
        matrix = self.single.copy()
        np.einsum("ii->i", matrix)[:] += ridge.astype(np.float32)
        factor, failed = spotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
        inverse, failed_too = spotri(factor, lower=1, overwrite_c=1)
        if failed or failed_too:
            return False
        self._inverse = (ridge, np.tril(inverse) + np.tril(inverse, -1).T)
        return True

    def _by_inverse(self, image: Table, active: Mask, columns: ndarray, correction: Table) -> None:
        """Solves the same from B = (G + diag(1 / 2c))⁻¹: ε = B(image + μ), with μ outside S such that ε is 0 there."""
        assert self._inverse is not None
        inverse, inside = self._inverse[1], active[:, columns]
        unconstrained = inverse @ np.where(inside, image[:, columns], 0.0).astype(np.float32)
        multipliers = np.zeros_like(unconstrained)

        def solve(column: int) -> None:
            rows = np.flatnonzero(~inside[:, column])
            multipliers[rows, column] = cholesky_solve(inverse[rows].take(rows, axis=1), -unconstrained[rows, column])

        self._for_each(np.arange(len(columns)), solve, order=self.size // 2)
        correction[:, columns] = np.where(inside, unconstrained + inverse @ multipliers, 0.0)


def _common_ridge(costs: Table) -> Float[ndarray, " samples"] | None:
    """1 / 2c per sample if all problems that use a sample give it the same cost, else None."""
    highest = costs.max(axis=1)
    if not ((costs == 0) | (costs == highest[:, None])).all():
        return None
    return np.asarray(0.5 / np.where(highest > 0, highest, highest.max()))
