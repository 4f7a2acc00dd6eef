"""Files of labelled texts, record by record: CSV, TSV and JSON lines, each also as .gz.

Knows how such files are written and how they break. What stands in a record is the reader's business.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

FIELD = 16 * 2**20  # characters of one CSV field; the csv module's own limit is 128 kB
UNKNOWN = ("", "null", "none", "nan")  # what people write, in small letters, where they do not know


class BadRows(ValueError):
    """The rows cannot be learned from; the message names the file, the lines and what to do."""


def records(path: Path, *, strict: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record with its place. `strict`: quotes that do not close are no CSV, rather than text. Raises BadRows."""
    kind = (path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:] or [""])[0].lower()
    if kind not in (".csv", ".tsv", ".jsonl", ".ndjson"):
        raise BadRows(f"{path} is neither .csv, .tsv nor .jsonl (each also as .gz).")
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            if kind in (".csv", ".tsv"):
                yield from _of_table(path, file, delimiter="\t" if kind == ".tsv" else ",", strict=strict)
            else:
                yield from _of_lines(path, file)
    except UnicodeDecodeError as error:
        raise BadRows(
            f"{path} cannot be read: it is no UTF-8 text ({error.reason} near byte {error.start}). Convert it, e.g. "
            "with iconv -t UTF-8."
        ) from error
    except (OSError, EOFError) as error:
        raise BadRows(f"{path} cannot be read: {error}.") from error


def _of_table(
    path: Path, file: TextIO, *, delimiter: str, strict: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(FIELD)
    reader = csv.DictReader(file, delimiter=delimiter, strict=strict)
    try:
        for record in reader:
            yield f"{path.name} line {reader.line_num}", {name or "": value for name, value in record.items()}
    except csv.Error as error:
        raise BadRows(f"{path.name} line {reader.line_num + 1} is no CSV: {error}.") from error


def _of_lines(path: Path, file: TextIO) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            where = f"{path.name} line {number}"
            try:
                record = json.loads(line)
            except ValueError as error:
                raise BadRows(f"{where} is no JSON: {error}.") from error
            if not isinstance(record, dict):
                raise BadRows(f"{where} is no object of names and values.")
            yield where, record
