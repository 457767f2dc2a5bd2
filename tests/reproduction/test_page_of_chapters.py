"""The tables of a reproduction's page."""

from vitrail.reproduction.page import _table
from vitrail.reproduction.plan import SECONDS, Comparison


def test_several_runs_have_a_column_each():
    table = _table(
        [Comparison("one: loss", 0.5), Comparison("one: time", 61.0, None, SECONDS), Comparison("two: loss", 2)]
    )
    assert list(table.columns) == ["", "one", "two"]
    assert table.rows == [("loss", "0.5", "2"), ("time", "1 min 1 s", "")]


def test_values_of_no_run_stand_here():
    table = _table([Comparison("first guess right, in colour", 0.89)])
    assert (list(table.columns), table.rows) == (["", "here"], [("first guess right, in colour", "0.89")])


def test_the_reports_value_stands_beside_ours():
    table = _table([Comparison("vgg16: test accuracy", 0.9, 0.888), Comparison("vgg16: time", 80.0, 89.0, SECONDS)])
    assert list(table.columns) == ["", "here", "the report"]
    assert table.rows[1] == ("vgg16: time", "1 min 20 s", "1 min 29 s")
