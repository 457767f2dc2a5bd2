"""Descriptions of networks: what is conditional, which options follow, and that they can be built again."""

import pytest
import torch

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.gan.networks import (
    NetworkOptions,
    build,
    condition_name,
    condition_table,
    describe,
    initialise,
    resolve_options,
)
from vitrail.gan_training.state import TrainingOptions

IMAGES = torch.zeros(6, 1, 16, 16, dtype=torch.uint8)
CLASSES = PixelSet(IMAGES, torch.tensor([0, 0, 0, 1, 1, 2]), ("a", "b", "c"))
ATTRIBUTES = PixelSet(IMAGES, torch.tensor([[1.0, -1.0]] * 4 + [[-1.0, -1.0]] * 2), ("Male", "Young"))
PLAIN = PixelSet(IMAGES, torch.zeros(6, dtype=torch.long))
SMALL = {"latent_size": 5, "width": 4}


@pytest.mark.parametrize(
    ("train", "options", "architecture", "classes"),
    [
        (CLASSES, {}, "conditional-dcgan", (3, 3)),
        (CLASSES, {"conditional": False}, "dcgan", (0, 0)),
        (CLASSES, {"discriminator_sees_label": False}, "conditional-dcgan", (3, 0)),
        (CLASSES, {"architecture": "dcgan"}, "dcgan", (0, 0)),
        (CLASSES, {"architecture": "conditional-mlp"}, "conditional-mlp", (3, 3)),
        (ATTRIBUTES, {}, "conditional-dcgan", (2, 2)),
        (PLAIN, {}, "dcgan", (0, 0)),
    ],
)
def test_labels_decide_what_is_conditional(train, options, architecture, classes):
    description = describe(train, NetworkOptions(**SMALL, **options))
    arguments = description["arguments"]
    assert description["architecture"] == architecture
    assert (arguments["generator_classes"], arguments["discriminator_classes"]) == classes
    assert len(description["names"]) == classes[0]
    assert build(description).generator.latent_size == 5


def test_labels_that_are_missing_or_not_taken_are_refused():
    for train, options in (
        (PLAIN, {"conditional": True}),
        (CLASSES, {"conditional": True, "architecture": "dcgan"}),
        (PLAIN, {"architecture": "conditional-mlp"}),
    ):
        with pytest.raises(BadSetting, match="labels"):
            describe(train, NetworkOptions(**SMALL, **options))


def test_the_condition_is_as_frequent_as_in_the_data():
    assert condition_table(describe(CLASSES, NetworkOptions(**SMALL))).tolist() == [0, 0, 0, 1, 1, 2]
    table = condition_table(describe(ATTRIBUTES, NetworkOptions(**SMALL)))
    assert sorted(table.tolist()) == [[-1, -1]] * 2 + [[1, -1]] * 4
    assert condition_name([1, -1], ATTRIBUTES.names) == "+Male −Young"
    assert condition_table(describe(PLAIN, NetworkOptions(**SMALL))).tolist() == [0]


def test_mismatched_labels_are_used_where_they_can_be():
    sees = describe(CLASSES, NetworkOptions(**SMALL))
    blind = describe(CLASSES, NetworkOptions(**SMALL, discriminator_sees_label=False))
    assert resolve_options(TrainingOptions(), sees).mismatched_labels is True
    assert resolve_options(TrainingOptions(mismatched_labels=False), sees).mismatched_labels is False
    assert resolve_options(TrainingOptions(loss="relativistic"), sees).mismatched_labels is False
    assert resolve_options(TrainingOptions(), blind).mismatched_labels is False
    with pytest.raises(BadSetting, match="--no-mismatched-labels"):
        resolve_options(TrainingOptions(mismatched_labels=True), blind)


def test_weights_are_those_of_the_seed_and_the_mode_is_recorded():
    description, batch = describe(CLASSES, NetworkOptions(**SMALL)), (torch.zeros(4, 1, 16, 16), torch.zeros(4).long())
    state, choice = initialise(description, TrainingOptions(), batch, seed=3, tune=False)
    assert (choice["mode"], choice["fused"]) == ("reference", False)
    for weight, other in zip(
        state.generator.parameters(), build(description, seed=3).generator.parameters(), strict=True
    ):
        assert torch.equal(weight, other)
    resumed, again = initialise(
        description, TrainingOptions(), batch, seed=3, tune=True, choice={**choice, "mode": "fused", "fused": True}
    )
    assert (again["mode"], resumed.options.fused) == ("fused", True)
