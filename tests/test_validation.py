"""Checks of arguments: what passes, and the sentence about what does not."""

import numpy as np
import pytest
import torch

from vitrail.errors import BadSetting
from vitrail.validation import check_count, check_number, check_path, describe


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_numbers_inside_the_limits_pass(value):
    check_number("share", value, least=0, most=1)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "0.5", None, True, [1]])
def test_other_numbers_are_named_with_their_limits(value):
    with pytest.raises(BadSetting, match="^share must be a number of at least 0 and at most 1; got"):
        check_number("share", value, least=0, most=1)


@pytest.mark.parametrize("value", [0, 0.0, 1.0, 1])
def test_open_limits_are_not_reached(value):
    with pytest.raises(BadSetting, match="above 0 and below 1"):
        check_number("share", value, above=0, below=1)


@pytest.mark.parametrize("value", [0, 1.5, 11, "3", None, True, float("nan")])
def test_counts_are_whole_and_inside_their_limits(value):
    check_count("steps", 10, most=10)
    with pytest.raises(BadSetting, match="from 1 to 10; got"):
        check_count("steps", value, most=10)


def test_what_was_given_is_told_in_a_few_words():
    assert describe(torch.zeros(2, 3)) == "a tensor (2, 3) of float32"
    assert describe(np.zeros(2, np.uint8)) == "an array (2,) of uint8"
    assert len(describe("x" * 1000)) < 70


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3), np.float32(0.5)])
def test_numbers_of_numpy_are_numbers(value):
    check_number("share", value, most=3)
    if not isinstance(value, np.floating):
        check_count("steps", value)


@pytest.mark.parametrize("path", ["\ud800", "a\0b", "x" * 256, "", " ", None, 3, b"a"])
def test_what_no_system_can_have_as_a_path_is_refused(path):
    with pytest.raises(BadSetting, match="must be a path"):
        check_path("folder", path)
