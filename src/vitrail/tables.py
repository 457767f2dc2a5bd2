"""Tables that list images, a row each: CSV of any usual form, or Parquet for millions; read row by row."""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from vitrail.errors import BadFolder, MissingExtra, one_line
from vitrail.reading import open_lines, open_regular

SUFFIXES = (".csv", ".tsv", ".parquet")
FILE_COLUMNS = (
    *("file", "filename", "file_name", "filepath", "file_path", "path"),
    *("image", "image_id", "image_path", "image_name", "image_file", "img", "img_path", "img_name"),
)
"""Columns that may name the file, in any case; the first one that is there does."""

SEPARATORS = ",;\t|"
BLOCK = 2**20  # bytes
ROWS = 10_000  # of Parquet, in memory at once
LONGEST = 32_768  # characters of a value: no path is longer
_FORMULA = re.compile(r"'*[\s\0\u00ad\ufeff\u200b\u2060]*[=+\-@＝＋－＠\t\r\n]")
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|nan)", re.ASCII | re.IGNORECASE)


def is_table(path: Path) -> bool:
    """Whether the name is that of a table; of a text file, whether it begins as CelebA's list of attributes does."""
    name = path.name.lower()
    if name.endswith(".txt") and path.is_file():
        try:
            with open_lines(path) as lines:
                return next(lines, "").strip().isdecimal()
        except (OSError, ValueError):
            return False
    return name.endswith(SUFFIXES)


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of the columns, without blanks around them.

    Raises:
        BadFolder: the table cannot be read.
        MissingExtra: it is Parquet, whose reader is not installed.
    """
    with _one_sentence(path):
        if path.suffix.lower() == ".parquet":
            with _parquet(path) as opened:
                return tuple(map(str.strip, opened.schema_arrow.names))
        return _form_of(path).columns


def rows_of(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of these columns, row by row, as text without blanks around it; a value that is missing is empty.

    Raises:
        BadFolder: the table cannot be read, or lacks a column.
        MissingExtra: it is Parquet, whose reader is not installed.
    """
    given = columns_of(path)
    lacking = [column for column in columns if column not in given]
    if lacking:
        raise BadFolder(
            f"The table '{ascii(path.name)[1:-1]}' has no column {lacking[0]!r}; its columns are "
            f"{', '.join(map(repr, given)) or 'none'}. Use a table with it."
        )
    places = [given.index(column) for column in columns]
    with _one_sentence(path):
        if path.suffix.lower() == ".parquet":
            with _parquet(path) as opened:
                names = [opened.schema_arrow.names[place] for place in places]
            with _parquet(path, names) as opened:
                for batch in opened.iter_batches(ROWS, columns=names):
                    named = [_values(batch.column(name)) for name in names]
                    for values in zip(*named, strict=True):
                        yield tuple("" if value is None else str(value).strip() for value in values)
            return
        form = _form_of(path)
        with open_lines(path, encoding=form.encoding) as lines:
            for row in form.rows(lines):
                if row:
                    yield tuple(unquote_formula(row[place].strip()) if place < len(row) else "" for place in places)


def column_among(columns: Sequence[str], known: Sequence[str]) -> str | None:
    """The column called like the first of `known` that is there, in any case; None: none is."""
    lower = {column.lower(): column for column in reversed(columns)}
    return next((lower[name] for name in known if name in lower), None)


def file_column(path: Path) -> str:
    """The column that names the files; raises as `rows_of`."""
    columns = columns_of(path)
    found = column_among(columns, FILE_COLUMNS)
    if found is None:
        raise BadFolder(
            f"The table '{ascii(path.name)[1:-1]}' has no column 'file'; its columns are "
            f"{', '.join(map(repr, columns)) or 'none'}. Use a first line such as 'file,class'."
        )
    return found


def iter_listed_files(path: Path) -> Iterator[Path]:
    """The images that a table names; what is no absolute path is looked for beside the table.

    Raises:
        BadFolder: the table cannot be read, or a row names no file.
    """
    for number, (name,) in enumerate(rows_of(path, (file_column(path),)), 1):
        yield resolve_relative(path, name, number)


def resolve_relative(table: Path, name: str, row: int) -> Path:
    r"""The file that a row names.

    `a\b` is `a/b` where it was written on Windows, and letters may be composed otherwise than in the file's name.
    """
    if not name:
        raise BadFolder(f"Row {row} of '{ascii(table.name)[1:-1]}' names no file; fill it in or remove the row.")
    names = [name]
    if "\\" in name and os.sep == "/":
        names.append(name.replace("\\", "/"))
    if not name.isascii():
        names += [normalize(form, each) for each in names for form in ("NFC", "NFD")]
    files = [table.parent / each for each in names]
    return files[0] if len(files) == 1 else next(filter(os.path.lexists, files), files[0])


@dataclass(frozen=True)
class _Form:
    """How a text table is written.

    Attributes:
        skipped: lines before the first row.
    """

    encoding: str
    separator: str
    columns: tuple[str, ...]
    skipped: int

    def rows(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """The rows after the names of the columns."""
        for _ in range(self.skipped):
            next(lines, None)
        return csv.reader(lines, delimiter=self.separator, skipinitialspace=self.separator == " ")


def _form_of(path: Path) -> _Form:
    status = os.stat(path)
    return _form(path, status.st_size, status.st_mtime_ns)


@lru_cache(8)  # the whole file is read for its encoding
def _form(path: Path, size: int, changed: int) -> _Form:
    """As its first lines tell. CelebA's lists begin with their length, and name no column of files."""
    encoding = _encoding(path)
    with open_lines(path, encoding=encoding) as lines:
        first = next(lines, "")
        if first.strip().isdecimal():
            names = next(lines, "").split()
            return _Form(encoding, " ", ("file", *names), 2)
        stated = re.fullmatch(r"sep=(.)\s*", first, re.IGNORECASE)  # as Excel writes and reads it
        line = next(lines, "") if stated else first
        separator = stated[1] if stated else _separator(line)
        columns = tuple(map(str.strip, next(csv.reader([line], delimiter=separator), [])))
        return _Form(encoding, separator, columns, 2 if stated else 1)


def _separator(line: str) -> str:
    """The separator that gives a column of files; else the most frequent one."""

    def fit(separator: str) -> tuple[bool, int]:
        names = [name.strip(' "\r\n') for name in line.split(separator)]
        return column_among(names, FILE_COLUMNS) is not None, len(names)

    return max(SEPARATORS, key=fit)


def _encoding(path: Path) -> str:
    """UTF-8 or UTF-16 by their marks, UTF-8 if all of it is, else that of older Windows programs."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_regular(path) as file:
        block = file.read(BLOCK)
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        try:
            while block:
                decoder.decode(block)
                block = file.read(BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


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


@contextmanager
def _parquet(path: Path, columns: Sequence[str] = ()) -> Iterator[Any]:
    """A table of Parquet, read from an opened file: of a name its reader would make an address."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise MissingExtra("Parquet cannot be read; run `pip install 'vitrail[parquet]'`, or give a CSV.") from None
    with open_regular(path) as file:
        yield ParquetFile(file, read_dictionary=list(columns))


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """What goes wrong while a table is read, as one sentence."""
    try:
        yield
    except (BadFolder, MissingExtra):
        raise
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, csv.Error) as error:  # Parquet's too
        reason = getattr(error, "strerror", None) or one_line(error)
        raise BadFolder(
            f"The table '{ascii(path.name)[1:-1]}' cannot be read ({reason}). Use a CSV file in UTF-8, or Parquet."
        ) from None
