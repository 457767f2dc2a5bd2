"""Every name in a table is on its page, with the source that its module cites; the reference has every public part."""

import re
import sys
from pathlib import Path
from typing import get_args

import pytest

from vitrail.attacks import ATTACKS
from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.captum_methods import RULES, SURROGATES
from vitrail.gan_architectures import GANS
from vitrail.gan_training.losses import LOSSES
from vitrail.tasks.visualise import Visualise

DOCS = Path(__file__).parents[2] / "docs"
VISUALISATIONS = [name for name in get_args(get_args(Visualise.model_fields["method"].annotation)[0])]
NAMED = {
    "methods/attributions.md": [*(name for name in ATTRIBUTIONS if ":" not in name)]
    + [f"captum:{name}" for name in (*RULES, *SURROGATES)],
    "methods/attacks.md": list(ATTACKS),
    "methods/visualisation.md": VISUALISATIONS,
    "generators.md": [*GANS, *LOSSES],
}
SOURCE = re.compile(r"https://(?:arxiv\.org/abs/[\d.]+\d|doi\.org/[\w./-]+\w)")


def rows(page):
    """Name in the first column -> the line."""
    return {found[1]: found[0] for found in re.finditer(r"^\| `([\w:-]+)` \|.*$", (DOCS / page).read_text(), re.M)}


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, names in NAMED.items() for name in names])
def test_every_method_is_in_its_table(page, name):
    assert name in rows(page)


@pytest.mark.parametrize(
    ("page", "table"), [("methods/attributions.md", ATTRIBUTIONS), ("methods/attacks.md", ATTACKS)]
)
def test_a_page_cites_what_the_modules_cite(page, table):
    text = (DOCS / page).read_text()
    for name in table:
        module = sys.modules[table[name].__module__ if ":" not in name else "vitrail.attributions.captum_methods"]
        cited = set(SOURCE.findall(module.__doc__))
        assert cited, name
        assert cited <= set(SOURCE.findall(text)), name


@pytest.mark.parametrize(
    ("page", "table"),
    [("attributions", ATTRIBUTIONS), ("attacks", ATTACKS), ("gan_architectures", GANS), ("gan_training", LOSSES)],
)
def test_the_reference_has_the_module_of_every_entry(page, table):
    text = (DOCS / "api" / f"{page}.md").read_text()
    for name in table:
        module = getattr(table[name], "__module__", "") if ":" not in name else "vitrail.attributions.captum_methods"
        module = "vitrail.gan_training.losses" if table is LOSSES else module
        assert f".. automodule:: {module}\n" in text, name


def test_the_reference_has_all_estimators_and_load():
    import vitrail.transfer

    text = (DOCS / "api" / "transfer.md").read_text()
    for name in vitrail.transfer.__all__:
        assert f".. automodule:: {getattr(vitrail.transfer, name).__module__}\n" in text
    assert "vitrail.load" in (DOCS / "api" / "ground.md").read_text()
