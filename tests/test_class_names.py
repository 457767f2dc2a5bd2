import pytest

from vitrail.backbones.imagenet import imagenet_classes
from vitrail.class_names import class_index
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
        BadSetting, match=r"2 classes are called 'spider': 1 black-and-gold spider; 2 wolf spider; give"
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
