"""The solver: optimal, certified, and the same whichever way its steps are taken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.linear_svm import dual_newton, primal_newton
from vitrail.linear_svm.dual_newton import DualSolver
from vitrail.linear_svm.primal_newton import PrimalSolver
from vitrail.linear_svm.squared_hinge import Problems, Stop, solve_path

EXACT = Stop(1e-12, 200)
SOLVERS = pytest.mark.parametrize("solver", [DualSolver, PrimalSolver])


def clouds(samples, dimension, columns, *, seed=0):
    """Features, and for every column a noisy linear rule to learn."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((samples, dimension)) + 0.3
    noise = rng.standard_normal((samples, columns))
    signs = np.where(features @ rng.standard_normal((dimension, columns)) + noise > 0.5, 1.0, -1.0)
    return features, Problems(signs, np.ones_like(signs))


def solve(solver, problems, Cs, stop=EXACT):
    """Weights and solution at each C."""
    return [(solver.weights(s.coefficients), s) for s in solve_path(solver, problems, Cs, stop)]


def objective(features, problems, C, weights):
    scores = features @ weights[:-1] + weights[-1]
    hinge = np.maximum(0, 1 - problems.signs * scores)
    return (weights**2).sum(axis=0) / 2 + C * (problems.weights * hinge**2).sum(axis=0)


def gradient(features, problems, C, weights):
    """The gradient written out once more, from the definition of the objective."""
    extended = np.hstack([features, np.ones((len(features), 1))])
    hinge = np.maximum(0, 1 - problems.signs * (extended @ weights))
    return weights - 2 * C * extended.T @ (problems.weights * problems.signs * hinge)


@SOLVERS
def test_two_points_on_a_line_have_the_closed_form(solver):
    # By symmetry the intercept is 0 and ½w² + 2C(1 − w)² is least at w = 4C / (1 + 4C).
    features, problems = np.array([[1.0], [-1.0]]), Problems(np.array([[1.0], [-1.0]]), np.ones((2, 1)))
    for C, (weights, _) in zip([0.1, 2.0], solve(solver(features), problems, [0.1, 2.0]), strict=True):
        assert weights[:, 0] == pytest.approx([4 * C / (1 + 4 * C), 0], abs=1e-9)


@SOLVERS
def test_separable_points_reach_the_margin_as_C_grows(solver):
    features, problems = np.array([[2.0], [-2.0]]), Problems(np.array([[1.0], [-1.0]]), np.ones((2, 1)))
    ((weights, solution),) = solve(solver(features), problems, [1e6])
    assert weights[:, 0] == pytest.approx([0.5, 0], abs=1e-5)
    assert np.abs(solution.scores[:, 0]) == pytest.approx([1, 1], abs=1e-5)


@SOLVERS
def test_a_sample_twice_is_a_sample_of_weight_two(solver):
    features, problems = clouds(40, 5, 3)
    heavy = Problems(problems.signs, np.repeat([[2.0], [1.0]], [10, 30], axis=0) * problems.weights)
    rows = np.r_[np.arange(40), np.arange(10)]
    ((weighted, _),) = solve(solver(features), heavy, [0.7])
    ((doubled, _),) = solve(solver(features[rows]), problems_at(problems, rows), [0.7])
    np.testing.assert_allclose(weighted, doubled, atol=1e-7)


@SOLVERS
def test_weight_zero_leaves_out_and_still_scores(solver):
    features, problems = clouds(60, 4, 2)
    kept = np.arange(60) >= 20
    masked = Problems(problems.signs, problems.weights * kept[:, None])
    ((weights, solution),) = solve(solver(features), masked, [0.3])
    ((alone, _),) = solve(solver(features[kept]), problems_at(problems, kept), [0.3])
    np.testing.assert_allclose(weights, alone, atol=1e-7)
    np.testing.assert_allclose(solution.scores, features @ weights[:-1] + weights[-1], atol=1e-9)


def problems_at(problems, rows):
    return Problems(problems.signs[rows], problems.weights[rows])


@pytest.mark.parametrize(("samples", "dimension"), [(400, 10), (400, 300), (60, 500)])
def test_both_solvers_agree(samples, dimension):
    features, problems = clouds(samples, dimension, 4)
    Cs = [0.001, 0.1, 10.0]
    pairs = zip(solve(DualSolver(features), problems, Cs), solve(PrimalSolver(features), problems, Cs), strict=True)
    for C, ((gram, _), (primal, _)) in zip(Cs, pairs, strict=True):
        np.testing.assert_allclose(gram, primal, atol=1e-6)
        values = [objective(features, problems, C, weights) for weights in (gram, primal)]
        np.testing.assert_allclose(*values, rtol=1e-9)


def test_conjugate_gradients_agree_with_factored_hessians(monkeypatch):
    features, problems = clouds(500, 30, 4)
    monkeypatch.setattr(primal_newton, "CHUNK_NUMBERS", 31 * 64)  # several chunks, the last one short
    factored = solve(PrimalSolver(features), problems, [0.01, 1.0])
    monkeypatch.setattr(primal_newton, "DIRECT_SIZE", 0)
    monkeypatch.setattr(primal_newton, "DIRECT_ITERATIONS", 0)
    monkeypatch.setattr(primal_newton, "cho_factor", None)  # so that a direct solution would fail
    iterated = solve(PrimalSolver(features), problems, [0.01, 1.0])
    for (left, _), (right, _) in zip(factored, iterated, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_a_shared_inverse_gives_what_separate_factors_give(monkeypatch):
    # With little loss all samples are inside the margin, and 20 problems make one inverse worth its price.
    features, problems = clouds(300, 320, 20)
    ((shared, _),) = solve(DualSolver(features), problems, [1e-4])
    monkeypatch.setattr(dual_newton, "INVERSE_CONDITION", 0)  # no matrix is inverted
    ((separate, _),) = solve(DualSolver(features), problems, [1e-4])
    assert not np.array_equal(shared, separate)  # the inverse was used
    np.testing.assert_allclose(shared, separate, atol=1e-7)


def test_an_inaccurate_step_is_solved_again_by_a_more_accurate_method(monkeypatch):
    features, problems = clouds(300, 320, 20)
    ((expected, _),) = solve(DualSolver(features), problems, [1e-4])
    inversions = []

    def wrong_inverse(factor, **options):
        inversions.append(len(factor))
        return 1e3 * np.eye(len(factor), dtype=np.float32), 0

    monkeypatch.setattr(dual_newton, "spotri", wrong_inverse)
    ((weights, _),) = solve(DualSolver(features), problems, [1e-4])
    assert inversions
    np.testing.assert_allclose(weights, expected, atol=1e-7)


@SOLVERS
def test_single_precision_features_lose_nothing_beyond_their_rounding(solver):
    features, problems = clouds(300, 40, 3)
    single = features.astype(np.float32)
    ((weights, _),) = solve(solver(single), problems, [1.0])
    ((exact, _),) = solve(solver(single.astype(np.float64)), problems, [1.0])
    np.testing.assert_allclose(weights, exact, atol=1e-6)


@SOLVERS
def test_the_gap_bounds_the_distance_to_the_optimum(solver):
    features, problems = clouds(80, 6, 3)
    ((weights, _),) = solve(solver(features), problems, [1.0])
    best = objective(features, problems, 1.0, weights)
    for rounds in range(4):
        ((early, solution),) = solve(solver(features), problems, [1.0], Stop(1e-12, rounds))
        value = objective(features, problems, 1.0, early)
        assert (value - best <= solution.gap * value * (1 + 1e-9) + 1e-12).all()
        assert rounds or (solution.gap > 1).all()


def test_a_path_is_what_single_solutions_are():
    features, problems = clouds(100, 8, 2)
    path = solve(DualSolver(features), problems, [10.0, 0.01, 1.0])
    assert [solution.C for _, solution in path] == [0.01, 1.0, 10.0]
    for weights, solution in path:
        ((alone, _),) = solve(DualSolver(features), problems, [solution.C])
        np.testing.assert_allclose(weights, alone, atol=1e-7)


@SOLVERS
def test_badly_scaled_features_are_solved_or_warned_about(solver):
    features, problems = clouds(300, 20, 2)
    for _, solution in solve(solver(features * 1e5), problems, [1e5], Stop(1e-6, 50)):
        assert np.isfinite(solution.gap).all()


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(2, 30),
    dimension=st.integers(1, 12),
    C=st.floats(1e-3, 1e2),
    scale=st.floats(1e-2, 10),
    seed=st.integers(0, 2**16),
)
def test_the_gradient_vanishes(samples, dimension, C, scale, seed):
    features, problems = clouds(samples, dimension, 2, seed=seed)
    features = scale * features
    for solver in (DualSolver(features), PrimalSolver(features)):
        ((weights, solution),) = solve(solver, problems, [C])
        slope = gradient(features, problems, C, weights)
        value = objective(features, problems, C, weights)
        assert (solution.gap <= 1e-12).all()
        assert (np.square(slope).sum(axis=0) / 2 <= 1e-9 * value).all()  # scores carry rounding, weights repeat it
