"""Campaigns take hours, and are run seldom: that their options are options is seen in a moment."""

import ast
import re
from pathlib import Path

import pytest

from vitrail.settings import option_name
from vitrail.tasks import TASKS

HERE = Path(__file__).parent
OWN = {"--campaign-seed", "--large", "--whole"}  # of the campaigns themselves
OF_EVERY_COMMAND = {"--config", "--json", "--run", "--runs"}


@pytest.mark.parametrize("program", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_every_option_of_a_campaign_exists(program):
    known = {option_name(*field) for name in TASKS for field in TASKS[name].model_fields.items()}
    known |= {f"--no-{option[2:]}" for option in known} | OWN | OF_EVERY_COMMAND
    texts = (node.value for node in ast.walk(ast.parse(program.read_text())) if isinstance(node, ast.Constant))
    given = {text for text in texts if isinstance(text, str) and re.fullmatch(r"--[a-z][a-z-]*[a-z]", text)}
    assert given <= known
