"""Which class a user means: by its name, a variant or a part of it, or by its number."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from vitrail.errors import BadSetting, UnknownName

SHOWN = 6  # classes named in a message
NUMBER = re.compile(r"index:(\d{1,18})|(\d{1,18})", re.ASCII)
SIGNED = re.compile(r"[-+]\d+", re.ASCII)


def normal_name(name: str) -> str:
    """A name as it is kept and compared: in Unicode's composed form (NFC), without blanks around it."""
    return unicodedata.normalize("NFC", name).strip()


def class_index(classes: Sequence[str], name: str, *, kind: str = "class") -> int:
    """The index of the class that `name` means.

    The first of these that fits: the name itself; `index:4`, the class of that number; the name but for case, or for
    whether words are joined by spaces, hyphens or underscores, or one of its synonyms ("tench, Tinca tinca"); a number;
    a part of the name that one class alone has.

    Args:
        kind: what messages call one of them.
    Raises:
        UnknownName: no class is called so; the message names the nearest.
        BadSetting: several are, or the number is out of range.
    """
    named = _named(classes, name)
    number = NUMBER.fullmatch(normal_name(name))
    if not named and number:
        return _in_range(int(number[1] or number[2]), classes, kind)
    if not named and SIGNED.fullmatch(normal_name(name)):
        last = len(classes) - 1
        raise BadSetting(f"A number of a {kind} has no sign; got {name!r}. Use 0 to {last}.")
    wanted = _plain(name)
    found = named or [i for i, each in enumerate(classes) if wanted and f" {wanted} " in f" {_plain(each)} "]
    if len(found) == 1:
        return found[0]
    if found:
        choices = "; ".join(f"index:{index} {classes[index]}" for index in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise BadSetting(f"{len(found)} classes are called {name!r}: {choices}{more}. Use index:{found[0]} or another.")
    near = get_close_matches(wanted, list(filter(None, (part for each in classes for part in _synonyms(each)))), n=3)
    hint = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    raise UnknownName(f"There is no {kind} {name!r}.{hint} There are {len(classes)}: {_some(classes)}.")


def class_choice(classes: Sequence[str], name: str, *, otherwise: str) -> int | None:
    """As `class_index`; None for the word `otherwise`, unless a class is called so, and for that with an @ always."""
    if name == f"@{otherwise}" or (name == otherwise and otherwise not in map(normal_name, classes)):
        return None
    return class_index(classes, name)


def class_choices(classes: Sequence[str], names: Iterable[str], *, otherwise: str) -> list[int | None]:
    """As `class_choice`, for several names; one that is no class may be several with commas between them."""
    return [class_choice(classes, each, otherwise=otherwise) for name in names for each in split_names(classes, name)]


def split_names(classes: Sequence[str], text: str) -> list[str]:
    """The text itself if a class is called so, else what stands between its commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [text] if len(parts) < 2 or _named(classes, text) else parts


def _named(classes: Sequence[str], name: str) -> list[int]:
    """The classes called exactly so; if there is none, those called so but for how it is written, or by a synonym."""
    wanted = normal_name(name)
    plain = "" if SIGNED.fullmatch(wanted) else _plain(name)  # the sign would be no more than a hyphen
    return (
        _equal(classes, wanted, normal_name)
        or _equal(classes, wanted.casefold(), lambda each: normal_name(each).casefold())
        or [index for index, each in enumerate(classes) if plain and plain in _synonyms(each)]
    )


def _equal(classes: Sequence[str], wanted: str, form: Callable[[str], str]) -> list[int]:
    return [index for index, each in enumerate(classes) if form(each) == wanted]


def _synonyms(name: str) -> list[str]:
    return [_plain(part) for part in (name, *name.split(","))]


def _in_range(index: int, classes: Sequence[str], kind: str) -> int:
    if index >= len(classes):
        raise BadSetting(f"There is no {kind} number {index}. Use 0 to {len(classes) - 1}.")
    return index


def _plain(name: str) -> str:
    return " ".join(normal_name(name).casefold().replace("-", " ").replace("_", " ").replace(",", " ").split())


def _some(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
    return ", ".join(classes[:SHOWN]) + more
