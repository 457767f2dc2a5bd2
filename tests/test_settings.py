import pytest

from vitrail.errors import BadSetting
from vitrail.settings import Names, Numbers, Task, setting


class Sample(Task):
    names: Names = setting(("a",), "Some names")
    values: Numbers = setting((), "Some numbers")
    top: int = setting(5, "How many", ge=1)


def test_commas_separate():
    assert Sample(names="x, y", values="0.1,2").values == (0.1, 2.0)
    assert Sample(names="x, y").names == ("x", "y")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"top": 0}, "--top must be greater than or equal to 1; got 0."),
        ({"top": "many"}, "--top must be a valid integer"),
        ({"depth": 1}, "Unknown setting --depth. Known: --names, --values, --top."),
    ],
)
def test_a_wrong_setting_is_one_sentence(given, sentence):
    with pytest.raises(BadSetting, match="^" + sentence.replace(".", r"\.")) as caught:
        Sample(**given)
    assert "\n" not in str(caught.value)


def test_a_file_is_read_and_overrides_win(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("top: 3\nnames: [x, y]\n")
    assert Sample.from_file(path, {"top": 7}) == Sample(names=("x", "y"), top=7)


@pytest.mark.parametrize("text", ["- a\n", "a: [", "!!python/object/apply:os.system ['true']\n", "1: 2\n"])
def test_a_bad_file_is_refused(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(BadSetting, match="settings file"):
        Sample.from_file(path, {})
