"""What forms offer beside the settings themselves."""

from vitrail.studio.inputs import changed_settings, misclassified_images
from vitrail.tasks.attack import Attack
from vitrail.tasks.gan_train import GanTrain


def test_mistakes_of_a_classifier_are_those_whose_files_are_there(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "one.png").touch()
    (tmp_path / "settings.json").write_text('{"task": "transfer", "settings": {}}')
    rows = f"file,true,predicted,probability\n{tmp_path / 'one.png'},cat,dog,0.75\n/gone.png,dog,cat,0.5\n"
    (tmp_path / "tables" / "mistakes.csv").write_text(rows, encoding="utf-8")
    assert misclassified_images(str(tmp_path)) == [("cat → dog, 75.0 %: one.png", str(tmp_path / "one.png"))]
    (tmp_path / "tables" / "mistakes.csv").write_text("other\n1\n")
    assert misclassified_images(str(tmp_path)) == []
    assert misclassified_images(str(tmp_path / "nothing")) == []


def test_only_what_was_changed_is_said():
    names = ["confidence", "steps", "magnify", "seed"]
    assert changed_settings(Attack, names, [0.0, "", 10.0, 3.0]) == {"seed": 3}
    assert changed_settings(Attack, names, [1.5, "20", 10, 0]) == {"confidence": 1.5, "steps": "20"}


def test_a_flag_without_a_default_is_left_automatic():
    assert changed_settings(GanTrain, ("conditional", "diffaugment"), ["", False]) == {}
    values = changed_settings(GanTrain, ("conditional", "diffaugment"), ["no", True])
    assert GanTrain(data="digits", **values).conditional is False
