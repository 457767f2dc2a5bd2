"""The fields of a task: their help, limits and option names; YAML files of settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo

from vitrail.errors import BadSetting, one_line
from vitrail.reading import LIMITS, read_text


def split_commas(value: Any) -> Any:
    """`"a,b"` as `("a", "b")`, a number as its text; anything else as it is.

    Raises:
        ValueError: there is nothing between the commas.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (str(value),)  # as YAML reads `target: 5`
    if not isinstance(value, str):
        return value
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    if not parts and "," in value:
        raise ValueError(f"takes names with commas between them; got {value!r}. Use a,b.")
    return parts


def quotient(value: Any) -> Any:
    """`"8/255"`, as papers write an epsilon, as the number; anything else as it is."""
    parts = value.split("/") if isinstance(value, str) else ()
    if len(parts) != 2:
        return value
    try:
        return float(parts[0]) / float(parts[1])
    except (ValueError, ArithmeticError):
        raise ValueError(f"takes a number such as 0.0314 or 8/255; got {value!r}.") from None


def without_duplicates(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in their order, without repetitions."""
    return tuple(dict.fromkeys(names))


DATA, NETWORK, METHOD, OPTIMISATION = "Data", "Network", "Method", "Optimisation"
MEASURING, OUTPUT, RUNNING = "Measuring", "Output", "Running"
PANELS = (DATA, NETWORK, METHOD, OPTIMISATION, MEASURING, OUTPUT, RUNNING)
"""Headings under which `--help` lists the settings, in this order."""

SHOWN = 200  # characters of a wrong value in a message

M = TypeVar("M", bound=BaseModel)

Names = Annotated[tuple[str, ...], BeforeValidator(split_commas), AfterValidator(without_duplicates)]
Quotient = Annotated[float, BeforeValidator(quotient)]
Numbers = Annotated[tuple[Quotient, ...], BeforeValidator(split_commas)]


def setting(
    default: Any,
    help: str,
    *,
    panel: str = METHOD,
    positional: bool = False,
    flag: str | None = None,
    repeated: bool = False,
    written: bool = False,
    place: Literal["images", "path"] | None = None,
    **limits: Any,
) -> Any:
    """A field that knows its help text and its limits.

    Args:
        default: the value when nothing is given; `...` makes the setting obligatory.
        help: a noun phrase, with the unit.
        panel: the heading under which `--help` lists it: one of `PANELS`.
        positional: given on the command line without an option's name.
        flag: the option's name where it is not the field's, which Python's keywords cannot be ("--from"); of a
            positional setting, an option that may give it too.
        repeated: the option may be given several times, each value one more of a tuple.
        written: it names, or fills, a place outside the run folder; `replay` leaves it at its default.
        place: it names the images of the task, for `replay --data`; or it may be a path in place of a name.
        limits: pydantic's own (`ge`, `gt`, `le`, `lt`, ...).
    """
    extra: dict[str, Any] = {"panel": panel, "positional": positional, "flag": flag}
    extra |= {"repeated": repeated, "written": written, "place": place}
    return Field(default, description=help, json_schema_extra=extra, **limits)


def device_setting() -> Any:
    """The device, as every task that computes takes it."""
    return setting("auto", "Device: auto, cpu, cuda, cuda:N or mps", panel=RUNNING)


def seed_setting(of: str) -> Any:
    """A seed, and what is drawn with it."""
    return setting(0, f"Seed of {of}", panel=RUNNING, ge=0, lt=2**32)


def weights_setting() -> Any:
    """A weights file in place of a network's own."""
    return setting(None, "Weights file of the network: safetensors, or a torch state dict", panel=NETWORK)


def memory_setting() -> Any:
    """A bound on what is computed at once."""
    return setting(512, "Memory limit per batch, in MiB", panel=RUNNING, flag="--memory-mib", ge=16)


def cache_setting() -> Any:
    """The feature cache's folder."""
    return setting(cache_folder(), "Folder of the feature cache", panel=RUNNING, written=True)


def home_setting() -> Any:
    """The folder above the feature cache's."""
    return setting(cache_folder().parent, "Folder of trained judges and downloaded data", panel=RUNNING, written=True)


class _PlainLoader(yaml.SafeLoader):
    """Values as text, which a setting reads as it reads the command line's: `target: no` is the class "no".

    No aliases: settings have no use for them, and nine lists, each of nine times the one before, fill any memory.
    """

    yaml_implicit_resolvers = {
        first: [each for each in known if each[0] == "tag:yaml.org,2002:null"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias (*name) stands where a value should")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice!r} is given twice")
        return super().construct_mapping(node, deep)


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, keys as they are written there, values as text."""
    try:
        values = yaml.load(read_text(path, LIMITS["settings"]), _PlainLoader) or {}
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:  # a date in month 99 ...
        raise BadSetting(f"The settings file {str(path)!r} cannot be read as YAML: {one_line(error)}.") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise BadSetting(f"The settings file {str(path)!r} must hold 'name: value' lines; got {type(values).__name__}.")
    return values


def parse_model(kind: type[M], content: Any) -> M:
    """What a file says, as a model of ours.

    Raises:
        ValueError: it is none; the first thing that is wrong, in one line.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def option_name(field: str, info: FieldInfo | None = None) -> str:
    """How a field is called on the command line: `--top-k` for `top_k`, or the name that it was given."""
    extra = info.json_schema_extra if info is not None else None
    flag = extra.get("flag") if isinstance(extra, Mapping) else None
    return str(flag) if flag else "--" + field.replace("_", "-")


def shortened(given: Any) -> str:
    """A wrong value as a message shows it: its end cut off where it is long."""
    text = " ".join(repr(given).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def cache_folder() -> Path:
    """The default folder of features: the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "vitrail" / "features"
