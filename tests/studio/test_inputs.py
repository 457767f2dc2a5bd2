"""What forms offer beside the settings themselves."""

from vitrail.studio.inputs import changed_settings
from vitrail.tasks.attack import Attack
from vitrail.tasks.gan_train import GanTrain


def test_only_what_was_changed_is_said():
    names = ["confidence", "steps", "magnify", "seed"]
    assert changed_settings(Attack, names, [0.0, "", 10.0, 3.0]) == {"seed": 3}
    assert changed_settings(Attack, names, [1.5, "20", 10, 0]) == {"confidence": 1.5, "steps": "20"}


def test_a_flag_without_a_default_is_left_automatic():
    assert changed_settings(GanTrain, ("conditional", "autotune"), ["", True]) == {}
    values = changed_settings(GanTrain, ("conditional", "autotune"), ["no", False])
    assert GanTrain(data="digits", **values).conditional is False
