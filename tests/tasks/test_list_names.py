"""`vitrail list`: whatever name an option takes can be found."""

import json

import pytest
from typer.testing import CliRunner

from vitrail.attributions import ATTRIBUTIONS
from vitrail.cli.app import app
from vitrail.gan_training.losses import LOSSES


def run(*arguments):
    return CliRunner().invoke(app, ["list", *arguments])


@pytest.mark.parametrize(("kind", "table"), [("losses", LOSSES), ("attributions", ATTRIBUTIONS)])
def test_a_kind_lists_its_names(kind, table):
    names = [entry["name"].removesuffix("NAME") for entry in json.loads(run(kind, "--json").stdout)["names"]]
    assert names == list(table)


def test_without_a_kind_all_are_listed():
    shown = run().stdout
    assert all(name in shown for name in ("squeezenet", "timm:NAME", "grad-cam", "dcgan", *LOSSES))


def test_an_unknown_kind_is_one_sentence():
    done = run("nothing")
    assert done.exit_code == 1
    assert "nothing" in done.output and "losses" in done.output
