import pytest
import torch

from vitrail.attacks.goal import Goal
from vitrail.errors import BadSetting
from vitrail.image_ascent import input_gradient

LOGITS = torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [2.0, 2.0, 0.0]])


def test_untargeted_is_reached_where_another_class_wins_by_the_confidence():
    labels = torch.tensor([0, 0, 0])
    assert Goal(labels).reached(LOGITS).tolist() == [False, True, False]
    assert Goal(labels, confidence=1.9).reached(LOGITS).tolist() == [False, True, False]
    assert Goal(labels, confidence=2.0).reached(LOGITS).tolist() == [False, False, False]
    assert Goal(labels).scores(LOGITS).tolist() == [-1, 2, 0]


def test_targeted_is_reached_where_the_target_beats_all_by_the_confidence():
    goal = Goal(torch.tensor([1, 0, 2]), torch.tensor([0, 2, 1]))
    assert goal.reached(LOGITS).tolist() == [True, False, False]
    assert goal.scores(LOGITS).tolist() == [1, -1, 0]
    assert not Goal(goal.labels, goal.targets, confidence=1.0).reached(LOGITS).any()


def test_the_objective_is_the_score(backbone, images, labels):
    for goal in (Goal(labels), Goal(labels, (labels + 1) % 5)):
        found = input_gradient(backbone, images, goal.objective())
        torch.testing.assert_close(found.scores, goal.scores(found.logits))


def test_a_part_of_a_goal():
    part = Goal(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]), 0.5).take(torch.tensor([2, 0]))
    assert (part.labels.tolist(), part.targets.tolist(), part.confidence) == ([2, 0], [0, 1], 0.5)


@pytest.mark.parametrize(
    ("labels", "targets", "confidence", "says"),
    [
        ([0, 1], [1, 1], 0.0, "another class than the image's own; got class 1"),
        ([0, 1], [1], 0.0, "one target; got"),
        ([-1, 1], None, 0.0, "from 0 on; got -1"),
        ([0, 1], None, -1.0, "confidence must be"),
        ([0, 1], None, float("nan"), "confidence must be"),
    ],
)
def test_impossible_goals_are_refused(labels, targets, confidence, says):
    with pytest.raises(BadSetting, match=says):
        Goal(torch.tensor(labels), None if targets is None else torch.tensor(targets), confidence)


def test_a_class_that_the_network_lacks_is_refused():
    for goal in (Goal(torch.tensor([3, 0, 0])), Goal(torch.tensor([0, 0, 0]), torch.tensor([1, 3, 1]))):
        with pytest.raises(BadSetting, match="knows 3 classes; got 3; 0 to 2"):
            goal.reached(LOGITS)
