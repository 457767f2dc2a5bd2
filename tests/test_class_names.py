import re
import unicodedata

import pytest

from vitrail.backbones.imagenet import imagenet_classes
from vitrail.class_names import class_choice, class_choices, class_index
from vitrail.errors import BadSetting, UnknownName

SHORT = ("tench, Tinca tinca", "black-and-gold spider", "wolf spider", "3", "Cat")


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("tench", 0),
        ("Tinca tinca", 0),
        ("TENCH, tinca TINCA", 0),
        ("black and gold spider", 1),
        ("black_and_gold_spider", 1),
        ("gold", 1),
        ("wolf", 2),
        ("cat", 4),
        ("3", 3),
        ("2", 2),
        ("0", 0),
    ],
)
def test_a_class_is_found(name, index):
    assert class_index(SHORT, name) == index


def test_of_imagenet_both_the_name_and_the_number_work():
    assert class_index(imagenet_classes(), "tarantula") == class_index(imagenet_classes(), "76") == 76


def test_several_classes_are_listed_with_their_numbers():
    with pytest.raises(
        BadSetting,
        match=r"2 classes are called 'spider': index:1 black-and-gold spider; index:2 wolf spider\. Use index:1 ",
    ):
        class_index(SHORT, "spider")
    with pytest.raises(BadSetting, match=r"classes are called 'dog': .* and \d+ more"):
        class_index([f"{index} dog" for index in range(9)], "dog")


@pytest.mark.parametrize(("name", "hint"), [("tarantulla", "Did you mean tarantula"), ("", "There are 1000: tench")])
def test_unknown_classes_are_named_with_what_is_near(name, hint):
    with pytest.raises(UnknownName, match=f"There is no class '{name}'.*{hint}"):
        class_index(imagenet_classes(), name)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(BadSetting, match="There is no class number 1000. Use 0 to 999"):
        class_index(imagenet_classes(), "1000")


def test_a_number_longer_than_any_is_no_class():
    with pytest.raises(UnknownName, match="There is no class"):
        class_index(("cat", "dog"), "9" * 5_000)


SIGNS = (
    "-",
    "+",
    ",",
    "=",
    "(",
    "!",
    "0",
    "1",
    "2",
    "4",
    "3",
    "A",
    "a",
    "_",
    "div",
    "$",
    "[b]",
    "top",
    "no",
    "a b",
    "a-b",
)


@pytest.mark.parametrize("index", range(len(SIGNS)))
def test_the_name_itself_always_wins(index):
    """Whatever a class is called, and whatever else could be meant by it."""
    assert class_index(SIGNS, SIGNS[index]) == index
    assert class_index(SIGNS, f" {SIGNS[index]} ") == index
    assert class_index(SIGNS, f"index:{index}") == index
    assert class_choice(SIGNS, SIGNS[index], otherwise="top") == index
    assert class_choices(SIGNS, [SIGNS[index]], otherwise="any") == [index]


def test_a_number_counts_only_where_no_class_is_called_so():
    assert class_index(SIGNS, "4") == 9
    assert class_index(SIGNS, "index:4") == 4
    assert class_index(SIGNS, "12") == 12
    assert class_index(("index:1", "b"), "index:1") == 0
    for wrong in ("index:21", "21"):
        with pytest.raises(BadSetting, match="There is no class number 21. Use 0 to 20"):
            class_index(SIGNS, wrong)
    for wrong in ("-1", "+3", "-07"):
        with pytest.raises(BadSetting, match="has no sign"):
            class_index(SIGNS, wrong)


def test_variants_count_where_they_are_unambiguous():
    assert class_index(("Wolf_Spider", "cat"), "wolf spider") == 0
    assert class_index(("Straße", "cat"), "STRASSE") == 0
    with pytest.raises(BadSetting, match="2 classes are called 'CAT': index:0 Cat; index:1 cat"):
        class_index(("Cat", "cat"), "CAT")
    with pytest.raises(BadSetting, match="2 classes are called 'a_b': index:19 a b; index:20 a-b"):
        class_index(SIGNS, "a_b")


def test_letters_in_composed_and_decomposed_form_are_one():
    for here, there in (("NFC", "NFD"), ("NFD", "NFC")):
        names = [unicodedata.normalize(here, name) for name in ("Köln", "Zürich")]
        assert class_index(names, unicodedata.normalize(there, "Zürich")) == 1


def test_the_advice_of_an_ambiguous_name_works():
    for classes, name in ((SHORT, "spider"), (imagenet_classes(), "terrier"), (("Cat", "cat"), "CAT")):
        with pytest.raises(BadSetting) as caught:
            class_index(classes, name)
        advice = re.search(r"Use (index:\d+)", str(caught.value))
        assert name.lower() in classes[class_index(classes, advice[1])].lower()


def test_a_reserved_word_is_a_class_where_one_is_called_so():
    assert class_choice(("cat", "dog"), "top", otherwise="top") is None
    assert class_choice(("cat", "top"), "top", otherwise="top") == 1
    assert class_choice(("cat", "top"), "@top", otherwise="top") is None
    assert class_choices(("cat", "any"), ["any", "@any", "0"], otherwise="any") == [1, None, 0]


def test_several_are_given_with_commas_between_them_unless_a_class_is_called_so():
    assert class_choices(SHORT, ["cat, 3,wolf"], otherwise="any") == [4, 3, 2]
    assert class_choices(SHORT, ["tench, Tinca tinca", "cat"], otherwise="any") == [0, 4]
    assert class_choices(("a", "b", "a,b"), ["a,b", "b,a"], otherwise="any") == [2, 1, 0]
