"""Steps on a graph: the numbers of steps without one, from buffers that are filled before each launch."""

from functools import partial
from itertools import islice

import pytest
import torch
from recorded_graph import RecordedGraph
from small_gan import batches, make_state

from vitrail.gan_training import LOSSES
from vitrail.gan_training.state import OptimizerOptions
from vitrail.gan_training.step_graph import WARM_UP, StepGraph
from vitrail.gan_training.steps import _flat_step, train_steps

STEPS = 20
OTHERS = {
    "augmented": {"diffaugment": True},
    "more updates": {"discriminator": OptimizerOptions(updates=2), "generator": OptimizerOptions(updates=3)},
}


def on_a_graph(state):
    """The state with a graph of its step, and the graph's recorder."""
    recorder = RecordedGraph()
    state.graph = StepGraph(partial(_flat_step, state), state.draws, torch.device("cpu"), recorder)
    return state, recorder


def losses(state, count=STEPS, start=0):
    """The values of each step."""
    return [list(step.values().values()) for step in islice(train_steps(state, batches(start)), count)]


@pytest.mark.parametrize("options", [*({"loss": name} for name in LOSSES), *OTHERS.values()], ids=[*LOSSES, *OTHERS])
def test_steps_on_a_graph_are_those_without_number_for_number(options):
    plain = make_state(fused=True, **options)
    expected = losses(plain)
    graphed, recorder = on_a_graph(make_state(fused=True, **options))
    assert losses(graphed) == expected
    assert (recorder.warmed, recorder.captured, recorder.launched) == (WARM_UP, 1, STEPS - WARM_UP)
    one, two = plain.state(), graphed.state()
    assert one.keys() == two.keys()
    assert [name for name, value in one.items() if not torch.equal(value, two[name])] == []


def test_mismatched_labels_are_weighted_where_a_graph_could_not_choose_them():
    expected = losses(make_state(fused=True, mismatched_labels=True))
    state, recorder = on_a_graph(make_state(fused=True, mismatched_labels=True, graph=True))
    torch.testing.assert_close(torch.tensor(losses(state)), torch.tensor(expected), rtol=1e-4, atol=1e-5)
    assert recorder.captured == 1
    assert state.graph.failure == ""


def test_a_checkpoint_of_a_graph_is_resumed_with_and_without_one():
    whole = losses(on_a_graph(make_state(fused=True))[0])
    first, _ = on_a_graph(make_state(fused=True))
    assert losses(first, 8) == whole[:8]
    stored = first.state()
    for second in (on_a_graph(make_state(seed=1, fused=True))[0], make_state(seed=1, fused=True)):
        second.restore(stored)
        assert losses(second, STEPS - 8, start=8) == whole[8:]


def test_what_is_restored_is_captured_again():
    state, recorder = on_a_graph(make_state(fused=True))
    stored, first = state.state(), losses(state)
    state.restore(stored)
    assert losses(state) == first
    assert (recorder.warmed, recorder.captured) == (2 * WARM_UP, 2)


def test_other_learning_rates_and_sizes_have_graphs_of_their_own():
    def varied(state):
        found = []
        for size, rate in ((8, 1e-3), (8, 1e-4), (5, 1e-4), (8, 1e-3)):
            for adam in state.adams.values():
                adam.param_groups[0]["lr"] = rate
            part = ((images[:size], labels[:size]) for images, labels in batches())
            found += [list(step.values().values()) for step in islice(train_steps(state, part), WARM_UP + 2)]
        return found

    state, recorder = on_a_graph(make_state(fused=True))
    assert varied(state) == varied(make_state(fused=True))
    assert recorder.captured == 3
    assert recorder.warmed == 3 * WARM_UP


def test_a_kind_of_step_takes_its_own_graph_and_fills_its_buffers():
    draws = torch.Generator().manual_seed(0)
    scale = {"even": 2.0, "odd": 3.0}
    kind = "even"

    def step(values):
        return scale[kind] * values + torch.rand(2, generator=draws)

    recorder = RecordedGraph()
    graph = StepGraph(step, draws, torch.device("cpu"), recorder)
    found, given = [], [torch.full((2,), float(number)) for number in range(20)]
    for number, values in enumerate(given):
        kind = ("even", "odd")[number % 2]
        found.append(graph(kind, [values]))
    draws.manual_seed(0)
    expected = []
    for number, values in enumerate(given):
        kind = ("even", "odd")[number % 2]
        expected.append(step(values))
    assert all(torch.equal(one, two) for one, two in zip(found, expected, strict=True))
    assert (recorder.captured, recorder.launched) == (2, 20 - 2 * WARM_UP)


@pytest.mark.parametrize("options", [{"mismatched_labels": True}, {"fused": False}], ids=["a mask", "a number read"])
def test_what_cannot_be_captured_goes_on_without_a_graph(options):
    options = {"fused": True, **options}
    expected = losses(make_state(**options))
    state, recorder = on_a_graph(make_state(**options))
    assert losses(state) == expected
    assert recorder.captured == 0
    assert "not permitted when stream is capturing" in state.graph.failure


def test_without_cuda_there_is_no_graph():
    expected = losses(make_state(fused=True))
    wanted = make_state(fused=True, graph=True)
    assert losses(wanted) == expected
    assert wanted.graph is None
    failing = StepGraph(lambda values: 2 * values, torch.Generator(), torch.device("cpu"))
    for _ in range(WARM_UP + 2):
        assert float(failing("any", [torch.tensor(3.0)])) == 6
    assert failing.failure or torch.cuda.is_available()
