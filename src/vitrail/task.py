"""The base class of everything a user can do: settings that are checked when built, and a run that yields events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator

from vitrail.errors import BadRun, BadSetting
from vitrail.events import Event
from vitrail.settings import option_name, read_config, shortened

T = TypeVar("T", bound="Task")

WISHES = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "yes or no"),
    **{"path_type": "a path", "string_type": "a text", "tuple_type": "a list, or values with commas between them"},
}
"""What should be given, by pydantic's name of the error, where its own words are those of a program."""


class Task(BaseModel):
    """Base of everything a user can do: settings checked when built, then `run()`.

    Raises:
        BadSetting: a setting is unknown, of the wrong kind or outside its range.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        coerce_numbers_to_str=True,  # YAML reads `target: 5` as a number
    )

    records: ClassVar[bool] = True
    """Whether a run of this task is kept in a folder of its own."""

    supports_torchrun: ClassVar[bool] = False
    """Whether several processes, started by torchrun, may do one run of this task together."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise BadSetting(validation_message(error, type(self))) from None

    @field_validator("*", mode="before")
    @classmethod
    def _as_given(cls, value: Any, info: ValidationInfo) -> Any:
        """Paths as text, since a name may be a folder too (`backbone`, `data`); an empty text is neither."""
        field = cls.model_fields[str(info.field_name)]
        annotation, default = field.annotation, field.default
        if isinstance(value, str | list | tuple) and not value and isinstance(default, str | tuple) and default:
            raise ValueError("is empty. Leave it out for the default.")
        splits = any(isinstance(each, BeforeValidator) for each in field.metadata)
        if isinstance(value, str) and get_origin(annotation) is tuple and not splits:
            value = (value,)  # one value where several may be given
        values = value if isinstance(value, list | tuple) else (value,)
        if Path in (annotation, *get_args(annotation)) and any(isinstance(each, str) and not each for each in values):
            raise ValueError("must be a path; got ''. Use '.' for the working directory.")
        if not any(isinstance(each, PurePath) for each in values):
            return value
        plain = tuple(str(each) if isinstance(each, PurePath) else each for each in values)
        return plain if values is value else plain[0]

    help_last: ClassVar[frozenset[str]] = frozenset()
    """Settings that are shown after the task's own, as those are that several tasks share."""

    @property
    def resume_folder(self) -> Path | None:
        """The run folder that this task goes on with; None: it begins one."""
        return None

    unrecorded: ClassVar[frozenset[str]] = frozenset()
    """Settings that say how a run is resumed, and are not among those that it began with."""

    def resumes(self, folder: Path, *, same_task: bool | None) -> bool:
        """Whether a run in `folder` resumes what is there.

        Args:
            same_task: whether the earlier run there is one of this task; None: no run was recorded there.
        """
        return False

    def log_folder(self, folder: Path) -> Path:
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
        """The task that a YAML file describes; its keys are the names of options, and `overrides` win over the file.

        The `settings.json` of a run of this task is such a file.

        Raises:
            BadSetting: the file cannot be read, is not a mapping, or holds a wrong setting.
        """
        fields = {option_name(field, info)[2:].replace("-", "_"): field for field, info in cls.model_fields.items()}
        given: dict[str, Any] = {}
        for key, value in cls._settings_in(path).items():
            name = key.replace("-", "_")
            if name in given:
                raise BadSetting(f"The settings file {str(path)!r} gives {key!r} twice. Use one of the two.")
            given[name] = value
        given = {name: value for name, value in given.items() if value is not None}  # `name:` is the default
        return cls(**{**{fields.get(key, key): value for key, value in given.items()}, **overrides})

    @classmethod
    def _settings_in(cls, path: Path) -> Mapping[str, Any]:
        content = read_config(path)
        if content.keys() != {"task", "settings"} or not isinstance(content["settings"], dict):
            return content
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()
        if content["task"] != name:
            raise BadSetting(f"{str(path)!r} holds the settings of {content['task']}. Use those of a run of {name}.")
        settings: Mapping[str, Any] = content["settings"]
        return settings

    @classmethod
    def images_setting(cls) -> str | None:
        """The setting that names the images of a run; None: it reads none of the user's."""
        return next(iter(cls._places("images")), None)

    @classmethod
    def path_settings(cls, settings: Mapping[str, Any]) -> list[str]:
        """Those of a run's settings that name paths; a default, such as "noise", is none."""
        fields = cls.model_fields
        typed = [name for name, info in fields.items() if Path in (info.annotation, *get_args(info.annotation))]
        named = [name for name in cls._places("path") if settings.get(name) != fields[name].get_default()]
        return [*typed, *named, *cls._places("images")]

    @classmethod
    def _places(cls, kind: str) -> list[str]:
        extras = {name: info.json_schema_extra for name, info in cls.model_fields.items()}
        return [name for name, extra in extras.items() if isinstance(extra, Mapping) and extra["place"] == kind]

    def repeat(self, result: Mapping[str, Any]) -> None:
        """Takes over from the result of the run that this task repeats what its settings do not say: nothing here."""

    @classmethod
    def of_run(cls: type[T], folder: Path, settings: Mapping[str, Any], version: str) -> T:
        """The task of a run in `folder` that recorded these settings, without those that name a place to write to.

        Args:
            version: that made the run.
        Raises:
            BadRun: the settings are those of another version; or of a task that writes to no run folder of its own.
        """
        if not cls.records:  # `replay` itself, or one that writes where it is told, such as `report`
            raise BadRun(
                f"{str(folder)!r} is a run of `vitrail {cls.__name__.lower()}`, which is not repeated. "
                "Use the run of another command.",
                path=str(folder),
            )
        extras = {name: info.json_schema_extra for name, info in cls.model_fields.items()}
        places = {name for name, extra in extras.items() if isinstance(extra, Mapping) and extra["written"]}
        try:
            return cls(**{name: value for name, value in settings.items() if name not in places})
        except BadSetting as error:
            raise BadRun(
                f"{str(folder)!r} was made by Vitrail {version} with settings that this version does not take: "
                f"{error} Use that version, or make a new run.",
                path=str(folder),
            ) from None


FACE_OPTIONS = ("run", "runs", "json", "config")
"""What commands take besides a task's settings."""


def validation_message(error: ValidationError, task: type[Task]) -> str:
    """The first thing that is wrong, as one sentence in the words of the command line."""
    # An unknown name is often what should have been the name that is missing.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    field = str(first["loc"][0]) if first["loc"] else ""
    name = option_name(field, task.model_fields.get(field))
    given = first["input"]
    match first["type"]:
        case "extra_forbidden":
            if field in FACE_OPTIONS:
                return f"{field!r} is no setting of the work, and belongs on the command line. Use --{field}."
            known = [option_name(*each).removeprefix("--") for each in task.model_fields.items()]
            near = get_close_matches(name.removeprefix("--"), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            return f"Unknown setting {name.removeprefix('--')!r}.{hint} Known: {', '.join(known)}."
        case "missing":
            extra = task.model_fields[field].json_schema_extra
            positional = isinstance(extra, Mapping) and extra["positional"]
            return f"{field.upper() if positional else name} is missing. Give it, or a settings file that does."
        case "value_error":  # ours: of one setting, or of several that do not go together
            reason = str(first["ctx"]["error"])
            return f"{name} {reason}" if field else reason
        case kind:
            wish = WISHES.get(kind) or first["msg"].removeprefix("Input should be ").removeprefix("Value should be ")
            return f"{name} must be {wish}; got {shortened(given)}."
