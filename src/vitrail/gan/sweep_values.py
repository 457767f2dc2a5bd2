"""Combinations of the settings that a sweep varies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import product

from vitrail.errors import BadSetting, UnknownName

EXAMPLE = "--set beta1=0.5,0.9"
BASE = "base"  # name of the run in which nothing is varied

Varied = Mapping[str, Sequence[str]]
"""Values to compare, by setting."""


def parse_varied(texts: Sequence[str], known: Sequence[str], fixed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The values to compare, by setting.

    Args:
        texts: NAME=VALUE,VALUE; the values of a name that is given twice are joined.
        known: the settings that may vary.
        fixed: settings that are the same in all runs.

    Raises:
        BadSetting, UnknownName: a text is not NAME=VALUE,VALUE, or there is no such setting.
    """
    varied: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        given = tuple(part.strip() for part in values.split(",") if part.strip())
        if not name or not given:
            raise BadSetting(f"--set takes NAME=VALUE,VALUE; got {text!r}. Use {EXAMPLE}.")
        _check_name(name, known, fixed)
        varied[name] = tuple(dict.fromkeys((*varied.get(name, ()), *given)))
    if not varied:
        raise BadSetting(f"No setting is varied. Use {EXAMPLE}.")
    return varied


def combinations(varied: Varied, *, one_at_a_time: bool) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Name and values of each run, e.g. `beta1=0.5 d-steps=1`; the name tells those values that differ.

    Args:
        one_at_a_time: the base run, and one run for each value; otherwise every combination.
    """
    distinguishing = [field for field, values in varied.items() if len(values) > 1 or one_at_a_time]
    for chosen in _combinations(varied, one_at_a_time=one_at_a_time):
        named = {field: chosen[field] for field in distinguishing if field in chosen} or chosen
        yield " ".join(f"{field.replace('_', '-')}={value}" for field, value in named.items()) or BASE, chosen


def _combinations(varied: Varied, *, one_at_a_time: bool) -> Iterator[Mapping[str, str]]:
    if one_at_a_time:
        yield {}
        yield from ({name: value} for name, values in varied.items() for value in values)
    else:
        yield from (dict(zip(varied, values, strict=True)) for values in product(*varied.values()))


def _check_name(name: str, known: Sequence[str], fixed: Collection[str]) -> None:
    if name in known:
        return
    if name in fixed:
        raise BadSetting(f"--set cannot vary {name!r}, as the runs would not compare. Use one run for each.")
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownName(f"--set knows no setting {name!r}.{hint} Known: {', '.join(known)}.")
