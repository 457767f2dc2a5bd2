"""`vitrail list`: every name that the command line takes, with a sentence on each."""

import json
import subprocess
import sys
from typing import get_args

import pytest
from command import run

from vitrail.attributions import ATTRIBUTIONS
from vitrail.backbones import BACKBONES
from vitrail.gan_training.losses import LOSSES
from vitrail.tasks import FACES, TASKS
from vitrail.tasks.list_names import VISUALISATION
from vitrail.tasks.visualise import Visualise


@pytest.mark.parametrize(
    ("collection", "table"), [("losses", LOSSES), ("attributions", ATTRIBUTIONS), ("backbones", BACKBONES)]
)
def test_a_collection_lists_its_names_with_a_sentence_on_each(collection, table):
    entries = json.loads(run("list", collection, "--json").stdout)["names"]
    assert [entry["name"].removesuffix("NAME") for entry in entries] == list(table)
    assert all(10 < len(entry["description"]) < 200 for entry in entries)
    assert len({entry["description"] for entry in entries}) == len(entries)


def test_without_a_collection_all_are_listed():
    entries = json.loads(run("list", "--json").stdout)["names"]
    names = {entry["name"] for entry in entries}
    assert names >= {"squeezenet", "timm:NAME", "grad-cam", "dcgan", "digits", "mnist", "fourier", "studio", *LOSSES}
    assert "gan train" in names
    assert all(entry["description"] for entry in entries)
    assert len([entry for entry in entries if entry["collection"] == "commands"]) == len(TASKS) + len(FACES)


def test_the_visualisation_methods_are_those_of_the_option():
    (methods,) = (get_args(part) for part in get_args(Visualise.model_fields["method"].annotation) if get_args(part))
    assert tuple(VISUALISATION) == methods


def test_names_are_described_without_importing_torch():
    code = "import sys; from vitrail.backbones import BACKBONES as b; [b.describe(n) for n in b]; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" not in modules


def test_an_unknown_collection_is_named():
    done = run("list", "nothing")
    assert done.exit_code == 1
    assert "nothing" in done.output
    assert "losses" in done.output
