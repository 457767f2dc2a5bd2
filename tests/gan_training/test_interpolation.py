"""A walk keeps to the sphere at unit speed, and ends exactly where it should."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.gan_training.interpolation import interpolate, lerp, slerp
from vitrail.gan_training.sampling import latents_of

FRACTIONS = torch.linspace(0, 1, 11)


def angle(one, other):
    """By the half-angle formula, which stays accurate where the cosine is near 1."""
    one, other = one.double() / one.double().norm(), other.double() / other.double().norm()
    return 2 * math.atan2(float((one - other).norm()), float((one + other).norm()))


@given(st.integers(0, 10_000), st.integers(2, 200), st.floats(0.1, 30))
@settings(max_examples=40, deadline=None)
def test_the_direction_turns_evenly_and_the_length_goes_evenly(seed, dimension, scale):
    start, end = latents_of(seed, 2, dimension)
    end = scale * end
    points = slerp(start, end, FRACTIONS)
    assert torch.equal(points[0], start)
    assert torch.equal(points[-1], end)
    whole = angle(start, end)
    for fraction, point in zip(FRACTIONS.tolist(), points, strict=True):
        assert angle(start, point) == pytest.approx(fraction * whole, abs=1e-5)
        assert angle(point, end) == pytest.approx((1 - fraction) * whole, abs=1e-5)
    torch.testing.assert_close(points.norm(dim=1), torch.lerp(start.norm(), end.norm(), FRACTIONS))


def test_for_vectors_of_one_length_it_is_whites_formula():
    start, end = torch.nn.functional.normalize(latents_of(3, 2, 50), dim=1).double()
    omega = torch.arccos(start @ end)
    fraction = FRACTIONS.double()[:, None]
    written = (torch.sin((1 - fraction) * omega) * start + torch.sin(fraction * omega) * end) / torch.sin(omega)
    points = slerp(start, end, FRACTIONS)
    torch.testing.assert_close(points, written)
    assert torch.equal(points[0], start)
    assert torch.equal(points[-1], end)


@pytest.mark.parametrize("dimension", [1, 2, 100])
@pytest.mark.parametrize("factor", [1.0, 1.0 + 1e-6, 2.0, -1.0, -3.0, 0.0])
def test_equal_and_opposite_vectors_and_nothing_at_all(dimension, factor):
    start = latents_of(1, 1, dimension)[0]
    points = slerp(start, factor * start, FRACTIONS)
    assert points.isfinite().all()
    lengths = points.norm(dim=1)
    if dimension > 1 or factor > 0:
        torch.testing.assert_close(
            lengths, start.norm() * torch.lerp(torch.tensor(1.0), torch.tensor(abs(factor)), FRACTIONS)
        )
    if factor == 1:
        torch.testing.assert_close(points, start.expand(11, -1))
    if factor == -1 and dimension > 1:
        assert angle(start, points[5]) == pytest.approx(math.pi / 2, abs=1e-6)
    assert slerp(torch.zeros(dimension), torch.zeros(dimension), FRACTIONS).eq(0).all()


def test_a_walk_meets_every_station_once():
    keypoints = latents_of(0, 4, 30)
    there = interpolate(keypoints, slerp, steps=6)
    assert there.shape == (19, 30)
    assert torch.equal(there[::6], keypoints)
    back = interpolate(keypoints, slerp, steps=6, loop=True)
    assert back.shape == (24, 30)
    assert torch.equal(back[:18], there[:18])
    assert torch.equal(back[::6], keypoints)
    torch.testing.assert_close(back[18:], slerp(keypoints[3], keypoints[0], torch.arange(6) / 6))


def test_conditions_are_interpolated_linearly():
    conditions = interpolate(torch.eye(3)[[0, 2]], lerp, steps=4)
    assert conditions.tolist() == [[1, 0, 0], [0.75, 0, 0.25], [0.5, 0, 0.5], [0.25, 0, 0.75], [0, 0, 1]]
