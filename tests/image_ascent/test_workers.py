"""Work in threads side by side: the same results, one budget of memory, and an end for all of them."""

import threading
import time

import pytest
import torch
from torch import nn

from vitrail.devices import full_float32
from vitrail.image_ascent import in_workers, shared_copy, worker_count, worker_threads
from vitrail.image_ascent.batching import bytes_per_image


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def run(workers, items, work, *, seconds=60.0, report=lambda traffic: ()):
    return in_workers(workers, items, work, seconds=seconds, report=report)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers):
    def work(item, watch):
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(run(workers, range(12), work)) == [item * item for item in range(12)]


def test_two_workers_are_at_work_at_once():
    both = threading.Barrier(2, timeout=20)
    assert sorted(run(2, range(4), lambda item, watch: both.wait() < 2)) == [True] * 4


def test_torchs_threads_are_divided_and_restored(four_threads):
    found = list(run(2, range(4), lambda item, watch: torch.get_num_threads()))
    assert found == [2] * 4
    assert list(run(1, range(2), lambda item, watch: torch.get_num_threads())) == [4] * 2
    with worker_threads(2) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 2  # or the caller would take the cores from them
    assert torch.get_num_threads() == 4
    assert in_a_new_thread(torch.get_num_threads) == 4


def in_a_new_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_the_precision_of_products_is_as_before_though_every_pass_sets_it():
    before = torch.backends.cudnn.conv.fp32_precision

    def work(item, watch):
        found = torch.backends.cudnn.conv.fp32_precision
        for _ in range(200):
            with full_float32():
                pass
        return found

    assert set(run(4, range(8), work)) == {"ieee"}  # so that setting it back changes nothing for the others
    assert torch.backends.cudnn.conv.fp32_precision == before


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_in_a_worker_ends_all_and_is_raised(error, four_threads):
    network, others = nn.Flatten(), []

    def work(item, watch):
        if item == 1:
            raise error
        with watch(nn.Flatten()) as _, watch(network):
            for count in range(2000):  # an error of the first is not waited for
                network(torch.zeros(1, 3, 2, 2))
                others.append(count)
                time.sleep(0.01)

    with pytest.raises(error):
        list(run(2, range(100), work))
    assert len(others) < 500
    assert not network._forward_hooks
    assert torch.get_num_threads() == 4


def test_a_closed_generator_stops_every_call_at_its_next_pass():
    passes, ends = [], []

    def work(item, watch):
        network = nn.Flatten()
        try:
            with watch(network):
                while item:
                    network(torch.zeros(1, 3, 2, 2))
                    passes.append(item)
                    time.sleep(0.005)
        finally:
            ends.append(item)

    results = run(2, range(50), work)
    assert next(results) is None
    results.close()
    assert set(ends) <= {0, 1, 2}
    assert len(passes) < 1000


def test_reports_count_the_passes_of_all_and_name_the_item():
    def work(item, watch):
        network = nn.Flatten()
        with watch(network):
            for _ in range(20):
                network(torch.full((1, 3, 2, 2), float(item)))
                time.sleep(0.01)
        return "done"

    found = list(run(2, (1.0, 2.0), work, seconds=0.05, report=lambda traffic: [traffic]))
    reports = [each for each in found if each != "done"]
    assert found.count("done") == 2
    assert len(reports) >= 2
    assert reports[-1].passes > 15
    assert all(float(each.images[0, 0, 0, 0]) == each.item for each in reports)


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    results = run(2, items(), lambda item, watch: item)
    next(results)
    assert len(taken) <= 9
    results.close()


def test_workers_share_the_budget_of_memory(backbone, images, four_threads):
    each = bytes_per_image(backbone, images)
    assert worker_count(backbone, images, 9, memory=10 * each) == 4
    assert worker_count(backbone, images, 3, memory=10 * each) == 3
    assert worker_count(backbone, images, 9, memory=3 * each) == 3
    assert worker_count(backbone, images, 9, memory=1) == 1
    torch.set_num_threads(1)
    assert worker_count(backbone, images, 9, memory=10 * each) == 1


def test_a_copy_for_another_thread_shares_the_weights_and_no_hooks(backbone, images):
    copy = shared_copy(backbone)
    assert [a.data_ptr() for a in copy.parameters()] == [b.data_ptr() for b in backbone.parameters()]
    layer = backbone.layers[0]
    assert torch.equal(copy.activations(images, (layer,))[layer], backbone.activations(images, (layer,))[layer])
    assert {id(module) for module in copy.modules()}.isdisjoint(id(module) for module in backbone.modules())
