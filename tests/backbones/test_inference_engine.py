import sys

import numpy as np
import pytest
import torch

from vitrail.backbones import BACKBONES, inference_engine
from vitrail.backbones.inference_engine import PooledFeatures, Trunk, choose_engine
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

    def slightly_wrong(name, module, example):
        forward = build("channels-last", module, example)
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
