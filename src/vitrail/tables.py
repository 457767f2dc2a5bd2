"""Tables that list images, a row each: CSV, or Parquet for millions; read row by row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vitrail.errors import BadFolder, MissingExtra, one_line
from vitrail.reading import check_regular, open_lines

SUFFIXES = (".csv", ".parquet")
ROWS = 10_000  # of Parquet, in memory at once
LONGEST = 32_768  # characters of a value: no path is longer
_FORMULA = re.compile(r"'*[\s\ufeff\u200b]*[=+\-@＝＋－＠\t\r\n]")
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|nan)", re.ASCII | re.IGNORECASE)


def is_table(path: Path) -> bool:
    """Whether the name is that of a table."""
    return path.name.lower().endswith(SUFFIXES)


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        BadFolder: the table cannot be read.
        MissingExtra: it is Parquet, whose reader is not installed.
    """
    with _Reading(path):
        if path.suffix.lower() == ".parquet":
            return tuple(_parquet(path).schema_arrow.names)
        with open_lines(path, encoding="utf-8-sig") as lines:
            return tuple(next(csv.reader(lines), ()))


def rows_of(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of these columns, row by row, as text; a value that is missing is empty.

    Raises:
        BadFolder: the table cannot be read, or lacks a column.
        MissingExtra: it is Parquet, whose reader is not installed.
    """
    given = columns_of(path)
    lacking = [column for column in columns if column not in given]
    if lacking:
        raise BadFolder(
            f"The table '{ascii(path.name)[1:-1]}' has no column {lacking[0]!r}; its columns are "
            f"{', '.join(map(repr, given)) or 'none'}; one of files needs a column 'file'."
        )
    with _Reading(path):
        if path.suffix.lower() == ".parquet":
            for batch in _parquet(path, columns).iter_batches(ROWS, columns=list(columns)):
                named = [_values(batch.column(column)) for column in columns]
                yield from (tuple("" if value is None else str(value) for value in row) for row in zip(*named))  # noqa: B905
            return
        places = [given.index(column) for column in columns]
        with open_lines(path, encoding="utf-8-sig") as lines:
            rows = csv.reader(lines)
            next(rows)
            for row in rows:
                if row:
                    yield tuple(row[place] if place < len(row) else "" for place in places)


def iter_listed_files(path: Path) -> Iterator[Path]:
    """The images in the column `file`; what is no absolute path is looked for beside the table.

    Raises:
        BadFolder: the table cannot be read, or a row names no file.
    """
    for number, (name,) in enumerate(rows_of(path, ("file",)), 1):
        yield resolve_relative(path, name, number)


def resolve_relative(table: Path, name: str, row: int) -> Path:
    """The file that a row names."""
    if not name:
        raise BadFolder(f"Row {row} of '{ascii(table.name)[1:-1]}' names no file; fill it in or remove the row.")
    return table.parent / name


def quote_formula(cell: Any) -> Any:
    """A cell as a table of ours has it: a text that a spreadsheet would run as a formula begins with an apostrophe.

    See https://owasp.org/www-community/attacks/CSV_Injection. Numbers stay as they are.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def unquote_formula(cell: str) -> str:
    """The text that `quote_formula` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _values(column: Any) -> list[Any]:
    """The values of a part of a column; a name that is many times there, however long, is in memory once until then."""
    import pyarrow as pa
    import pyarrow.compute as pc

    packed = pa.types.is_dictionary(column.type)
    texts = pc.take(column.dictionary, pc.unique(column.indices).drop_null()) if packed else column
    if pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type):
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        if longest > LONGEST:
            raise ValueError(f"a value has {longest:,} characters, longer than any path")
    values: list[Any] = (column.dictionary_decode() if packed else column).to_pylist()
    return values


def _parquet(path: Path, columns: Sequence[str] = ()) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise MissingExtra("Parquet cannot be read; run `pip install 'vitrail[parquet]'`, or give a CSV.") from None
    return ParquetFile(check_regular(path), read_dictionary=list(columns))


class _Reading:
    """What goes wrong while a table is read, as one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError | ValueError | csv.Error) and not isinstance(error, BadFolder | MissingExtra):
            reason = getattr(error, "strerror", None) or one_line(error)
            raise BadFolder(
                f"The table '{ascii(self.path.name)[1:-1]}' cannot be read ({reason}). Use a CSV file in UTF-8, "
                "or a Parquet file."
            ) from None
