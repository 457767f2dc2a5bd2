"""Which class a user means: by number, by name, or by a part of its name that only one class has."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from vitrail.errors import BadSetting, UnknownName

SHOWN = 6  # classes named in a message
DIGITS = 18  # of a number that may be an index


def class_index(classes: Sequence[str], name: str, *, kind: str = "class") -> int:
    """The index of the class called `name`, or numbered so.

    A number is an index unless a class is called like it. Case does not matter, nor whether words are joined by
    spaces, hyphens or underscores. Of a name with synonyms ("tench, Tinca tinca") any one will do; so will a part of
    the name that one class alone has.

    Args:
        kind: what messages call one of them.
    Raises:
        UnknownName: no class is called so; the message names the nearest.
        BadSetting: several are, or the number is out of range.
    """
    if re.fullmatch(r"\s*[-+]\d+\s*", name):  # of which the sign would be no more than a hyphen
        last = len(classes) - 1
        raise BadSetting(f"A number of a {kind} has no sign; got {name!r}. Use 0 to {last}.")
    wanted = _plain(name)
    called = [[_plain(part) for part in (each, *each.split(","))] for each in classes]
    exact = [index for index, names in enumerate(called) if wanted in names]
    if not exact and wanted.isdecimal() and len(wanted) <= DIGITS:
        return _in_range(int(wanted), classes, kind)
    found = exact or [index for index, names in enumerate(called) if wanted and f" {wanted} " in f" {names[0]} "]
    if len(found) == 1:
        return found[0]
    if found:
        choices = "; ".join(f"{index} {classes[index]}" for index in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise BadSetting(f"{len(found)} classes are called {name!r}: {choices}{more}; give one by its number.")
    near = get_close_matches(wanted, [part for names in called for part in names], n=3)
    hint = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    raise UnknownName(f"There is no {kind} {name!r}.{hint} There are {len(classes)}: {_some(classes)}.")


def _in_range(index: int, classes: Sequence[str], kind: str) -> int:
    if index >= len(classes):
        raise BadSetting(f"There is no {kind} number {index}. Use 0 to {len(classes) - 1}.")
    return index


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace("_", " ").replace(",", " ").split())


def _some(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
    return ", ".join(classes[:SHOWN]) + more
