import numpy as np
import pytest
import torch

from vitrail.dataset_check.threads import in_threads


def test_results_come_in_order_and_each_thread_computes_alone():
    before = torch.get_num_threads()
    assert in_threads(lambda item: (item, torch.get_num_threads()), range(20)) == [(item, 1) for item in range(20)]
    assert torch.get_num_threads() == before


def test_an_error_comes_out_and_the_threads_are_as_before():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda item: 1 // item, [1, 0, 2])
    assert torch.get_num_threads() == before
    assert in_threads(np.sqrt, [4.0], most=1) == [2.0]
