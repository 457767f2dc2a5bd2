"""The page of a command says what `--help` says, and its example is one that the command takes."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitrail.cli.app import app
from vitrail.cli.commands import command_for

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "extensions"))
pytest.importorskip("sphinx")
import command_pages

OPTION = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*")
SHARED = {"--config", "--json", "--run", "--runs", "--help"}


@pytest.fixture(params=command_pages.COMMANDS)
def name(request):
    return request.param


def helped(name):
    words = command_pages.command(name).split()[1:]
    done = CliRunner().invoke(app, [*words, "--help"], terminal_width=1000, env={"COLUMNS": "1000", "TERM": "dumb"})
    assert done.exit_code == 0
    return done.output


def test_a_page_has_the_options_that_help_has_and_no_others(name):
    """Of a flag, the page names both forms and `--help` the one that changes the default."""
    table = [line for line in command_pages.page(name).splitlines() if line.startswith("| `")]
    of_page = [options for line in table if (options := set(OPTION.findall(line.split(" | ")[0])))]
    of_help = {option for line in helped(name).splitlines() for option in OPTION.findall(line[:60])} - SHARED
    assert all(len(options & of_help) == 1 for options in of_page if not options & SHARED)
    assert of_help <= set().union(*of_page)


def test_a_page_says_what_help_says(name):
    said, page = (" ".join(text.replace("`", "").split()) for text in (helped(name), command_pages.page(name)))
    for field, info in command_pages.COMMANDS[name].model_fields.items():
        description = info.description.replace("`", "")
        assert description in said, field
        assert description.replace("|", r"\|") in page, field


def test_every_command_has_an_example_that_it_takes(name):
    assert name in command_pages.EXAMPLES, f"add [{name}] to docs/commands/examples.toml"
    *_, last = lines = command_pages.EXAMPLES[name]["lines"]
    assert last.startswith(command_pages.command(name))
    for line in lines:
        words = shlex.split(line)[1:]
        called = f"gan-{words[1]}" if words[0] == "gan" else words[0]
        command = command_for(called, command_pages.COMMANDS[called])
        given = command.make_context(called, words[2:] if words[0] == "gan" else words[1:]).params
        wanted = {
            field: given[field]
            for field in command_pages.COMMANDS[called].model_fields
            if given[field] not in (None, [], ())
        }
        command_pages.COMMANDS[called](**wanted)  # raises where a value is out of its range


def row(command, flags):
    """Kind, default and range in the row of a setting."""
    (line,) = (line for line in command_pages.page(command).splitlines() if line.startswith(f"| {flags} |"))
    return tuple(cell.strip(" ") for cell in line.split(" | ")[2:])


def test_kinds_defaults_and_ranges_are_told():
    assert row("gan-train", "`--size`") == ("whole number", "–", "≥\xa08, ≤\xa0256 |")
    assert row("gan-train", "`--on-alarm`")[:2] == ("`warn` `stop` `rollback` `heal`", "`warn`")
    assert row("gan-train", "`--diffaugment` `--no-diffaugment`")[:2] == ("yes or no", "–")
    assert row("gan-train", "`--autotune` `--no-autotune`")[:2] == ("yes or no", "yes")
    assert row("gan-train", "`--seed`")[2] == "≥\xa00, <\xa02^32 |"
    assert row("attack", "`IMAGES`")[:2] == ("several: path", "must be given")
    assert row("transfer", "`--cache`")[1].endswith("/vitrail/features`")
    assert str(Path.home()) not in command_pages.page("transfer")
