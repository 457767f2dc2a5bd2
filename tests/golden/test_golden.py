"""Every method still gives what it gave when it agreed with its peer (`tests/references`, run by `make test-all`)."""

import json

import pytest
from freeze import PLACE, attributions

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
