import pytest
import torch

from vitrail.attacks.criterion import Criterion
from vitrail.errors import BadSetting
from vitrail.image_ascent import input_gradient

LOGITS = torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [2.0, 2.0, 0.0]])


def test_untargeted_succeeds_where_another_class_wins_by_the_confidence():
    labels = torch.tensor([0, 0, 0])
    assert Criterion(labels).success(LOGITS).tolist() == [False, True, False]
    assert Criterion(labels, confidence=1.9).success(LOGITS).tolist() == [False, True, False]
    assert Criterion(labels, confidence=2.0).success(LOGITS).tolist() == [False, False, False]
    assert Criterion(labels).margins(LOGITS).tolist() == [-1, 2, 0]


def test_targeted_succeeds_where_the_target_beats_all_by_the_confidence():
    criterion = Criterion(torch.tensor([1, 0, 2]), torch.tensor([0, 2, 1]))
    assert criterion.success(LOGITS).tolist() == [True, False, False]
    assert criterion.margins(LOGITS).tolist() == [1, -1, 0]
    assert not Criterion(criterion.labels, criterion.targets, confidence=1.0).success(LOGITS).any()


def test_the_objective_is_the_margin(backbone, images, labels):
    for criterion in (Criterion(labels), Criterion(labels, (labels + 1) % 5)):
        found = input_gradient(backbone, images, criterion.objective())
        torch.testing.assert_close(found.scores, criterion.margins(found.logits))


def test_the_criterion_of_some_images():
    part = Criterion(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]), 0.5).select(torch.tensor([2, 0]))
    assert (part.labels.tolist(), part.targets.tolist(), part.confidence) == ([2, 0], [0, 1], 0.5)


@pytest.mark.parametrize(
    ("labels", "targets", "confidence", "says"),
    [
        ([0, 1], [1, 1], 0.0, "differ from the image's class; got class 1"),
        ([0, 1], [1], 0.0, "one target; got"),
        ([-1, 1], None, 0.0, "from 0 on; got -1"),
        ([0, 1], None, -1.0, "confidence must be"),
        ([0, 1], None, float("nan"), "confidence must be"),
    ],
)
def test_impossible_criteria_are_refused(labels, targets, confidence, says):
    with pytest.raises(BadSetting, match=says):
        Criterion(torch.tensor(labels), None if targets is None else torch.tensor(targets), confidence)


def test_a_class_that_the_network_lacks_is_refused():
    for criterion in (Criterion(torch.tensor([3, 0, 0])), Criterion(torch.tensor([0, 0, 0]), torch.tensor([1, 3, 1]))):
        with pytest.raises(BadSetting, match="3 classes; got 3"):
            criterion.success(LOGITS)
