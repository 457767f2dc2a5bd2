"""Results that can be compared, and damaged ones."""

import copy

import pytest

from vitrail.gan.comparison import check_comparable, comparison_row
from vitrail.gan.results import comparison_warning

RESULT = {
    "metrics": [
        {
            "name": "frechet-distance",
            "label": "FD[judge@1, 128, 9]",
            "value": 3.0,
            "baseline": 1.0,
            "n": 9,
            "extractor": {"name": "judge", "sha256": "1"},
        }
    ],
    "label_agreement": None,
    "architecture": "dcgan",
    "loss": "hinge",
    "epochs": 3,
    "alarms": [{"name": "copies", "epoch": 1}],
    "images_per_second": 100.0,
    "seconds": {"training": 5, "total": 8.5},
    "judge": None,
    "parameters": {"generator": 10, "discriminator": 20},
}


def test_a_result_of_today_and_an_older_one_can_be_compared():
    check_comparable(RESULT)
    assert comparison_row("run", RESULT, None)["generator_parameters"] == 10
    older = {name: value for name, value in RESULT.items() if name not in ("parameters", "judge")}
    check_comparable(older)
    assert comparison_row("run", older, None)["generator_parameters"] is None


def test_distances_to_other_real_images_are_not_compared():
    data = {"source": "/one/faces", "train": 72, "held_out": 8, "names": []}
    results = [{**RESULT, "data": each} for each in (data, {**data, "source": "faces"})]
    assert comparison_warning(results) is None  # the folder may have moved
    for other in ({"source": "scenes"}, {"train": 73}, {"names": ["a"]}):
        warning = comparison_warning([*results, {**RESULT, "data": {**data, **other}}])
        assert "different real images" in warning.text


@pytest.mark.parametrize(
    "damage",
    [
        *({name: None} for name in ("metrics", "alarms", "architecture", "loss", "epochs", "seconds")),
        *({name: "x"} for name in RESULT if name not in ("architecture", "loss")),
        {"alarms": [1]},
        {"metrics": [{"name": "frechet-distance"}]},
        {"metrics": [{**RESULT["metrics"][0], "extractor": "judge"}]},
        {"metrics": [{**RESULT["metrics"][0], "value": "3.0"}]},
        {"parameters": {"generator": "x"}},
        {"judge": {}},
        {"seconds": {"training": "5"}},
    ],
    ids=str,
)
def test_a_damaged_result_is_named(damage):
    with pytest.raises(ValueError, match=next(iter(damage))):
        check_comparable({**copy.deepcopy(RESULT), **damage})


@pytest.mark.parametrize("name", [name for name in RESULT if name not in ("judge", "parameters")])
def test_a_result_without_a_value_is_refused(name):
    with pytest.raises(ValueError, match=name):
        check_comparable({key: value for key, value in RESULT.items() if key != name})
