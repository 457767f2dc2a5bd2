"""What a task can be told: a pydantic model, from which the command line and settings.json follow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vitrail.errors import BadSetting
from vitrail.events import Event


def split_commas(value: Any) -> Any:
    """`"a,b"` as `("a", "b")`; anything else as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in their order, without repetitions."""
    return tuple(dict.fromkeys(names))


SETTINGS_BYTES = 1_000_000
SHOWN = 200  # characters of a wrong value in a message

T = TypeVar("T", bound="Task")
M = TypeVar("M", bound=BaseModel)

Names = Annotated[tuple[str, ...], BeforeValidator(split_commas), AfterValidator(each_once)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(split_commas)]


def setting(
    default: Any, help: str, *, positional: bool = False, flag: str | None = None, repeated: bool = False, **limits: Any
) -> Any:
    """A field that knows its help text and its limits.

    Args:
        default: the value when nothing is said; `...` makes the setting obligatory.
        positional: given on the command line without an option's name.
        flag: the option's name where it is not the field's, which Python's keywords cannot be ("--from").
        repeated: the option may be given several times, each value one more of a tuple.
        limits: pydantic's own (`ge`, `gt`, `le`, `lt`, ...).
    """
    extra: dict[str, Any] = {"positional": positional, "flag": flag, "repeated": repeated}
    return Field(default, description=help, json_schema_extra=extra, **limits)


class Task(BaseModel):
    """Base of everything a user can do: settings checked when built, then `run()`.

    Raises:
        BadSetting: a setting is unknown, of the wrong kind or outside its range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    records: ClassVar[bool] = True
    """Whether a run of this task is kept in a folder of its own."""

    shared: ClassVar[bool] = False
    """Whether several processes, started by torchrun, may do one run of this task together."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise BadSetting(sentence(error, type(self))) from None

    shown_last: ClassVar[frozenset[str]] = frozenset()
    """Settings that are shown after the task's own, as those are that several tasks share."""

    @property
    def continued(self) -> Path | None:
        """The run folder that this task goes on with; None: it begins one."""
        return None

    @property
    def goes_on(self) -> bool:
        """Whether a run in the folder of an earlier run of this task goes on with that one."""
        return False

    def own_folder(self, folder: Path) -> Path:
        """Where this run's settings, events and result are kept, of a run in `folder`; several may share that one."""
        return folder

    def run(self) -> Iterator[Event]:
        """Does the work, yielding what happens; the last event is a `Result`."""
        raise NotImplementedError

    def run_in(self, folder: Path) -> Iterator[Event]:
        """As `run`, for a run that is kept in `folder`; a task whose parts have folders within it needs to know it."""
        return self.run()

    @classmethod
    def from_file(cls: type[T], path: Path, overrides: Mapping[str, Any]) -> T:
        """The task that a YAML file describes; `overrides` win over the file.

        Raises:
            BadSetting: the file cannot be read, is not a mapping, or holds a wrong setting.
        """
        return cls(**{**read_config(path), **overrides})


class _PlainLoader(yaml.SafeLoader):
    """No aliases: settings have no use for them, and nine lists, each of nine times the one before, fill any memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias (*name) stands where a value should")
        return super().compose_node(parent, index)


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, keys written with `-` or `_`."""
    try:
        with path.open("rb") as file:
            text = file.read(SETTINGS_BYTES + 1)
        if len(text) > SETTINGS_BYTES:
            raise ValueError(f"it has more than {SETTINGS_BYTES:,} bytes")
        values = yaml.load(text.decode(), _PlainLoader) or {}
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:  # a date in month 99 ...
        raise BadSetting(f"The settings file {str(path)!r} cannot be read as YAML: {_one_line(error)}.") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise BadSetting(f"The settings file {str(path)!r} must hold 'name: value' lines; got {type(values).__name__}.")
    return {key.replace("-", "_"): value for key, value in values.items()}


def sentence(error: ValidationError, task: type[Task]) -> str:
    """The first thing that is wrong, as one sentence in the words of the command line."""
    first = error.errors()[0]
    name = option_name(str(first["loc"][0])) if first["loc"] else "The settings"
    given = first["input"]
    match first["type"]:
        case "extra_forbidden":
            return f"Unknown setting {name}. Known: {', '.join(map(option_name, task.model_fields))}."
        case "missing":
            return f"{name} is missing; it must be given."
        case "value_error":
            return f"{name}: {first['ctx']['error']}"
        case _:
            wish = first["msg"].removeprefix("Input should be ").removeprefix("Value should be ")
            return f"{name} must be {wish}; got {_shortened(given)}."


def checked(kind: type[M], content: Any) -> M:
    """What a file says, as a model of ours.

    Raises:
        ValueError: it is none; the first thing that is wrong, in one line.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def option_name(field: str) -> str:
    """How a field is called on the command line: `--top` for `top`."""
    return "--" + field.replace("_", "-")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _shortened(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def cache_folder() -> Path:
    """Where features are kept unless a task is told otherwise: the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "vitrail" / "features"
