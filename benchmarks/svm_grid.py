"""Search over C: LinearSVMCV against GridSearchCV(LinearSVC), with the same folds and the same ten values.

    python benchmarks/svm_grid.py [--features x.npy --labels y.npy] [--rounds 2]

Runs alternate in one process; one JSON document goes to stdout. Without files, random features have the falling
spectrum and the overlapping classes of deep features. LinearSVC uses its dual solver, which is the faster one here and,
unlike the primal one that `dual="auto"` chooses at some shapes, does not stop far from the optimum.

`cpu_seconds` counts this process and, for `n_jobs` above 1, its workers, which are started anew for each run.
"""

import argparse
import json
import os
import resource
import time
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
from numpy import ndarray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import LinearSVC

from vitrail.linear_svm.estimators import LinearSVMCV

Cs = np.logspace(-2, 2, 10)
FOLDS = 5


def synthetic(samples: int = 1500, dimension: int = 1280, classes: int = 15) -> tuple[ndarray, ndarray]:
    """Non-negative features of unequal variance; of ten held-out samples about nine are told apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(samples) % classes
    spread = np.arange(1, dimension + 1) ** -0.5
    mixing = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    latent = (
        0.2 * rng.standard_normal((classes, dimension))[labels] + rng.standard_normal((samples, dimension))
    ) * spread
    return np.maximum(0, 10 * latent @ mixing + 0.2).astype(np.float32), labels


def ours(features: ndarray, labels: ndarray) -> dict[str, object]:
    model = LinearSVMCV(Cs, folds=FOLDS).fit(features, labels)
    accuracy = model.accuracy_path_.mean(axis=0)
    return {
        "C": model.C_,
        "accuracy": accuracy.round(4).tolist(),
        "gap": float(model.gap_.max()),
        "path_gap": float(model.path_gap_.max()),
    }


def grid_search(tol: float, n_jobs: int) -> Callable[[ndarray, ndarray], dict[str, object]]:
    def run(features: ndarray, labels: ndarray) -> dict[str, object]:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        model = LinearSVC(dual=True, tol=tol, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search = GridSearchCV(model, {"C": Cs}, cv=folds, n_jobs=n_jobs).fit(features, labels)
        _stop_workers()
        accuracy = search.cv_results_["mean_test_score"]
        return {"C": float(search.best_params_["C"]), "accuracy": accuracy.round(4).tolist()}

    return run


def _stop_workers() -> None:
    """Ends joblib's worker processes, so that their CPU time is counted."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(methods: dict[str, Callable[..., dict[str, object]]], data: tuple[ndarray, ndarray], rounds: int) -> dict:
    """Wall and CPU seconds of each method in alternating runs, and its C and accuracy."""
    results: dict[str, dict] = {name: {"wall_seconds": [], "cpu_seconds": []} for name in methods}
    for _ in range(rounds):
        for name, run in methods.items():
            wall, cpu = time.perf_counter(), _cpu_seconds()
            outcome = run(*data)
            results[name]["wall_seconds"].append(round(time.perf_counter() - wall, 3))
            results[name]["cpu_seconds"].append(round(_cpu_seconds() - cpu, 3))
            results[name].update(outcome)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", help=".npy of shape (n, D)")
    parser.add_argument("--labels", help=".npy of shape (n,)")
    parser.add_argument("--rounds", type=int, default=2, help="alternating runs of each")
    parser.add_argument("--tol", type=float, nargs="+", default=[1e-4, 1e-2], help="LinearSVC's tolerances to try")
    options = parser.parse_args()
    data = synthetic() if options.features is None else (np.load(options.features), np.load(options.labels))
    methods = {"vitrail": ours}
    for tol in options.tol:
        methods |= {f"grid tol={tol:g} n_jobs={jobs}": grid_search(tol, jobs) for jobs in (1, 2)}
    results = measure(methods, data, options.rounds)
    ratios = {
        name: {
            key: round(median(result[key]) / median(results["vitrail"][key]), 2)
            for key in ("wall_seconds", "cpu_seconds")
        }
        for name, result in results.items()
        if name != "vitrail"
    }
    shape = {"samples": len(data[0]), "dimension": data[0].shape[1], "classes": len(np.unique(data[1]))}
    print(json.dumps({"data": shape, "cores": os.cpu_count(), "times_faster": ratios, "runs": results}, indent=2))


if __name__ == "__main__":
    main()
