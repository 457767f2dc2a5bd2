"""Run folders: one run each, whoever asks for one at the same time."""

import csv
from collections.abc import Iterator

import pytest

from vitrail import files, run_writer
from vitrail.errors import BadRun, BadSetting, CannotWrite
from vitrail.events import Event, Note, Result, Table
from vitrail.run_writer import new_folder, record
from vitrail.runs import EventReader, read_run
from vitrail.task import Task


class Short(Task):
    """Says a word and ends."""

    def run(self) -> Iterator[Event]:
        yield Note("word")
        yield Result({})


def test_everybody_is_given_a_folder_of_their_own(tmp_path):
    folders = [new_folder(tmp_path / "runs", "task") for _ in range(30)]
    assert len(set(folders)) == 30
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders)
    for folder in folders[:2]:
        list(record(Short(), "short", folder))
        assert (folder / "result.json").is_file()


def test_a_place_where_no_folder_can_be_is_one_sentence(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(CannotWrite, match="runs: a part of the path is a file"):
        new_folder(tmp_path / "runs", "task")


def test_a_folder_in_which_nothing_became_a_file_can_be_used(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".settings.json.1.00000000.part").touch()
    list(record(Short(), "short", folder))
    with pytest.raises(CannotWrite, match="exists and is not empty"):
        list(record(Short(), "short", folder))


def test_a_file_in_the_way_is_no_run_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(CannotWrite, match="exists and is not empty"):
        list(record(Short(), "short", tmp_path / "run"))
    assert (tmp_path / "run").read_text() == "mine"


def test_a_run_that_the_disk_does_not_give_is_one_sentence(tmp_path, failing_reads):
    list(record(Short(), "short", tmp_path / "run"))
    failing_reads(lambda path: path.name == "settings.json")
    with pytest.raises(BadRun, match=r"settings.json' cannot be read \(Input/output error\)"):
        read_run(tmp_path / "run")


def test_the_disk_that_stops_a_run_does_not_hide_why(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    events = record(Short(), "short", tmp_path / "run")
    next(events)
    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "a\0b"])
def test_a_folder_that_no_system_can_have_is_one_sentence(name, tmp_path):
    with pytest.raises(BadSetting, match="run must be a path"):
        list(record(Short(), "short", tmp_path / name))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", ["[]", "3", "null", "{}", '{"event": 3}', "garbage"])
def test_lines_that_are_no_events_are_counted(line, tmp_path):
    (tmp_path / "events.jsonl").write_text(f'{{"event": "note", "text": "kept"}}\n{line}\n')
    reader = EventReader(tmp_path)
    assert [event["text"] for event in reader.read_new()] == ["kept"]
    assert reader.damaged == 1


class Interruptible(Task):
    """Notes, until Ctrl-C; then what was finished."""

    def run(self):
        done = 0
        try:
            while True:
                done += 1
                yield Note(f"{done}")
        except KeyboardInterrupt:
            yield Note(f"Stopped after {done}.")
        yield Result({"done": done})


def test_ctrl_c_while_an_event_is_written_is_heard_by_the_task(tmp_path, monkeypatch):
    keep, calls = run_writer.write_event, []

    def interrupted_at_the_third(event, folder, **options):
        calls.append(event)
        if len(calls) == 3:
            raise KeyboardInterrupt
        keep(event, folder, **options)

    monkeypatch.setattr(run_writer, "write_event", interrupted_at_the_third)
    told = list(record(Interruptible(), "interruptible", tmp_path / "run"))
    assert [event.text for event in told[:-1]] == ["1", "2", "3", "Stopped after 3."]
    assert read_run(tmp_path / "run").result["done"] == 3


class Formulas(Task):
    """A table as of classes whose names somebody chose."""

    def run(self):
        yield Table(
            "classes", "Classes", ("name", "=1+1"), [('=HYPERLINK("http://evil.example")', -0.5), ("cat", "-0.5")]
        )
        yield Result({"n": 2})


def test_a_table_runs_nothing_in_a_spreadsheet_and_is_read_back_as_it_was(tmp_path):
    from vitrail.report.contents import load_contents

    list(record(Formulas(), "formulas", tmp_path / "run"))
    text = (tmp_path / "run" / "tables" / "classes.csv").read_text()
    cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
    assert [cell for cell in cells if cell[:1] in "=+@\t\r"] == []
    rows = read_run(tmp_path / "run").tables["classes"]
    assert rows == [{"name": '=HYPERLINK("http://evil.example")', "=1+1": "-0.5"}, {"name": "cat", "=1+1": "-0.5"}]
    (table,) = load_contents(tmp_path / "run").tables
    assert (table.columns, table.rows[0][0]) == (["name", "=1+1"], '=HYPERLINK("http://evil.example")')


CELLS = ("a\rb", "\r5", "\r", "a\r\nb", "a\nb", 'quoted "\r"', "plain", "\t5", "a,b", "")


class Returns(Task):
    """Cells with line ends of every kind."""

    def run(self):
        yield Table("cells", "Cells", ("a", "b"), [(cell, "x") for cell in CELLS])
        yield Result({"n": len(CELLS)})


def test_every_cell_is_read_back_as_it_was(tmp_path):
    list(record(Returns(), "returns", tmp_path / "run"))
    assert [row["a"] for row in read_run(tmp_path / "run").tables["cells"]] == list(CELLS)
