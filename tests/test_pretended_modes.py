"""The training mode on a pretended GPU: taken over by what repeats or resumes a run, and left where it fails."""

import json

import pytest
import torch

from pretended_gpu import Pretended, pretended_gpu
from pretended_work import run
from vitrail import gan
from vitrail.datasets.pixel_data import PixelOptions
from vitrail.devices import repeatable_on_gpu
from vitrail.errors import BadSetting
from vitrail.events import Checkpoint, Note
from vitrail.gan import networks
from vitrail.gan.checkpoints import Modes
from vitrail.gan_training import steps
from vitrail.gan_training.autotune import Choice
from vitrail.tasks.replay import Replay

NAME = "gan conditional-dcgan"
TUNED = {"mode": "channels-last", "channels_last": True, "fused": False, "concat_real_fake": False, "graph": False}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def timings(monkeypatch):
    """A timing that chooses another mode than the reference; how often it was asked."""
    asked = []

    def choose(_, options, batch):
        asked.append(type(batch[0]))
        return Choice("channels-last", networks.replace(options, channels_last=True), {"channels-last": 1.2})

    monkeypatch.setattr(networks, "autotune", choose)
    return asked


def recorded(result):
    return {name: result["choices"][name] for name in TUNED}


def test_a_replay_takes_the_recorded_mode_and_does_not_time_again(timings, stripes, tmp_path):
    with pretended_gpu():
        first = run(NAME, "cuda", stripes, tmp_path, autotune=True)
        assert timings == [Pretended]
        assert recorded(first) == TUNED
        *_, again = Replay(run_folder=tmp_path / "run", runs=tmp_path / "runs").run()
    assert timings == [Pretended]
    assert again.values["equal"], again.values["differences"]
    result = json.loads((tmp_path / "runs").glob("*/result.json").__next__().read_text())
    assert recorded(result) == TUNED
    assert result["choices"]["reason"] == "that of the repeated run"


@pytest.mark.parametrize("damaged", [None, "fast", {"mode": "fused"}, {**TUNED, "fused": "often"}])
def test_a_replay_of_a_result_without_a_mode_times_again(damaged, timings, stripes, tmp_path):
    with pretended_gpu():
        run(NAME, "cuda", stripes, tmp_path, autotune=True)
        file = tmp_path / "run" / "result.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "choices": damaged}))
        list(Replay(run_folder=tmp_path / "run", runs=tmp_path / "runs").run())
    assert timings == [Pretended, Pretended]


@pytest.fixture(scope="module")
def data():
    return gan.open_training_data("digits", PixelOptions(size=16, images=48))


def train(data, cache, **changed):
    settings = {
        "networks": gan.NetworkOptions(width=4, latent_size=8),
        "evaluation": gan.EvaluationOptions(extractor="tiny", samples=8, final_samples=8),
        "batch": 16,
        "epochs": 1,
        **changed,
    }
    with pretended_gpu():
        return list(gan.train(data, device="cuda", cache=cache, **settings))


def test_a_resumed_training_takes_the_mode_of_its_checkpoint(timings, data, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    *_, last = (event for event in train(data, tmp_path) if isinstance(event, Checkpoint))
    (tmp_path / "checkpoints" / last.name).write_bytes(last.data)
    assert len(timings) == 1
    end = train(data, tmp_path, epochs=2, resume=tmp_path)[-1]
    assert len(timings) == 1
    assert recorded(end.values) == TUNED


def test_a_mode_that_fails_here_is_left_out_and_said_once(data, tmp_path):
    """There is no CUDA on this machine to capture a graph with, which the pretended device does not know."""
    events = train(data, tmp_path)
    choices = events[-1].values["choices"]
    assert not choices["graph"]
    assert "fused and graph" not in choices["speedup"]
    assert len(choices["speedup"]) == 3
    warnings = [event.text for event in events if isinstance(event, Note) and "CUDA graph" in event.text]
    assert warnings == [choices["warning"]]
    assert warnings[0].startswith("The training step could not be captured as a CUDA graph, and runs without one: ")


def test_a_recorded_graph_that_cannot_be_captured_is_left_with_one_warning(data, tmp_path):
    events = train(data, tmp_path, mode=Modes(**{**TUNED, "mode": "fused and graph", "graph": True}), epochs=2)
    plain = train(data, tmp_path, mode=Modes(**TUNED), epochs=2)
    warnings = [event.text for event in events if isinstance(event, Note) and "CUDA graph" in event.text]
    assert warnings == [events[-1].values["choices"]["warning"]]
    assert events[-1].values["choices"]["mode"] == "fused and graph"
    assert events[-1].values["steps"] == plain[-1].values["steps"]
    for place, value in plain[-1].values["last_epoch"].items():
        assert events[-1].values["last_epoch"][place] == pytest.approx(value, rel=1e-3)


def test_what_is_no_mode_is_one_sentence(data, tmp_path):
    with pytest.raises(BadSetting, match="mode must be a Modes; got 'fused'"):
        train(data, tmp_path, mode="fused")


def test_on_a_gpu_alone_the_order_of_sums_is_fixed_and_what_was_set_is_put_back():
    before = torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory
    with repeatable_on_gpu():
        assert torch.are_deterministic_algorithms_enabled() == torch.cuda.is_available()
    with pretended_gpu(), repeatable_on_gpu():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert before == (torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory)


def test_a_training_uses_it(stripes, tmp_path, monkeypatch):
    found, step = [], steps._step

    def observed(*arguments):
        found.append(torch.are_deterministic_algorithms_enabled())
        return step(*arguments)

    monkeypatch.setattr(steps, "_step", observed)
    with pretended_gpu():
        run(NAME, "cuda", stripes, tmp_path)
    assert set(found) == {True}
