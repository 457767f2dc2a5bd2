import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from vitrail.backbones import BACKBONES, inference_engine
from vitrail.backbones.forward_pass import PooledFeatures, Trunk, torch_forward
from vitrail.backbones.inference_engine import choose_engine
from vitrail.backbones.openvino_engine import import_openvino
from vitrail.errors import BadSetting, MissingExtra

LAYERS = ("stage5", "pool", "logits")


@pytest.fixture(scope="module")
def backbone():
    return BACKBONES["efficientnet-lite0"]()


@pytest.fixture(scope="module")
def pixels(backbone):
    return np.random.default_rng(0).integers(0, 256, (4, 3, backbone.size, backbone.size), dtype=np.uint8)


@pytest.fixture(scope="module")
def plain(backbone, pixels):
    with torch.no_grad():
        return [rows.numpy() for rows in PooledFeatures(backbone, LAYERS)(torch.from_numpy(pixels))]


@pytest.mark.parametrize("engine", ["eager", "channels-last", "openvino"])
def test_every_engine_gives_what_the_plain_network_gives(engine, backbone, pixels, plain):
    fast = choose_engine(PooledFeatures(backbone, LAYERS), pixels, engine=engine, device="cpu", images=4)
    assert fast.choice["engine"] == engine
    assert fast.choice["why"] == "asked for"
    for rows, expected in zip(fast(pixels), plain, strict=True):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("engine", ["channels-last", "openvino"])
def test_a_small_batch_gives_the_same_bits(engine, backbone, pixels):
    fast = choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine=engine, device="cpu", images=4)
    (whole,), (part,) = fast(pixels), fast(pixels[:1])
    np.testing.assert_array_equal(part, whole[:1])


@pytest.mark.parametrize("engine", ["eager", "channels-last", "openvino"])
def test_a_trunk_gives_its_layer_unpooled(engine, backbone, pixels):
    (found,) = choose_engine(Trunk(backbone, "stage5"), pixels, engine=engine, device="cpu", images=4)(pixels)
    with torch.no_grad():
        expected = backbone.activations(torch.from_numpy(pixels) / 255, ["stage5"])["stage5"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_for_a_few_images_nothing_is_converted(backbone, pixels):
    module = PooledFeatures(backbone, ("pool",))
    few = choose_engine(module, pixels, engine="auto", device="cpu", images=4).choice
    many = choose_engine(module, pixels, engine="auto", device="cpu", images=5000).choice
    assert [entry["engine"] for entry in few["tried"]] == ["channels-last"]
    assert [entry["engine"] for entry in many["tried"]] == ["channels-last", "openvino"]
    fastest = max(many["tried"], key=lambda entry: entry["images_per_second"])
    assert many["engine"] == fastest["engine"]


def test_an_engine_that_disagrees_is_never_chosen(backbone, pixels, monkeypatch):
    build = inference_engine.build_engine

    def slightly_wrong(name, job):
        forward = build("channels-last", job)
        return forward if name == "channels-last" else lambda given: [rows * 1.01 for rows in forward(given)]

    monkeypatch.setattr(inference_engine, "build_engine", slightly_wrong)
    module = PooledFeatures(backbone, ("pool",))
    assert choose_engine(module, pixels, engine="auto", device="cpu", images=5000).choice["engine"] == "channels-last"
    with pytest.raises(BadSetting, match="does not agree with the plain network"):
        choose_engine(module, pixels, engine="openvino", device="cpu", images=4)


def test_an_engine_that_is_not_installed_is_named(backbone, pixels, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"pip install 'vitrail\[fast\]'"):
        choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine="openvino", device="cpu", images=4)


def test_openvino_reports_nothing_to_anyone(backbone, pixels):
    choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine="openvino", device="cpu", images=4)
    assert sys.modules["openvino_telemetry"] is None


def test_there_is_no_engine_of_another_name(backbone, pixels):
    with pytest.raises(BadSetting, match="Known: auto, eager, channels-last, openvino"):
        choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine="warp", device="cpu", images=4)


def test_the_network_itself_is_left_as_it_was(backbone, pixels):
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine="channels-last", device="cpu", images=4)
    after = backbone.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("engine", ["eager", "channels-last", "openvino"])
def test_many_batches_at_once_give_what_each_gives_alone(engine, backbone):
    pixels = np.random.default_rng(1).integers(0, 256, (11, 3, backbone.size, backbone.size), dtype=np.uint8)
    module = PooledFeatures(backbone, ("stage5", "pool"))
    fast = choose_engine(module, pixels[:2], engine=engine, device="cpu", images=5000)
    assert fast.batch_size == 2
    alone = [fast(pixels[start : start + 2]) for start in range(0, 11, 2)]
    for rows, parts in zip(fast(pixels), zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(rows, np.concatenate(parts))


def test_an_engine_that_fails_is_recorded_and_another_is_taken(backbone, pixels, monkeypatch):
    build = inference_engine.build_engine

    def failing(name, job):
        if name == "openvino":
            raise RuntimeError("no such operation\nand 40 lines more")
        return build(name, job)

    monkeypatch.setattr(inference_engine, "build_engine", failing)
    module = PooledFeatures(backbone, ("pool",))
    choice = choose_engine(module, pixels, engine="auto", device="cpu", images=5000).choice
    assert choice["engine"] == "channels-last"
    assert choice["tried"][1] == {"engine": "openvino", "error": "no such operation and 40 lines more"}
    with pytest.raises(RuntimeError, match="no such operation"):
        choose_engine(module, pixels, engine="openvino", device="cpu", images=5000)


def test_the_processor_may_have_a_number(backbone, pixels):
    fast = choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine="auto", device="cpu:0", images=4)
    assert fast.choice["engine"] == "channels-last"


@pytest.mark.parametrize("engine", ["eager", "channels-last"])
def test_an_engine_without_a_lower_precision_is_not_taken_for_one(engine, backbone, pixels):
    module = PooledFeatures(backbone, ("pool",))
    with pytest.raises(BadSetting, match=f"'{engine}' does not run on cpu in bfloat16. Use openvino or auto"):
        choose_engine(module, pixels, engine=engine, device="cpu", images=4, precision="bfloat16")


def test_an_interrupt_leaves_no_request_at_work(backbone, pixels, monkeypatch):
    openvino, queues = import_openvino(), []

    class Recorded(openvino.AsyncInferQueue):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            queues.append(self)

    monkeypatch.setattr(openvino, "AsyncInferQueue", Recorded)
    job = inference_engine.EngineJob(PooledFeatures(backbone, ("pool",)).eval(), pixels[:1], 5000)
    forward = inference_engine.build_engine("openvino", job)

    class Interrupts(np.ndarray):
        def __getitem__(self, key):
            if isinstance(key, slice) and key.start == 2:
                raise KeyboardInterrupt
            return np.asarray(self)[key]

    with pytest.raises(KeyboardInterrupt):
        forward(pixels.view(Interrupts))
    (queue,) = queues
    assert all(request.wait_for(0) for request in queue)
    np.testing.assert_array_equal(forward(pixels)[0][1:2], forward(pixels[1:2])[0])


def test_an_engine_of_another_device_is_refused(backbone, pixels):
    with pytest.raises(
        BadSetting, match="'cuda-graph' does not run on cpu. Use eager, channels-last, openvino or auto"
    ):
        choose_engine(PooledFeatures(backbone, ("pool",)), pixels, engine="cuda-graph", device="cpu", images=4)


def test_a_batch_that_a_gpu_has_no_room_for_is_halved(backbone, pixels, monkeypatch):
    build = inference_engine.build_engine

    def small_memory(name, job):
        if len(job.example) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return build(name, replace(job, device="cpu"))

    monkeypatch.setattr(inference_engine, "build_engine", small_memory)
    monkeypatch.setattr(inference_engine, "torch_forward", lambda module, size, device: torch_forward(module, size))
    monkeypatch.setattr(PooledFeatures, "to", lambda module, device: module)
    module = PooledFeatures(backbone, ("pool",))
    fast = choose_engine(module, pixels, engine="eager", device="cuda:0", images=5000)
    assert fast.batch_size == 1
    assert fast(pixels)[0].shape == (4, 1280)


def test_a_lower_precision_is_named_and_refused_for_no_distance(backbone, pixels, monkeypatch):
    build = inference_engine.build_engine

    def rounded(name, job):
        forward = build(name, job)
        return lambda given: [rows * 1.01 for rows in forward(given)]

    monkeypatch.setattr(inference_engine, "build_engine", rounded)
    module = PooledFeatures(backbone, ("pool",))
    fast = choose_engine(module, pixels, engine="auto", device="cpu", images=5000, precision="bfloat16")
    assert (fast.choice["engine"], fast.choice["precision"]) == ("openvino", "bfloat16")
    assert fast.choice["tried"][0]["relative_error"] == pytest.approx(0.01, rel=0.01)
