"""Newton steps on the weights themselves: for many samples of moderate dimension, read in chunks.

The Hessian of a problem with few samples inside the margin, or few features, is formed and factorised. All other
problems share one run of conjugate gradients, preconditioned in the eigenbasis of XᵀX, so that the features are
multiplied by a matrix and not by one vector at a time. The features are never copied whole: gradients and scores
convert one chunk at a time to double precision; the inner iterations use single precision, which the next gradient
corrects.

Memory beyond the features: two (D + 1)² matrices of doubles, one chunk, and a few (n, columns) tables of doubles.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve, eigh

from vitrail.linear_svm.squared_hinge import Coefficients, Row, Table, mean_square

Features = Float[ndarray, "samples dimension"]

DIRECT_SIZE = 128  # up to this size the Hessian is always formed
DIRECT_ITERATIONS = 15  # above it, if that costs no more than this many iterations of conjugate gradients
CHUNK_NUMBERS = 2**22  # 32 MB of doubles
FORCING = 0.1  # residual, relative to the gradient, at which conjugate gradients stop
MAX_ITERATIONS = 100


class PrimalSolver:
    """Weights as a plain vector, the intercept as last coefficient."""

    def __init__(self, features: Features):
        self.features = features
        self.size = features.shape[1] + 1
        self.mean_square = mean_square(features)
        self._rows = max(1, CHUNK_NUMBERS // self.size)
        self._basis: tuple[ndarray, ndarray] | None = None

    def gradient(self, coefficients: Coefficients, pull: Table) -> tuple[tuple[Coefficients, ...], Row]:
        """Gradient and its squared length."""
        gradient = coefficients - self._transposed(pull)
        return (gradient,), _dot(gradient, gradient)

    def inner(self, left: Coefficients, right: Coefficients, right_scores: Table) -> Row:
        """Inner product of two weight vectors, per problem."""
        return _dot(left, right)

    def weights(self, coefficients: Coefficients) -> Coefficients:
        """(D + 1, columns), the weights with the intercept as last row."""
        return coefficients

    def step(
        self, gradient: tuple[Coefficients, ...], costs: Table, active: Bool[ndarray, "samples columns"]
    ) -> tuple[Coefficients, Table]:
        """Newton step and its change of every score."""
        curvature = np.where(active, 2.0 * costs, 0.0)
        step = np.empty_like(gradient[0])
        cost = active.sum(axis=0) * self.size + self.size**2 / 6
        direct = (cost <= DIRECT_ITERATIONS * len(active)) | (self.size <= DIRECT_SIZE)
        for column in np.flatnonzero(direct):
            step[:, column] = self._direct(-gradient[0][:, column], curvature[:, column])
        if not direct.all():
            step[:, ~direct] = self._conjugate_gradients(-gradient[0][:, ~direct], curvature[:, ~direct])
        scores = np.empty(costs.shape)
        for rows, chunk in self._chunks(np.float64):
            scores[rows] = chunk @ step[:-1] + step[-1]
        return step, scores

    def _chunks(self, dtype: type[np.floating]) -> Iterator[tuple[slice, Features]]:
        for start in range(0, len(self.features), self._rows):
            rows = slice(start, start + self._rows)
            yield rows, self.features[rows].astype(dtype, copy=False)

    def _transposed(self, table: Table) -> Coefficients:
        """X̃ᵀ table, with X̃ the features and a column of ones."""
        total = np.zeros((self.size, table.shape[1]))
        for rows, chunk in self._chunks(np.float64):
            total[:-1] += chunk.T @ table[rows]
        total[-1] = table.sum(axis=0)
        return total

    def _direct(self, right: Float[ndarray, " size"], curvature: Float[ndarray, " rows"]) -> Float[ndarray, " size"]:
        """Solves (I + X̃ᵀ diag(curvature) X̃) step = right for one problem by Cholesky's factorisation."""
        hessian = np.eye(self.size)
        inside = np.flatnonzero(curvature)
        for start in range(0, len(inside), self._rows):
            rows = inside[start : start + self._rows]
            scaled = _with_ones(self.features[rows].astype(np.float64)) * np.sqrt(curvature[rows, None])
            hessian += scaled.T @ scaled
        factor = cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False)
        return np.asarray(cho_solve(factor, right, check_finite=False))

    def _conjugate_gradients(self, right: Coefficients, curvature: Table) -> Coefficients:
        """Preconditioned conjugate gradients for all problems together, until each residual is small."""
        scale = 1.0 + np.outer(self._eigenbasis()[1], curvature.mean(axis=0))
        step, residual = np.zeros_like(right), right.copy()
        preconditioned = self._precondition(residual, scale)
        direction, norm = preconditioned, _dot(residual, preconditioned)
        tolerance = FORCING**2 * norm
        for _ in range(MAX_ITERATIONS):
            product = self._hessian_product(direction, curvature)
            length = norm / np.maximum(_dot(direction, product), np.finfo(float).tiny)
            step += length * direction
            residual -= length * product
            preconditioned = self._precondition(residual, scale)
            previous, norm = norm, _dot(residual, preconditioned)
            if (norm <= tolerance).all():
                break
            direction = preconditioned + norm / np.maximum(previous, np.finfo(float).tiny) * direction
        return step

    def _hessian_product(self, direction: Coefficients, curvature: Table) -> Coefficients:
        """Product of (I + X̃ᵀ diag(curvature) X̃) with the directions, from one pass over the features."""
        product = direction.copy()
        single = direction.astype(np.float32)
        for rows, chunk in self._chunks(np.float32):
            weighted = (chunk @ single[:-1] + single[-1]) * curvature[rows].astype(np.float32)
            product[:-1] += chunk.T @ weighted
            product[-1] += weighted.sum(axis=0)
        return product

    def _precondition(self, table: Coefficients, scale: Coefficients) -> Coefficients:
        vectors = self._eigenbasis()[0]
        return np.asarray(vectors @ ((vectors.T @ table) / scale))

    def _eigenbasis(self) -> tuple[ndarray, ndarray]:
        """Eigenvectors and eigenvalues of X̃ᵀX̃, computed on first use."""
        if self._basis is None:
            square = np.zeros((self.size, self.size))
            for _, chunk in self._chunks(np.float64):
                extended = _with_ones(chunk)
                square += extended.T @ extended
            values, vectors = eigh(square, overwrite_a=True, check_finite=False, driver="evd")
            self._basis = vectors, np.maximum(values, 0.0)
        return self._basis


def _with_ones(chunk: Features) -> Float[ndarray, "samples size"]:
    return np.concatenate([chunk, np.ones((len(chunk), 1), dtype=chunk.dtype)], axis=1)


def _dot(left: Coefficients, right: Coefficients) -> Row:
    return np.asarray(np.einsum("dk,dk->k", left, right))
