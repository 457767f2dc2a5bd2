import threading
import time

import numpy as np
import pytest

from vitrail.linear_svm.cholesky import cholesky_solve


@pytest.mark.parametrize(("kind", "error"), [(np.float32, 1e-3), (np.float64, 1e-10)])
@pytest.mark.parametrize("order", [0, 1, 7, 300])
def test_it_solves_what_numpy_solves(order, kind, error):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(order, order))
    matrix, right = half @ half.T + np.eye(order), rng.normal(size=order)
    found = cholesky_solve(matrix.astype(kind), right)
    assert found.dtype == np.float64
    np.testing.assert_allclose(matrix @ found, right, atol=error * max(1, order))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_matrix_that_lost_its_positivity_still_gives_a_finite_answer(kind):
    rng = np.random.default_rng(0)
    thin = rng.normal(size=(50, 3))
    matrix = (thin @ thin.T).astype(kind)  # of rank 3, so rounding makes some eigenvalues negative
    right = thin @ np.ones(3)
    found = cholesky_solve(matrix.copy(), right)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(matrix @ found, right, rtol=0.05, atol=0.05)


def test_other_threads_run_meanwhile():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(1500, 1500)).astype(np.float32)
    matrix, right = half @ half.T + 1500 * np.eye(1500, dtype=np.float32), np.ones(1500)
    worker = threading.Thread(target=lambda: [cholesky_solve(matrix.copy(), right) for _ in range(5)])
    ticks = 0
    worker.start()
    while worker.is_alive():
        time.sleep(0)
        ticks += 1
    assert ticks > 100  # while Python's lock is held there would be about one for each of five calls
