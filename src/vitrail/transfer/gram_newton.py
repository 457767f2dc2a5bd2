"""Newton steps through the Gram matrix: for a few thousand samples, whatever their dimension.

Weights are held as w = Σᵢ βᵢ xᵢ. With S the samples inside the margin and G the Gram matrix, the Newton step asks
for one solution of (G_SS + diag(1 / 2c)) ε = q per problem. Two things keep that cheap: the features are read once;
and in single precision a Cholesky factor takes half the time, while the gradient, always in double, corrects it in
the next round.
"""

from contextlib import AbstractContextManager

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg.lapack import dpotrf, dpotrs, spotrf, spotrs
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from vitrail.transfer.squared_hinge import Coefficients, Row, Table

Square = Float[ndarray, "rows rows"]
Features = Float[ndarray, "samples dimension"]

SINGLE_ORDER = 256  # below this order, single precision saves no time
SINGLE_CONDITION = 1e6  # above this condition number a single-precision factor misleads Newton's method
PARALLEL_ORDER = 2048  # below this order, the threads of a factorisation wait for each other more than they work
COLUMN_BLOCK = 2048


class GramSpace:
    """Weights as combinations of the samples; holds n² doubles and n² singles."""

    def __init__(self, features: Features):
        self.features = features
        self.size = len(features)
        self.gram = np.ones((self.size, self.size))
        for start in range(0, features.shape[1], COLUMN_BLOCK):
            block = features[:, start : start + COLUMN_BLOCK].astype(np.float64)
            self.gram += block @ block.T
        self.single = self.gram.astype(np.float32)
        self.trace = float(np.trace(self.gram))
        self._threads = ThreadpoolController()

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

    def step(
        self, gradient: tuple[Coefficients, ...], costs: Table, active: Bool[ndarray, "samples columns"]
    ) -> tuple[Coefficients, Table]:
        """Newton step and what it adds to every score: −gradient + ε, where only ε needs a factorisation."""
        coefficients, image = gradient
        correction = np.zeros_like(image)
        inside = active.sum(axis=0)
        with self._threads_for(int(inside.max(initial=0))):
            for column in range(len(inside)):
                rows = np.flatnonzero(active[:, column])
                correction[rows, column] = self._solve_inside(image[rows, column], costs[rows, column], rows)
        return correction - coefficients, self.gram @ correction - image

    def _threads_for(self, order: int) -> AbstractContextManager[object]:
        """Limit BLAS to one thread while matrices of a low order are factored."""
        limited: AbstractContextManager[object] = self._threads.limit(
            limits=None if order >= PARALLEL_ORDER else 1, user_api="blas"
        )
        return limited

    def _is_single(self, costs: Table) -> bool:
        return self.size >= SINGLE_ORDER and bool(2 * costs.max() * self.trace < SINGLE_CONDITION)

    def _solve_inside(
        self, right: Float[ndarray, " rows"], costs: Float[ndarray, " rows"], rows: ndarray
    ) -> Float[ndarray, " rows"]:
        """Solves (G_SS + diag(1 / 2c)) ε = right."""
        gram = self.single if self._is_single(costs[:, None]) else self.gram
        matrix = gram[rows].take(rows, axis=1)
        np.einsum("ii->i", matrix)[:] += (0.5 / costs).astype(matrix.dtype)
        return _cholesky_solve(matrix, right)


def _cholesky_solve(matrix: Square, right: Float[ndarray, " rows"]) -> Float[ndarray, " rows"]:
    """Solves matrix · x = right for a symmetric positive matrix, in its precision.

    Rounding can make a badly conditioned matrix lose that property; a rising multiple of the identity brings it back.
    The step is then shorter than Newton's, still downhill, and its certificate stays exact.
    """
    if not len(right):
        return right
    factorise, solve = (spotrf, spotrs) if matrix.dtype == np.float32 else (dpotrf, dpotrs)
    lift = np.finfo(matrix.dtype).eps * np.trace(matrix)
    while True:
        factor, failed = factorise(matrix.T, lower=1, clean=0)
        if not failed:
            solution, _ = solve(factor, right.astype(matrix.dtype), lower=1)
            return np.asarray(solution, dtype=np.float64)
        np.einsum("ii->i", matrix)[:] += lift
        lift *= 10
