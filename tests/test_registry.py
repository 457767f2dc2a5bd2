import pytest

from vitrail.backbones import BACKBONES
from vitrail.datasets import DATASETS
from vitrail.errors import UnknownName
from vitrail.registry import Registry
from vitrail.tasks import TASKS


@pytest.mark.parametrize("table", [BACKBONES, DATASETS, TASKS], ids=lambda table: table.kind)
def test_every_entry_loads(table):
    assert all(callable(table[name]) for name in table if not name.endswith(":"))


def test_a_family_without_its_member_is_refused():
    with pytest.raises(UnknownName, match="Use timm:NAME"):
        BACKBONES["timm:"]


def test_an_unknown_name_says_what_would_work():
    with pytest.raises(UnknownName, match="Unknown backbone 'squeezenot'. Did you mean 'squeezenet'"):
        BACKBONES["squeezenot"]


def test_a_family_is_asked_for_its_member():
    table = Registry("thing", "vitrail", {"text:": "registry:display_name"})
    assert table["text:abc:"] == "abc:NAME"
    assert "text:abc" in table
    assert "text:" in table
    assert "other:abc" not in table
