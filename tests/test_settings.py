import json
from pathlib import Path

import pytest

from vitrail.errors import BadSetting
from vitrail.settings import Names, Numbers, Quotient, setting
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


@pytest.mark.parametrize("text", ["- a\n", "a: [", "!!python/object/apply:os.system ['true']\n", "? [a]\n: b\n"])
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


class Typed(Task):
    folder: Path = setting(..., "Folder", positional=True)
    images: tuple[Path, ...] = setting((), "Images")
    target: tuple[str, ...] = setting(("any",), "Targets")
    name: str = setting("a", "Name")
    share: float = setting(0.5, "Share")
    count: int | None = setting(None, "Count")
    flip: bool = setting(False, "Flip")
    values: Numbers = setting((), "Numbers")
    names: Names = setting(("a",), "Names")


SPELLINGS = {
    "folder": ["data", "7", "no", "2024-01-01"],
    "images": ["a", "1e3"],
    "target": ["no", "yes", "3", "007", "1_0", "0x10", "on", "off", "null ish", "~x", "12:30", "1.0", "y", "a, b"],
    "name": ["no", "3", "1e5", "True", ".5", "=", "2024-01-01"],
    "share": ["1e-3", "0.25", "1", ".5"],
    "count": ["3", "07", "1_000"],
    "flip": ["yes", "no", "true", "False", "on", "off", "1", "0"],
    "values": ["1", "0.1,1", "1e-3"],
    "names": ["x", "x, y", "3", "no"],
}


@pytest.mark.parametrize(("field", "text"), [(field, text) for field, texts in SPELLINGS.items() for text in texts])
def test_a_file_is_read_as_the_command_line_is(tmp_path, field, text):
    path = tmp_path / "a.yaml"
    path.write_text(f"{field}: {text}\n")
    others = {} if field == "folder" else {"folder": "data"}
    assert Typed.from_file(path, others) == Typed(**{field: text}, **others)


def test_one_value_stands_for_a_list_and_an_empty_one_for_the_default(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("folder: data\nimages: [x.png]\ntarget:\ncount: null\nname: 'null'\n")
    assert Typed.from_file(path, {}) == Typed(folder="data", images="x.png", name="null")


def test_the_settings_of_a_run_are_such_a_file(tmp_path):
    task = Typed(folder="data", images=("a", "b"), target=("no", "3"), share=1e-9, flip=True, values=(0.1, 5))
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"task": "typed", "settings": task.model_dump(mode="json")}, indent=2))
    assert Typed.from_file(path, {}) == task
    assert Typed.from_file(path, {"share": 0.75}) == task.model_copy(update={"share": 0.75})
    with pytest.raises(BadSetting, match="holds the settings of typed. Use those of a run of sample"):
        Sample.from_file(path, {})


class Radii(Task):
    one: Quotient | None = setting(None, "one", gt=0)
    several: Numbers = setting((), "several")


@pytest.mark.parametrize(("text", "number"), [("8/255", 8 / 255), (" 1 / 4", 0.25), ("0.5", 0.5), ("1e-2/2", 0.005)])
def test_a_number_may_be_a_quotient(text, number):
    assert Radii(one=text).one == number
    assert Radii(several=f"{text},1").several == (number, 1)


@pytest.mark.parametrize("text", ["1/0", "a/b", "1/2/3", "/", "8 of 255", "-1/2", "0/5", "1e308/1e-308", "nan/1"])
def test_what_is_no_positive_quotient_is_refused(text):
    with pytest.raises(BadSetting, match="^--one "):
        Radii(one=text)
