"""Fine-tuning on a network small enough to look into."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.transfer.fine_tuning import FineTuning
from vitrail.transfer.head import LinearHead

HALF = (0.5, 0.5, 0.5)


class Small(nn.Module):
    """Three convolutions; with `round_about`, the first one also leads past the second."""

    def __init__(self, round_about=False):
        super().__init__()
        self.low, self.middle, self.high = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 8, 3)
        self.norm, self.last, self.round_about = nn.BatchNorm2d(8), nn.Linear(8, 2), round_about

    def forward(self, images):
        low = self.low(images).relu()
        middle = self.middle(low).relu() + (low[..., 1:-1, 1:-1] if self.round_about else 0)
        return self.last(self.norm(self.high(middle)).relu().mean(dim=(2, 3)))


def backbone(layers=("middle", "norm"), **options):
    torch.manual_seed(0)
    return Backbone.wrap(
        Small(**options), mean=HALF, std=HALF, classes=("dark", "light"), size=16, feature_layers=layers
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    labels = np.arange(24) % 2
    for index, label in enumerate(labels):
        pixels = (rng.integers(0, 100, (16, 16, 3)) + 130 * label).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return sorted(folder.iterdir()), labels


HEAD = LinearHead(np.zeros((2, 8), np.float32), np.zeros(2, np.float32), 1.0)


def tuned(network, data, **settings):
    steps = FineTuning(engine="eager", **{"batch": 8, "epochs": 1, "learning_rate": 1e-2, **settings}).run(
        network, "norm", HEAD, data
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def changed(network, result):
    after = result.backbone.network.state_dict()
    return {name for name, tensor in network.network.state_dict().items() if not torch.equal(tensor, after[name])}


def test_what_comes_after_the_cut_is_trained_and_nothing_else(data):
    network = backbone()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    result = tuned(network, data)
    assert changed(network, result) == {"high.weight", "high.bias", "norm.weight", "norm.bias"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in result.backbone.parameters())
    assert np.abs(result.head.weights).max() > 0


def test_all_is_all_that_the_features_depend_on(data):
    network = backbone()
    parts = {name.split(".")[0] for name in changed(network, tuned(network, data, layers="all"))}
    assert parts == {"low", "middle", "high", "norm"}


def test_it_learns(data):
    result = tuned(backbone(), data, epochs=15, learning_rate=0.05, label_smoothing=0.0)
    losses = [point["loss"] for point in result.curve]
    assert losses[0] == pytest.approx(np.log(2), abs=0.1)
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("images", range(1, 13))
def test_any_number_of_steps_can_be_taken(data, images):
    result = tuned(backbone(), (data[0][:images], data[1][:images]), batch=1)
    assert np.isfinite(result.curve[-1]["loss"])


def test_the_average_of_the_weights_is_what_comes_out(data):
    last, mean = (tuned(backbone(), data, ema_steps=steps).head.weights for steps in (1, 1000))
    assert np.linalg.norm(mean) < np.linalg.norm(last)  # the head starts at zero, and the mean lags behind


def test_parts_of_a_batch_add_up_to_its_gradient(data, monkeypatch):
    from vitrail.transfer import fine_tuning

    whole = tuned(backbone(), data)
    monkeypatch.setattr(fine_tuning, "MICRO_BATCH", 3)
    parts = tuned(backbone(), data)
    np.testing.assert_allclose(parts.head.weights, whole.head.weights, rtol=1e-3, atol=1e-5)


def test_a_network_that_leads_round_the_cut_is_refused(data):
    with pytest.raises(BadSetting, match="cannot be cut at its layer 'middle'.*--train-layers all"):
        tuned(backbone(round_about=True), data)


def test_nothing_between_the_cut_and_the_layer_is_said(data):
    with pytest.raises(BadSetting, match="nothing to train between the layers 'norm' and 'norm'"):
        tuned(backbone(layers=("norm",)), data)
