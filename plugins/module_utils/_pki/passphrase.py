# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Where a passphrase comes from: a value, a file, or a command; it is read when a key is opened, not before."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from . import permissions, programs
from .errors import PassphraseError


@dataclass(frozen=True)
class Passphrase:
    """A passphrase and the name of the setting it comes from, for messages."""

    value: str
    what: str


@dataclass(frozen=True)
class PassphraseFile:
    """A passphrase in a file that only its owner can read, white space around it left out."""

    path: Path
    what: str

    @property
    def value(self) -> str:
        """The passphrase; PassphraseError for a file that others can read, or that holds none."""
        where = f"{self.what} {self.path}"
        try:
            permissions.check_private([self.path])
            content = self.path.read_bytes()
        except OSError as error:
            raise PassphraseError(f"{where} cannot be read ({error.strerror}): correct the path") from error
        return _text(content, where=where)


@dataclass(frozen=True)
class PassphraseCommand:
    """A passphrase that a program prints, white space around it left out; it is started once, without a shell."""

    command: tuple[str, ...]
    what: str

    @functools.cached_property
    def value(self) -> str:
        """The passphrase; PassphraseError with what the program said when it failed or printed none."""
        printed = programs.run(
            self.command, where=self.what, error=PassphraseError, remedy="run it by hand on the CA host"
        )
        return _text(printed, where=f"{self.what} {' '.join(self.command)}")


Source = Union[Passphrase, PassphraseFile, PassphraseCommand]


def arguments(option: str = "passphrase") -> dict[str, dict[str, Any]]:
    """The options of a module for one passphrase, as an argument_spec; `kinds` has their names."""
    value, file, command = kinds(option)
    return {
        value: {"type": "str", "no_log": True},
        file: {"type": "path", "no_log": False},
        command: {"type": "list", "elements": "str", "no_log": False},
    }


def kinds(option: str = "passphrase") -> list[str]:
    """The names of the options for one passphrase; one of them is given."""
    return [option, f"{option}_file", f"{option}_command"]


def given(params: Mapping[str, Any], *, option: str = "passphrase", variable: str = "pki_passphrase") -> Source | None:
    """The source that a module's parameters name, None for none; ``variable`` is what the role calls it."""
    value, file, command = (params.get(name) for name in kinds(option))
    if value is not None:
        return Passphrase(value, f"{option} (role variable {variable})")
    if file is not None:
        return PassphraseFile(Path(file), f"{option}_file (role variable {variable}_file)")
    if command is not None:
        return PassphraseCommand(tuple(command), f"{option}_command (role variable {variable}_command)")
    return None


def required(params: Mapping[str, Any], *, option: str = "passphrase", variable: str = "pki_passphrase") -> Source:
    """The source that a module's parameters name; PassphraseError when they name none."""
    source = given(params, option=option, variable=variable)
    if source is None:
        raise PassphraseError(f"no passphrase is given: set one of {', '.join(kinds(option))}")
    return source


def root(params: Mapping[str, Any]) -> Source:
    """The source of the roots' passphrase, by default that of the issuing CA."""
    own = given(params, option="root_passphrase", variable="pki_root_passphrase")
    return own or required(params)


def _text(content: bytes, *, where: str) -> str:
    try:
        text = content.decode().strip()
    except UnicodeDecodeError as error:
        raise PassphraseError(f"{where} gives no text in UTF-8: give a passphrase of printable characters") from error
    if not text:
        raise PassphraseError(f"{where} gives nothing: expected is the passphrase")
    return text
