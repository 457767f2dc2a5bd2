"""The same training under several settings, one after another, so that what a setting does can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import product
from typing import Any

from vitrail.errors import BadSetting, UnknownName
from vitrail.events import Event
from vitrail.settings import setting, split_commas
from vitrail.tasks.gan_train import GanSettings, GanTrain

FIXED = {"data", "labels", "max_images", "held_out", "feature_extractor", "download", "device", "cache"}
"""Settings that are the same in all runs: figures of other images, or of another network, would not compare."""

EXAMPLE = "--set beta1=0.5,0.9"
BASE = "base"  # what the run is called in which nothing is varied


class GanSweep(GanSettings):
    """Train with every combination of some settings, and compare the runs in one table and a few figures."""

    values: tuple[str, ...] = setting(
        (), f"A setting of `gan train` and its values, as {EXAMPLE[6:]}; may be repeated", flag="--set", repeated=True
    )
    one_at_a_time: bool = setting(False, "Vary one setting at a time, the others as given; else every combination")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        _ = self.runs  # a wrong value is said before anything begins

    def run(self) -> Iterator[Event]:
        """Yields progress, then one table and figures of all runs; the last event is the `Result`.

        Ctrl-C ends the sweep with the runs that are finished by then.
        """
        from vitrail.tasks.gan_sweep_run import run

        yield from run(self)

    @property
    def varied(self) -> dict[str, tuple[str, ...]]:
        """The values to compare, by setting.

        Raises:
            BadSetting, UnknownName: it is not written so, or there is no such setting.
        """
        found: dict[str, tuple[str, ...]] = {}
        for word in self.values:
            name, _, values = word.partition("=")
            name = name.strip().removeprefix("--").replace("-", "_")
            given: tuple[str, ...] = split_commas(values)
            if not name or not given:
                raise BadSetting(f"--set takes NAME=VALUE,VALUE; got {word!r}; {EXAMPLE} would work.")
            _check(name)
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *given)))
        if not found:
            raise BadSetting(f"There is nothing to vary; give a setting and its values, as {EXAMPLE}.")
        return found

    @property
    def runs(self) -> dict[str, GanTrain]:
        """The trainings by name, as `beta1=0.5 updates=1:1`; those that come to the same only once.

        Raises:
            BadSetting, UnknownName: as `varied`, or as `GanTrain` says of a value.
        """
        # No encoders: nothing is edited with these generators, which are not kept.
        given = self.model_dump(include=set(GanSettings.model_fields)) | {"encoder_epochs": 0}
        found: dict[GanTrain, str] = {}
        told_apart = [field for field, values in self.varied.items() if len(values) > 1 or self.one_at_a_time]
        for chosen in self._combinations():
            named = {field: chosen[field] for field in told_apart if field in chosen} or chosen
            name = " ".join(f"{field.replace('_', '-')}={value}" for field, value in named.items())
            found.setdefault(GanTrain(**{**given, **chosen}), name or BASE)
        return {name: task for task, name in found.items()}

    def _combinations(self) -> Iterator[Mapping[str, str]]:
        varied = self.varied
        if self.one_at_a_time:
            yield {}
            yield from ({name: value} for name, values in varied.items() for value in values)
        else:
            yield from (dict(zip(varied, values, strict=True)) for values in product(*varied.values()))


def _check(name: str) -> None:
    known = [field for field in GanSettings.model_fields if field not in FIXED]
    if name in known:
        return
    if name in FIXED:
        raise BadSetting(f"--set cannot vary {name!r}, as the runs would not compare; run once for each.")
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownName(f"--set knows no setting {name!r}.{hint} Known: {', '.join(known)}.")
