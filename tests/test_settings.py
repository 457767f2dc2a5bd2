import pytest

from vitrail.errors import BadSetting
from vitrail.settings import Names, Numbers, setting
from vitrail.task import Task


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
        ({"top": "many"}, "--top must be a whole number"),
        ({"depth": 1}, "Unknown setting 'depth'. Known: names, values, top."),
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


NINES = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{NINES}\ntop: *a9", "an alias"),
        ("names: " + "[" * 5_000, "recursion"),
        ("top: 2024-99-99", "month"),
        ("top: " + "9" * 5_000, "4300 digits"),
        ("? [a]\n: 1", "unhashable"),
        ("names: [" + "x, " * 400_000 + "]", "more than 1,000,000 bytes"),
        ("top: '\ud800'", "surrogates|can't decode"),
    ],
)
def test_a_file_that_trips_or_swamps_its_parser_is_refused(tmp_path, text, why):
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadSetting, match=f"cannot be read as YAML: .*({why})"):
        Sample.from_file(path, {})


def test_a_wrong_value_is_shown_by_its_beginning():
    with pytest.raises(BadSetting, match=r"--top must be a whole number; got 'x{199}\.\.\.\.$"):
        Sample(top="x" * 100_000)
