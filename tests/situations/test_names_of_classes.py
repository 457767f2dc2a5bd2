"""Names of classes: letters of two forms, signs, numbers, and words that mean something else too."""

import json
import unicodedata
from pathlib import Path

import pytest
from drawings import lay
from small_runs import MAP, QUICK, gan_options, refused, succeeded

pytestmark = pytest.mark.usefixtures("without_figures")

CITIES = ("Köln", "Zürich", "Orléans")


def composed(name):
    return unicodedata.normalize("NFC", name)


def decomposed(name):
    return unicodedata.normalize("NFD", name)


def cities(*places):
    """A folder for each city in each of these places, which give the folder around and the form of the letters."""
    found = {f"{around}{form(name)}": n for n, (around, form) in zip((6, 3), places, strict=True) for name in CITIES}
    return lay("data", found)


@pytest.mark.parametrize("forms", [(composed, decomposed), (decomposed, composed)], ids=["NFC, NFD", "NFD, NFC"])
def test_letters_of_two_forms_are_one_class_in_both_parts(forms, transfer, gan_train):
    """03: The training part comes from Linux and the test part from macOS, which writes `ü` as two letters."""
    data = cities(*zip(("train/", "test/"), forms, strict=True))
    expected = sorted(map(composed, CITIES))
    learned = transfer(data)
    assert learned.classes == expected
    assert (learned.count("train"), learned.count("test")) == (dict.fromkeys(expected, 6), dict.fromkeys(expected, 3))
    assert "9 images" in learned.said
    trained = gan_train(data)
    assert (trained.classes, len(trained.files("held out"))) == (expected, 9)


def test_two_folders_of_one_name_are_one_class(transfer):
    """03: The folder of a class is there twice, once in each form."""
    run = transfer(cities(("", composed), ("", decomposed)))
    assert run.classes == sorted(map(composed, CITIES))
    assert run.data["images"] == 27


def test_blanks_around_the_name_of_a_folder_do_not_count(transfer):
    """03: A class folder was copied with a blank behind its name."""
    run = transfer(lay("data", {"train/brick": 6, "train/grass": 6, "test/brick ": 3, "test/ grass": 3}))
    assert (run.classes, run.count("test")) == (["brick", "grass"], {"brick": 3, "grass": 3})


@pytest.mark.parametrize("form", [composed, decomposed])
def test_a_table_in_one_form_finds_files_in_the_other(form, transfer):
    """03: The table was written on another system than the folders that it lists."""
    other = decomposed if form is composed else composed
    data = lay("data", {other(name): 6 for name in CITIES})
    rows = [f"{form(name)}/{number:03}.png,{form(name)}" for name in CITIES for number in range(6)]
    (data / "list.csv").write_text("\n".join(["file,class", *rows, ""]), encoding="utf-8")
    run = transfer(data / "list.csv")
    assert (run.classes, run.data["images"]) == (sorted(map(composed, CITIES)), 18)


@pytest.mark.parametrize("name", [composed("Zürich"), decomposed("Zürich"), "ZÜRICH", " zürich "])
def test_a_class_is_named_in_either_form(name, transfer):
    """03: The class is typed on a system that writes its letters the other way."""
    classifier = transfer(cities(("train/", composed), ("test/", decomposed))).folder
    image = next(iter(sorted(classifier.parent.glob("data/train/*/*.png"))))
    run = succeeded("map", "explain", image, "--backbone", classifier, "--target", name, *MAP)
    assert run.result["images"][0]["target"]["name"] == "Zürich"


SIGNS = (*"-+,=(!0124", *"35Aa_$", "div", "[b]", "top", "any", "index:1")


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    """Classes called like signs, a classifier of them and a generator."""
    home = tmp_path_factory.mktemp("signs")
    lay(home / "data", dict.fromkeys(SIGNS, 4))
    succeeded(home / "run", "transfer", home / "data", *QUICK, "--no-use-cache")
    succeeded(home / "gan", "gan", "train", home / "data", *gan_options(), "--cache", home / "stored")
    return home


@pytest.mark.parametrize("name", SIGNS)
def test_a_class_called_like_a_sign_is_named_by_it(name, signs):
    """09: The classes are signs and digits of a form, and each is asked for by its name."""
    image = signs / "data" / "=" / "000.png"
    options = ("--backbone", signs / "run", "--target", name)
    run = succeeded("map", "explain", image, *options, *MAP)
    assert run.result["images"][0]["target"]["name"] == name
    run = succeeded("sample", "gan", "sample", signs / "gan", "--class", name, "--count", 1)
    assert run.result["images"][0]["class"] == name


@pytest.mark.parametrize("name", ["-", ",", "4", "[b]"])
def test_a_class_called_like_a_sign_is_named_in_a_file(name, signs):
    """09: The same names in YAML, where some of them are signs of its grammar."""
    Path("a.yaml").write_text(f"target: {json.dumps(name)}\nmethod: gradient\nfaithfulness: no\n")
    image = signs / "data" / "=" / "000.png"
    run = succeeded("map", "explain", image, "--backbone", signs / "run", "--config", "a.yaml")
    assert run.result["images"][0]["target"]["name"] == name


@pytest.mark.parametrize("name", ["-", ","])
def test_an_attack_aims_at_a_class_called_like_a_sign(name, signs):
    """09: An image is to be taken for a comma, or a hyphen."""
    image = signs / "data" / "=" / "000.png"
    run = succeeded("attack", "attack", image, "--backbone", signs / "run", f"--target={name}", "--steps", 4)
    assert run.result["images"][0]["target"]["name"] == name


@pytest.mark.parametrize("number", range(len(SIGNS)))
def test_the_number_of_a_class_is_never_ambiguous(number, signs):
    """09: `index:4` is the class of that number, unless a class is called so; `4` is the class of that name."""
    classes = json.loads((signs / "run" / "weights" / "head.json").read_text())["classes"]
    run = succeeded("sample", "gan", "sample", signs / "gan", "--class", f"index:{number}", "--count", 1)
    assert run.result["images"][0]["class"] == ("index:1" if number == 1 else classes[number])
    if number > 5:
        run = succeeded("again", "gan", "sample", signs / "gan", "--class", number, "--count", 1)
        assert run.result["images"][0]["class"] == classes[number]


@pytest.mark.parametrize("options", [(), ("--target", "@top")], ids=["nothing asked for", "@top"])
def test_a_class_called_top_takes_nothing_from_the_likeliest(options, signs):
    """09: A class is called `top`; the map is that of the likeliest class where no class, or `@top`, is asked for."""
    images = [signs / "data" / name / "000.png" for name in ("=", "4", "div")]
    predicted = succeeded("predicted", "predict", signs / "run", *images, "--no-use-cache")
    likeliest = [image["top"][0]["name"] for image in predicted.result["images"]]
    run = succeeded("map", "explain", *images, "--backbone", signs / "run", *options, *MAP)
    assert [image["target"]["name"] for image in run.result["images"]] == likeliest


@pytest.mark.parametrize("options", [(), ("--target", "@any")], ids=["nothing asked for", "@any"])
def test_a_class_called_any_takes_nothing_from_any_class(options, signs):
    """09: A class is called `any`; an attack without a target, or with `@any`, has none."""
    image = signs / "data" / "=" / "000.png"
    run = succeeded("attack", "attack", image, "--backbone", signs / "run", *options, "--steps", 4)
    assert run.result["images"][0]["target"] is None


@pytest.mark.parametrize(("name", "said"), [
    ("21", "There is no class number 21. Use 0 to 20."), ("index:21", "There is no class number 21. Use 0 to 20."),
    ("-1", "A number of a class has no sign; got '-1'. Use 0 to 20."), ("B", "There is no class 'B'."),
])  # fmt: skip
def test_what_no_class_is_called_is_refused(name, said, signs):
    """09: A name that no class has, a number that is too large, and one with a sign."""
    image = signs / "data" / "=" / "000.png"
    options = ("--backbone", signs / "run", "--target", name)
    assert said in refused("explain", image, *options, *MAP)
    assert said in refused("attack", image, *options)


@pytest.mark.parametrize("name", [",,", "--", "_,"])
def test_a_hint_at_a_near_name_names_one(name, signs):
    """09: Signs in another number than any class has: where the message says "Did you mean", a name follows."""
    image = signs / "data" / "=" / "000.png"
    sentence = refused("explain", image, "--backbone", signs / "run", "--target", name, *MAP)
    assert f"There is no class '{name}'." in sentence
    assert "Did you mean ?" not in sentence


def test_predictions_show_signs_as_they_are(signs):
    """09: Names with brackets, which would be marks of a style to the terminal's library."""
    images = [signs / "data" / name / "000.png" for name in ("[b]", "$")]
    run = succeeded("predicted", "predict", signs / "run", *images, "--no-use-cache")
    assert [image["top"][0]["name"] for image in run.result["images"]] == ["[b]", "$"]
    assert "classes [b]: 1, $: 1" in run.said
