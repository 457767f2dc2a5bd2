"""What a GPU must give: what the CPU gives, within bounds. On a pretended one always, on a real one with `-m gpu`.

`make gpu` runs these on the machine's card, and then the benchmarks of `benchmarks/gpu.py`.
"""

import inspect
import math
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

import tiny_network
import vitrail
from pretended_gpu import pretended_gpu
from pretended_work import SMALLEST, WORK
from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.attributions import ATTRIBUTIONS
from vitrail.backbones.backbone import Backbone
from vitrail.datasets.sample_images import sample_images
from vitrail.devices import choose_device
from vitrail.errors import BadSetting
from vitrail.gan_architectures import GANS
from vitrail.gan_training import LOSSES, GanState, TrainingOptions, train_steps
from vitrail.gan_training.step_graph import StepGraph
from vitrail.image_ascent.batching import in_chunks
from vitrail.images import read_pixels, to_unit
from vitrail.metrics import METRICS
from vitrail.result_differences import differences
from vitrail.tasks.replay import Replay

METHODS = [name for name in ATTRIBUTIONS if not name.endswith(":")]
STEPS = {"projected": 3}  # of 20: through a deep frozen network rounding grows tenfold with each step
DROPOUT = {"conditional-mlp"}  # draws other numbers on each device


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request):
    """The name of a device, and whether it is a real one."""
    if request.param == "real":
        if not torch.cuda.is_available():
            pytest.skip("There is no GPU on this machine.")
        yield "cuda"
        return
    with pretended_gpu():
        yield "cuda"


@pytest.fixture
def photographs():
    """Two photographs as a network of 224 pixels sees them, (2, 3, 224, 224)."""
    return torch.stack([to_unit(read_pixels(file, short_side=224, crop=224)) for file in sample_images()[:2]])


def copies(gpu):
    """The same small network on the CPU and on the device, with images and their classes."""
    torch.manual_seed(0)
    module, spec = tiny_network.network(), tiny_network.tiny
    about = {"mean": spec.mean, "std": spec.std, "classes": tiny_network.CLASSES, "size": tiny_network.SIZE}
    first, second = Backbone.wrap(module, **about), Backbone.wrap(module, **about).to(gpu)
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return first, second, images, first(images).argmax(dim=1)


@pytest.mark.parametrize("name", ["squeezenet", "efficientnet-lite0"])
def test_features_are_equal_within_a_thousandth(name, gpu, photographs):
    features = []
    for device in ("cpu", gpu):
        model = vitrail.load(name, device=device)
        with torch.no_grad():
            found = model.features(photographs.to(device), model.feature_layers)
        features.append({layer: values.cpu() for layer, values in found.items()})
    for layer, expected in features[0].items():
        assert (features[1][layer] - expected).abs().max() <= 1e-3 * expected.abs().max(), layer


def ranks(values):
    return np.argsort(np.argsort(values.flatten().numpy()))


@pytest.mark.parametrize("name", METHODS)
def test_maps_rank_pixels_alike(name, gpu):
    first, second, images, labels = copies(gpu)
    method = ATTRIBUTIONS[name]
    options = {"samples": 8, "window": 8, "stride": 4}
    taken = {key: value for key, value in options.items() if key in inspect.signature(method).parameters}
    expected = method(first, images, labels, **taken)
    found = method(second, images.to(gpu), labels.to(gpu), **taken).cpu()
    for one, two in zip(expected, found, strict=True):
        assert np.corrcoef(ranks(one), ranks(two))[0, 1] >= 0.999


@pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_succeed_alike(name, targeted, gpu):
    first, second, images, labels = copies(gpu)
    targets = (labels + 1) % 4 if targeted else None
    options = {"epsilon": 0.1, "steps": 12}
    expected = ATTACKS[name](first, images, Criterion(labels, targets), **options)
    there = Criterion(labels.to(gpu), None if targets is None else targets.to(gpu))
    found = ATTACKS[name](second, images.to(gpu), there, **options)
    assert found.images.device.type == "cuda"
    assert torch.equal(found.success.cpu(), expected.success)
    torch.testing.assert_close(found.l2().cpu(), expected.l2(), rtol=0.02, atol=1e-3)


def losses(name, device, state_of=lambda state: None, **options):
    """The values of 20 steps, or of `STEPS`, of a GAN on random images; `state_of` gets the state at the end."""
    torch.manual_seed(0)
    classes = {"generator_classes": 3, "discriminator_classes": 3} if name != "dcgan" else {}
    side = SMALLEST.get(name, 16)
    pair = GANS[name](size=side, channels=1, latent_size=8, width=4, **classes)
    draws = torch.Generator().manual_seed(0)
    state = GanState(pair.generator.to(device), pair.discriminator.to(device), TrainingOptions(**options), seed=0)

    def batches():
        while True:
            labels = torch.randint(3, (8,), generator=draws)
            images = torch.rand(8, 1, side, side, generator=draws) * 2 - 1
            yield images.to(device), labels.to(device)

    found = [list(step.values().values()) for step in islice(train_steps(state, batches()), STEPS.get(name, 20))]
    state_of(state)
    return found


@pytest.mark.parametrize("name", [name for name in GANS if name not in DROPOUT])
def test_a_gan_has_the_same_losses_for_many_steps(name, gpu):
    torch.testing.assert_close(torch.tensor(losses(name, gpu)), torch.tensor(losses(name, "cpu")), rtol=1e-3, atol=1e-3)


GRAPHED = {
    **{name: (name, {}) for name in GANS if name not in DROPOUT},
    **{f"conditional-dcgan {name}": ("conditional-dcgan", {"loss": name}) for name in LOSSES},
    "mismatched labels": ("conditional-dcgan", {"mismatched_labels": True}),
    "augmentation": ("conditional-dcgan", {"diffaugment": True}),
}


@pytest.mark.gpu
@pytest.mark.parametrize("name", GRAPHED)
def test_steps_on_a_graph_have_the_losses_of_steps_without(name):
    architecture, options = GRAPHED[name]
    states = []
    expected = losses(architecture, "cuda", fused=True, **options)
    found = losses(architecture, "cuda", states.append, fused=True, graph=True, **options)
    assert states[0].graph.failure == ""
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
def test_a_capture_that_fails_leaves_a_training_that_goes_on():
    def waits(values):
        return torch.nn.functional.dropout(values * float(values.sum()))

    graph = StepGraph(waits, torch.Generator(), torch.device("cuda"))
    for _ in range(6):
        assert len(graph("any", [torch.ones(3, device="cuda")])) == 3
    assert graph.failure
    assert torch.nn.functional.dropout(torch.ones(3, device="cuda")).isfinite().all()


@pytest.mark.gpu
def test_a_replay_of_a_gan_is_equal(stripes, tmp_path):
    settings = WORK["gan conditional-dcgan"][1] | {"data": str(stripes), "cache": tmp_path / "cache", "autotune": True}
    vitrail.run("gan-train", run_dir=tmp_path / "run", device="cuda", **settings)
    *_, again = Replay(run_folder=tmp_path / "run", runs=tmp_path / "runs").run()
    assert again.values["equal"], again.values["differences"]


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_those_of_the_cpu(name, gpu):
    draws = torch.Generator().manual_seed(0)
    real, fake = torch.randn(64, 6, generator=draws), torch.randn(64, 6, generator=draws) + 0.5
    expected = METRICS[name](real)(fake)
    found = METRICS[name](real.to(gpu))(fake.to(gpu))
    assert math.isclose(float(found), float(expected), rel_tol=1e-3, abs_tol=1e-5)


def test_a_repeated_run_is_equal_to_the_bit(gpu, stripes, tmp_path):
    results = [
        vitrail.run(
            "explain",
            images=(stripes / "test" / "noise",),
            backbone="tiny",
            method=("smooth-grad",),
            device=gpu,
            run_dir=tmp_path / name,
        ).result
        for name in ("one", "two")
    ]
    assert not differences(*results)


def test_too_large_a_batch_is_done_in_smaller_ones(gpu):
    most, done = 3, []

    def work(chunk):
        if chunk.stop - chunk.start > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        done.append(chunk)

    in_chunks(10, 10, work)
    assert [chunk.start for chunk in done] + [10] == [0, *(chunk.stop for chunk in done)]


@pytest.mark.gpu
def test_memory_that_is_really_short_halves_the_batch():
    gpu = "cuda"
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        wide = nn.Conv2d(3, 512, 3, padding=1).to(gpu)
        images, done = torch.rand(64, 3, 224, 224), []

        def work(chunk):
            done.append(float(wide(images[chunk].to(gpu)).sum()))

        with torch.no_grad():
            in_chunks(64, 64, work)
        assert len(done) > 1
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("name", ["cuda:9", "cuda:x", "gpu", "mps:3"])
def test_a_device_that_is_not_there_is_one_sentence(name):
    with pytest.raises(BadSetting, match="There is no device .* Use auto"):
        choose_device(name)
