"""What messages advise: followed word by word, it works; what they name exists."""

import ast
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import click
import pytest
import typer
from command import run

import vitrail
from vitrail.cli.app import app

SOURCE = Path(vitrail.__file__).parent
GAN = (
    "--size 16 --epochs 1 --batch 8 --width 4 --latent-size 8 --eval-samples 8 --final-eval-samples 8 "
    "--no-autotune --cache CACHE"
)

MISTAKES = f"""
    {{classifyy}} IMAGE --backbone tiny
    classify IMAGE {{--bakbone}} tiny
    classify IMAGE --backbone {{squeezene}}
    classify IMAGE --backbone tiny --device {{cuda:9}}
    transfer STRIPES --backbone tiny --cache CACHE --layer {{feature}}
    transfer STRIPES --backbone tiny --cache CACHE --layer features --head {{svmm}}
    transfer STRIPES --backbone tiny --cache CACHE --layer features --shard {{4/3}}
    transfer STRIPES --backbone tiny --cache CACHE --layer features --workers {{0}}
    explain IMAGE --backbone CLASSIFIER --target {{nois}}
    explain IMAGE --backbone CLASSIFIER --target {{index:9}}
    explain IMAGE --backbone CLASSIFIER --target={{-1}}
    explain IMAGE --backbone CLASSIFIER --method {{gradcam}}
    attack IMAGE --backbone CLASSIFIER --method fgsm
    attack IMAGE --backbone CLASSIFIER --method pgd --epsilon {{8}}
    attack IMAGE --backbone CLASSIFIER --method pgd --epsilon {{300}}
    attack IMAGE --backbone CLASSIFIER --method fgsm --epsilon {{1/0}}
    audit TEST --backbone CLASSIFIER --max-images 2 --linf {{8}}
    audit TEST --backbone CLASSIFIER --max-images 2 --linf {{300}}
    attack IMAGE --backbone CLASSIFIER --method fgsm --epsilon 0.1 --norm {{l3}}
    attack IMAGE --backbone CLASSIFIER --memory-mib {{1}}
    audit TEST --backbone CLASSIFIER --max-images 2 --linf {{0}}
    visualise {{acros}} --backbone CLASSIFIER --judge none --steps 4
    visualise across --backbone CLASSIFIER --judge none --steps 4 --method {{pixel}}
    visualise across --backbone CLASSIFIER --judge none --steps 4 --method {{pixels}} --size 64
    visualise --backbone tiny --judge none --steps 4 --channel {{feature}}:0
    visualise --backbone tiny --judge none --steps 4 --channel {{features}}
    visualise --backbone tiny --judge none --steps 4 --channel features:{{99}}
    gan train STRIPES {GAN} --batch 64
    gan train STRIPES {GAN} --architecture dcgan --conditional
    gan train STRIPES {GAN} --architecture {{dcgann}}
    gan train STRIPES {GAN} --loss {{hinged}}
    gan train --resume GENERATOR
    gan sample GENERATOR --class {{nois}}
    gan sample GENERATOR --class {{7}}
    gan sample GENERATOR --count {{0}}
    gan sample GENERATOR --seed={{-1}}
    gan interpolate GENERATOR --steps {{100000}}
    gan interpolate GENERATOR --seeds 1,2,3 --steps 500
    gan sweep STRIPES {GAN} --set beta1
    gan sweep STRIPES {GAN} --set {{beta}}=0.5,0.6
    gan export GENERATOR --format {{onnxx}}
    list {{backbone}}
"""
"""Commands with one mistake each, in braces where a message says what to give in its place."""

IN_ITS_PLACE = (  # the word that a message advises, in the order in which they are looked for
    r"Did you mean '?([\w.-]+)",
    r"Possible options: ([\w-]+)",
    r"Use (?:one of: |e\.g\. |--\w+ with )?'?([\w:./-]*\w)",
    r"; there are ([\w-]+)",
    r"must be '([\w-]+)'",
    r"Known: ([\w-]+)",
    r"(?:greater|less) than or equal to (\d+)",
    r"takes a number such as ([\d.]+)",
)


@pytest.fixture(scope="module")
def places(stripes, classifier, tmp_path_factory):
    """What the words in capitals stand for."""
    home = tmp_path_factory.mktemp("advice")
    places = {
        "STRIPES": stripes,
        "TEST": stripes / "test",
        "IMAGE": stripes / "test" / "noise" / "0.png",
        "CLASSIFIER": classifier,
        "CACHE": home / "cache",
    }
    done = run(*named(f"gan train STRIPES {GAN}", places), "--run", home / "gan")
    assert done.exit_code == 0, done.output
    return {**places, "GENERATOR": home / "gan"}


def named(line, places):
    """A command line's words, with the places that they name."""
    return [re.sub("[A-Z]{4,}", lambda word: str(places.get(word[0], word[0])), word) for word in shlex.split(line)]


def followed(words, message):
    """The command as a message advises to type it."""
    whole = re.search(r"`vitrail ([^`]+)`", message)
    options = re.search(r"Use (?:e\.g\. )?(--[\w-]+(?: [^\s-]\S*?)?(?: --[\w-]+ \S+?)*)(?:\.? |\.$)", message)
    marked = [index for index, word in enumerate(words) if "{" in word]
    if marked:
        advised = next(found[1] for found in (re.search(each, message) for each in IN_ITS_PLACE) if found)
        return [re.sub(r"\{.*\}", advised, word) for word in words]
    if whole:
        return shlex.split(whole[1])
    assert options, message
    advised = shlex.split(options[1])
    return [*_without(words, {each for each in advised if each.startswith("--")}), *advised]


def _without(words, options):
    """The words without these options and their values; of `--no-x`, without `--x`, too."""
    kept, skipped = [], False
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if skipped:
            skipped = False
        elif word in options or f"--no-{word[2:]}" in options:
            skipped = not following.startswith("--")
        else:
            kept.append(word)
    return kept


@pytest.mark.parametrize("line", [line.strip() for line in MISTAKES.strip().splitlines()])
def test_what_a_message_advises_works(line, places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "resume" in line:
        places = {**places, "GENERATOR": shutil.copytree(places["GENERATOR"], tmp_path / "gan")}
    words = named(line, places)
    done = run(*(word.replace("{", "").replace("}", "") for word in words))
    assert done.exit_code in (1, 2), done.output
    message = re.sub(r"[\s│]+", " ", done.stderr)
    again = run(*followed(words, message))
    assert again.exit_code == 0, f"{message}\n{followed(words, message)}\n{again.output}"


def messages():
    """Every text of the source that speaks to people: (file, line, text), X for what is filled in."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
                text = node.value
            else:
                continue
            yield f"{path.relative_to(SOURCE)}:{node.lineno}", text


def commands():
    """Name -> options, of every command."""
    found = {}

    def walk(command, name):
        found[name] = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        if hasattr(command, "list_commands"):
            context = click.Context(command)
            for part in command.list_commands(context):
                walk(command.get_command(context, part), f"{name} {part}".strip())

    walk(typer.main.get_command(app), "")
    return found


COMMANDS = commands()


def test_options_that_messages_name_exist():
    known = set().union(*COMMANDS.values()) | {"--help"}
    known |= {"--opacity"}  # of a style sheet
    named_options = [
        (where, option) for where, text in messages() for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)
    ]
    assert len(named_options) > 100
    assert [each for each in named_options if each[1] not in known and not each[1].endswith(("-", "X"))] == []


def test_commands_that_messages_name_exist_and_have_these_options():
    found = [(where, line) for where, text in messages() for line in re.findall(r"`vitrail ([a-z][^`]*)`", text)]
    assert len(found) > 15
    for where, line in found:
        words = line.split()
        name = next((each for each in (" ".join(words[:2]), words[0]) if each in COMMANDS), None)
        assert name is not None, (where, line)
        assert {word for word in words if word.startswith("--")} <= COMMANDS[name], (where, line)


def test_extras_that_messages_name_exist():
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]
    found = {extra for _, text in messages() for extra in re.findall(r"pip install 'vitrail\[([\w,]+)\]'", text)}
    assert len(found) >= 5
    assert found <= project["optional-dependencies"].keys()
