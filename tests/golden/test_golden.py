"""Every method still gives what it gave when it agreed with its peer (`tests/references`, run by `make test-all`)."""

import json

import pytest
from freeze import PLACE, attacks, attributions

GOLDEN = json.loads(PLACE.read_text())


@pytest.fixture(scope="module")
def maps():
    return attributions()


@pytest.mark.parametrize("name", GOLDEN["attributions"])
def test_maps(name, maps):
    for ours, golden in zip(maps[name], GOLDEN["attributions"][name], strict=True):
        assert ours == pytest.approx(golden, abs=2e-4)
        assert max(map(abs, golden)) > 0.01  # a map of zeros would agree with anything that gives none


def test_every_method_has_a_golden_map(maps):
    assert maps.keys() == GOLDEN["attributions"].keys()


@pytest.fixture(scope="module")
def results():
    return attacks()


@pytest.mark.parametrize("name", GOLDEN["attacks"])
def test_attacks(name, results):
    """Norms within 2 %: many small steps may round otherwise on another processor."""
    ours, golden = results[name], GOLDEN["attacks"][name]
    assert ours["success"] == golden["success"]
    assert ours["l2"] == pytest.approx(golden["l2"], rel=0.02)
    assert ours["linf"] == pytest.approx(golden["linf"], rel=0.02)
    assert ours["forwards"] == pytest.approx(golden["forwards"], rel=0.1)


def test_every_attack_is_golden(results):
    assert results.keys() == GOLDEN["attacks"].keys()
    assert any(all(entry["success"]) for entry in GOLDEN["attacks"].values())
