"""Metrics of generated images against torch-fidelity and the authors' prdc, on equal features."""

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from vitrail.metrics import frechet_distance, kernel_distance, prdc

CUBIC = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}


@pytest.fixture(params=[(300, 300, 32), (120, 150, 200)], ids=["more images than features", "fewer"])
def pair(request):
    """Features that are never negative, as those of a network; samples lie beside the real ones."""
    samples, real, dimension = request.param
    draws = torch.Generator().manual_seed(0)
    mixing = torch.randn(dimension, dimension, generator=draws) / dimension**0.5
    return [
        (torch.randn(count, dimension, generator=draws) @ mixing + shift).relu()
        for count, shift in ((samples, 0.2), (real, 0.0))
    ]


def test_kernel_distance_is_the_kid_on_the_same_images(pair):
    samples, real = (each[:100] for each in pair)
    theirs = kid_features_to_metric(
        samples, real, kid_subsets=2, kid_subset_size=100, rng_seed=0, verbose=False, **CUBIC
    )
    ours = kernel_distance(samples, real, subsets=2, size=100)
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours.deviation == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-6)


def test_kernel_distance_varies_over_subsets_as_the_kid_does(pair):
    samples, real = pair
    theirs = kid_features_to_metric(
        samples, real, kid_subsets=200, kid_subset_size=50, rng_seed=0, verbose=False, **CUBIC
    )
    ours = kernel_distance(samples, real, subsets=200, size=50)
    deviation = theirs["kernel_inception_distance_std"]
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], abs=0.4 * deviation)
    assert ours.deviation == pytest.approx(deviation, rel=0.25)


def test_frechet_distance_is_theirs(pair):
    samples, real = pair
    moments = [fid_features_to_statistics(each.double()) for each in (samples, real)]
    theirs = fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(samples, real) == pytest.approx(theirs, rel=1e-4)


def test_prdc_is_the_authors(pair):
    samples, real = (each[:100] for each in pair)
    theirs = compute_prdc(real_features=real.numpy(), fake_features=samples.numpy(), nearest_k=5)
    ours = prdc(samples, real)
    for name, value in theirs.items():
        assert getattr(ours, name) == pytest.approx(value, abs=0.011), name
    assert np.isfinite(list(theirs.values())).all()
