# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Lists of devices: CSV, JSON Lines or values, read one row at a time, each with the line that it begins on."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from . import keys, lifetimes
from .errors import RefusedRowError
from .names import check_common_name

COLUMNS = ("common_name", "names", "csr", "key_type", "lifetime")
_COLUMNS = frozenset(COLUMNS)


# Tuples, here and in the files beside this one: they are made, copied and sent in half the time that dataclasses take.
class Raw(NamedTuple):
    """A row as it is read, to be parsed where there is time for it."""

    line: int
    content: Any


class Row(NamedTuple):
    """A device; of its signing request, empty when a key is generated, only the public key counts."""

    line: int
    common_name: str
    names: tuple[str, ...] = ()
    csr: str = ""
    key_type: str | None = None
    lifetime: dt.timedelta | None = None


class Source(ABC):
    """A list of devices that can be read again and again."""

    # What one row is called in messages.
    unit = "line"

    def __init__(self, name: str, *, base: Path | None) -> None:
        """Name the list for messages; signing requests in files of their own are relative to the base."""
        self.name = name
        self._base = base

    def __enter__(self) -> Source:
        return self

    @abstractmethod
    def __exit__(self, *_exception: object) -> None:
        """Close what is open."""

    @abstractmethod
    def rows(self) -> Iterator[Raw]:
        """Each row from the first on."""

    @abstractmethod
    def fields(self, raw: Raw) -> Mapping[str, Any]:
        """The columns of a row; RefusedRowError when it has none."""

    def parse(self, raw: Raw) -> Row:
        """A row that can be granted as far as it can be told from itself; RefusedRowError or another PkiError."""
        fields = {name: value for name, value in self.fields(raw).items() if value not in ("", None)}
        if not _COLUMNS.issuperset(fields):
            unknown = sorted(map(str, fields.keys() - _COLUMNS))
            raise RefusedRowError(f"{', '.join(unknown)} is unknown: use {', '.join(COLUMNS)}")
        lifetime = fields.get("lifetime")
        return Row(
            line=raw.line,
            common_name=_common_name(_text(fields, "common_name")),
            names=_names(fields.get("names", ())),
            csr=self._csr(_text(fields, "csr")),
            key_type=_key_type(_text(fields, "key_type")),
            lifetime=None if lifetime is None else lifetimes.parse(str(lifetime), what="lifetime"),
        )

    def _csr(self, given: str) -> str:
        if not given or "-----BEGIN" in given:
            return given
        path = Path(given)
        if not path.is_absolute():
            if self._base is None:
                raise RefusedRowError(f"csr {given!r} is refused: give the request in PEM form, or an absolute path")
            path = self._base / path
        try:
            return path.read_text(encoding="ascii", errors="replace")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            raise RefusedRowError(f"csr {str(path)!r} cannot be read ({reason}): correct the path") from error


class _File(Source):
    """A file stays open, so that what is done fits what was checked although another file takes its place."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), base=path.absolute().parent)
        try:
            # A byte that is no UTF-8 is refused where it stands, with its line.
            self._stream: TextIO = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
        except OSError as error:
            raise RefusedRowError(f"{path} cannot be read ({error.strerror}): correct the path") from error

    def __exit__(self, *_exception: object) -> None:
        self._stream.close()

    def _start(self) -> TextIO:
        self._stream.seek(0)
        return self._stream


class CsvSource(_File):
    """Comma-separated values with the names of the columns in the first line (RFC 4180)."""

    def __init__(self, path: Path) -> None:
        """Open the file and read its header; RefusedRowError when a column is unknown."""
        super().__init__(path)
        try:
            self._header = next(csv.reader(self._start(), strict=True), [])
        except csv.Error:
            self._header = []
        unknown = [name for name in self._header if name not in COLUMNS]
        if unknown or "common_name" not in self._header or len(set(self._header)) < len(self._header):
            self._stream.close()
            raise RefusedRowError(
                f"{path} line 1: the columns are {', '.join(map(repr, self._header)) or 'none'}; "
                f"give common_name and, each once, any of {', '.join(COLUMNS[1:])}"
            )

    def rows(self) -> Iterator[Raw]:
        """Each row from the first on."""
        reader = csv.reader(self._start(), strict=True)
        next(reader, None)
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Raw(line, error)
                continue
            if fields:
                yield Raw(line, fields)

    def fields(self, raw: Raw) -> Mapping[str, Any]:
        """The columns of a row; RefusedRowError when it has more or fewer than the first line."""
        if isinstance(raw.content, csv.Error):
            raise RefusedRowError(f"{raw.content}; correct the quotes")
        if len(raw.content) != len(self._header):
            raise RefusedRowError(f"it has {len(raw.content)} columns, the first line has {len(self._header)}")
        return dict(zip(self._header, raw.content))


class JsonLinesSource(_File):
    """One JSON object a line."""

    def rows(self) -> Iterator[Raw]:
        """Each row from the first on."""
        for line, text in enumerate(self._start(), start=1):
            if not text.isspace():
                yield Raw(line, text)

    def fields(self, raw: Raw) -> Mapping[str, Any]:
        """The members of the object; RefusedRowError when there is no object."""
        value = None
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(raw.content)
        return _mapping(value, what="JSON object")


class ListSource(Source):
    """Values of a task."""

    unit = "item"

    def __init__(self, devices: Sequence[Mapping[str, Any]]) -> None:
        """Take the devices, the first of which is item 1."""
        super().__init__("devices", base=None)
        self._devices = devices

    def __exit__(self, *_exception: object) -> None:
        """Nothing is open."""

    def rows(self) -> Iterator[Raw]:
        """Each row from the first on."""
        return (Raw(number, device) for number, device in enumerate(self._devices, start=1))

    def fields(self, raw: Raw) -> Mapping[str, Any]:
        """The device as it was given."""
        return _mapping(raw.content, what="dictionary")


def open_file(path: Path) -> Source:
    """The list in a file, by the end of its name; RefusedRowError for another kind."""
    if path.suffix.lower() == ".csv":
        return CsvSource(path)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return JsonLinesSource(path)
    raise RefusedRowError(f"{path} is refused: give a file whose name ends in .csv, .jsonl or .ndjson")


def batches(rows: Iterable[Raw], *, size: int) -> Iterator[list[Raw]]:
    """The rows in lists of this size, the last one shorter."""
    batch: list[Raw] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _mapping(value: object, *, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RefusedRowError(f'it is no {what}: write for example {{"common_name": "meter-0001"}}')
    return value


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise RefusedRowError(f"{name} {value!r} is refused: give a string")
    return value


def _common_name(common_name: str) -> str:
    check_common_name(common_name)
    # It is the name of a folder as well.
    if common_name.startswith("."):
        raise RefusedRowError(f"common_name {common_name!r} is refused: the first character must not be a dot")
    return common_name


def _names(given: object) -> tuple[str, ...]:
    """A list of names, or one text with spaces between them, since CSV has no lists."""
    if isinstance(given, str):
        return tuple(given.split())
    if isinstance(given, (list, tuple)) and all(isinstance(name, str) for name in given):
        return tuple(given)
    raise RefusedRowError(f"names {given!r} is refused: give a list of strings, or a string with spaces between them")


def _key_type(key_type: str) -> str | None:
    if key_type and key_type not in keys.KEY_TYPES:
        raise RefusedRowError(f"key_type {key_type!r} is unknown: use one of {', '.join(keys.KEY_TYPES)}")
    return key_type or None
