"""Checkpoints of a pretended GPU: resumed there they change nothing, and each device reads the other's."""

import signal
from contextlib import nullcontext

import pytest
import safetensors.torch
import torch

import vitrail
from pretended_gpu import pretended_gpu
from pretended_work import numbers, run
from vitrail import gan
from vitrail.datasets.pixel_data import PixelOptions
from vitrail.events import Checkpoint, Progress
from vitrail.gan_training.checkpoints import unpack
from vitrail.result_differences import differences

EPOCHS = 3


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    return gan.open_training_data("digits", PixelOptions(size=16, images=48))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def train(data, cache, device, *, resume=None, stop=False, **changed):
    """The events of a training; with `stop`, those until it was interrupted within its second epoch."""
    settings = {
        "networks": gan.NetworkOptions(architecture="conditional-mlp", width=4, latent_size=8),  # it has dropout
        "evaluation": gan.EvaluationOptions(extractor="tiny", samples=16, final_samples=16),
        "batch": 16,
        "epochs": EPOCHS,
        "autotune": False,
        **changed,
    }
    events = []
    with pretended_gpu() if device == "cuda" else nullcontext():
        try:
            for event in gan.train(data, device=device, cache=cache, resume=resume, **settings):
                events.append(event)
                if stop and isinstance(event, Progress) and event.stage == "training" and event.values["step"] == 4:
                    signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            assert stop
    return events


def stored(events, folder):
    """The run folder of the latest checkpoint and of those before it."""
    (folder / "checkpoints").mkdir(parents=True)
    for event in events:
        if isinstance(event, Checkpoint):
            (folder / "checkpoints" / event.name).write_bytes(event.data)
    return folder


def state(events):
    *_, last = (event for event in events if isinstance(event, Checkpoint))
    return last


def outcome(events):
    end = events[-1]
    assert isinstance(end, gan.TrainingEnd)
    return end.values, [weight.detach().cpu() for weight in end.generator.state_dict().values()]


def test_a_resumed_training_gives_what_an_uninterrupted_one_gives(data, cache, tmp_path):
    whole = train(data, cache, "cuda")
    stopped = train(data, cache, "cuda", stop=True)
    assert state(stopped).name != state(whole).name
    resumed = train(data, cache, "cuda", resume=stored(stopped, tmp_path))
    values, weights = outcome(whole)
    resumed_values, resumed_weights = outcome(resumed)
    assert all(torch.equal(one, two) for one, two in zip(weights, resumed_weights, strict=True))
    assert not differences(values, resumed_values)
    last, resumed_last = (safetensors.torch.load(state(each).data) for each in (whole, resumed))
    assert last.keys() == resumed_last.keys()
    assert all(torch.equal(value, resumed_last[name]) for name, value in last.items())


@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_a_training_is_resumed_on_the_other_device(first, data, cache, tmp_path):
    other = {"cpu": "cuda", "cuda": "cpu"}[first]
    without_dropout = {"networks": gan.NetworkOptions(architecture="conditional-dcgan", width=4, latent_size=8)}
    values, weights = outcome(train(data, cache, first, **without_dropout))
    stopped = train(data, cache, first, stop=True, **without_dropout)
    resumed_values, resumed_weights = outcome(
        train(data, cache, other, resume=stored(stopped, tmp_path), **without_dropout)
    )
    assert resumed_values["device"] == other
    assert resumed_values["steps"] == values["steps"]
    for one, two in zip(weights, resumed_weights, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


def test_what_a_checkpoint_stores_is_on_the_cpu_and_holds_the_random_numbers_of_the_device(data, cache, tmp_path):
    folder = stored(train(data, cache, "cuda", stop=True), tmp_path)
    tensors, _ = unpack(max((folder / "checkpoints").iterdir()))
    assert {str(value.device) for value in tensors.values()} == {"cpu"}
    assert {"random", "random_cuda", "draws"} <= tensors.keys()


@pytest.fixture(scope="module")
def trained(stripes, tmp_path_factory):
    """Finished runs of a GAN and of a fine-tuned classifier on each device."""
    folder = tmp_path_factory.mktemp("trained")
    for device in ("cpu", "cuda"):
        with pretended_gpu() if device == "cuda" else nullcontext():
            for name in ("gan conditional-dcgan", "fine-tune"):
                run(name, device, stripes, folder / name / device)
    return folder


@pytest.mark.parametrize("read", ["cpu", "cuda"])
@pytest.mark.parametrize("written", ["cpu", "cuda"])
def test_a_generator_of_one_device_is_read_on_the_other(written, read, trained):
    folder = trained / "gan conditional-dcgan" / written / "run"
    expected = gan.load(folder, device="cpu").sample(4)
    with pretended_gpu() if read == "cuda" else nullcontext():
        generator = gan.load(folder, device=read)
        assert next(generator.network.parameters()).device.type == read
        found = generator.sample(4).cpu()
    torch.testing.assert_close(found, expected, rtol=0, atol=1.01 / 255)


@pytest.mark.parametrize("read", ["cpu", "cuda"])
@pytest.mark.parametrize("written", ["cpu", "cuda"])
def test_a_fine_tuned_network_of_one_device_is_read_on_the_other(written, read, trained, stripes, tmp_path):
    settings = {
        "images": (stripes / "test" / "noise",),
        "classifier": str(trained / "fine-tune" / written / "run"),
        "use_cache": False,
    }
    expected = vitrail.run("predict", device="cpu", run_dir=tmp_path / "expected", **settings).result
    with pretended_gpu() if read == "cuda" else nullcontext():
        found = vitrail.run("predict", device=read, run_dir=tmp_path / "found", **settings).result
    assert dict(numbers(found)) == pytest.approx(dict(numbers(expected)), rel=1e-3, abs=1e-4)
