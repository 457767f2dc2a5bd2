"""Deletion and insertion as torchcam measures them."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torchvision
from torchcam.metrics import DeletionInsertionMetric

from vitrail.attributions.faithfulness import blur, deletion_insertion
from vitrail.backbones.backbone import Backbone

pytestmark = pytest.mark.slow

TARGETS = [3, 700, 3]


class Given:
    """What torchcam asks for a map, with maps that are there already."""

    def __init__(self, model, maps):
        self.model, self.maps = model, maps

    def __call__(self, *_, **__):
        return [self.maps]

    def fuse_cams(self, maps):
        return maps[0]

    def _hooks_off(self):
        return nullcontext()


@pytest.mark.parametrize("steps", [1, 16])
def test_the_areas_are_the_same(steps):
    torch.manual_seed(0)
    network = torchvision.models.squeezenet1_1().eval()
    facts = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "size": 32}
    backbone = Backbone.wrap(network, **facts, classes=list(map(str, range(1000))))
    images, maps = torch.rand(3, 3, 32, 40), torch.rand(3, 32, 40).round(decimals=2)  # with many ties
    shares = torch.linspace(0, 1, steps + 1, dtype=torch.float64).tolist()
    ours = deletion_insertion(backbone, images, torch.tensor(TARGETS), maps, shares=shares)
    for baseline, area in ((None, "deletion_auc"), (blur(images), "insertion_auc")):
        metric = DeletionInsertionMetric(
            Given(backbone, maps), partial(torch.softmax, dim=-1), steps=steps, baseline=baseline, batch_size=64
        )
        metric.update(images, TARGETS)
        assert metric.summary()[area] == pytest.approx(getattr(ours, area).mean().item(), rel=1e-5)
