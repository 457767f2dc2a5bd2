"""What an evaluation of generated images shows: tables, the figure of the scale, summary and result."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from vitrail.datasets.changes import files_table
from vitrail.events import Event, Result, Summary, Table
from vitrail.formatting import count, duration, percent
from vitrail.gan.evaluation import EvaluationEnd
from vitrail.gan.image_evaluation import Compared
from vitrail.gan.results import metric_lines
from vitrail.gan.scale_figure import scale_figure
from vitrail.gan.training_data import TrainingData

Events = Iterator[Event | EvaluationEnd]


def report_generator(events: Events, data: TrainingData, *, name: str, following: str) -> Iterator[Event]:
    """Events of a generator's evaluation; the last one is the `Result`.

    Args:
        events: of `evaluate`.
        name: of the generator's run.
        following: the command that is suggested.
    """
    end = yield from _until_the_end(events)
    more = []
    if end.gan_train is not None:
        score, baseline = (percent(end.gan_train[key]) for key in ("accuracy", "baseline"))
        more.append(("GAN-train score", f"{score} (classifier trained on real images: {baseline})"))
    yield from _report(end, data, more, [following])
    yield Result({"generator": name, **_of_data(data), **end.values})


def report_images(events: Events, compared: Compared, *, name: str) -> Iterator[Event]:
    """Events of the evaluation of a folder of images, `name`; the last one is the `Result`.

    Args:
        events: of `evaluate_images`.
    """
    end = yield from _until_the_end(events)
    values = end.values
    yield from scale_figure(compared.data.held_out.images, compared.samples, values["scale"])
    covered = sorted(values["coverage_per_class"].items(), key=lambda each: float(each[1]))
    if covered:
        yield Table("coverage_per_class", "Real images of each class near a sample", ("class", "covered"), covered)
    more = [("sample files", count(values["samples"], "image"))]
    copies = values["equal_to_real_images"]
    more += [("copies", f"{copies:,} equal to real images")] if copies else []
    yield from _report(end, compared.data, more, [])
    about = _of_data(compared.data)
    skipped = [*about.pop("skipped"), *compared.skipped]
    yield Result({"generator": name, **about, "skipped": skipped, **values})


def _until_the_end(events: Events) -> Generator[Event, None, EvaluationEnd]:
    for event in events:
        if isinstance(event, EvaluationEnd):
            return event
        yield event
    raise AssertionError("an evaluation ends with `EvaluationEnd`")


def metric_table(metrics: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Table:
    """The table of all metrics that are shown."""
    rows: list[tuple[Any, ...]] = [
        (entry["name"], entry["value"], entry["baseline"], entry["extractor"]["name"]) for entry in metrics
    ]
    if values["label_agreement"] is not None:
        rows.append(("label agreement", values["label_agreement"], values["judge"]["accuracy"], "judge"))
    columns = ("metric", "samples", "real images", "features of")
    return Table("metrics", "Metrics of samples", columns, rows, prominent=False)


def _report(
    end: EvaluationEnd, data: TrainingData, more: list[tuple[str, str]], following: list[str]
) -> Iterator[Event]:
    yield files_table(data.rows)
    yield metric_table(end.metrics, end.values)
    lines = [("data", data.opened.card(data.source).line()), *metric_lines(end.metrics, end.values), *more]
    yield Summary([*lines, ("time", duration(end.values["seconds"]["total"]))], following)


def _of_data(data: TrainingData) -> dict[str, Any]:
    """The keys `data` and `skipped` of `result.json`."""
    return {"data": data.opened.card(data.source).values(), "skipped": list(data.opened.skipped)}
