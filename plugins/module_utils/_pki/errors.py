# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Errors of the PKI core: each message names the file or value and the remedy."""

from __future__ import annotations


class PkiError(Exception):
    """What the caller can put right; the message is for the operator."""


class RefusedNameError(PkiError):
    """A name that must not be in a certificate."""


class RefusedKeyError(PkiError):
    """A key that cannot be read, is too weak, or has another passphrase."""


class RefusedRequestError(PkiError):
    """A certificate signing request that is malformed, lies, or asks for too much."""


class LedgerError(PkiError):
    """The ledger cannot be read, written or trusted."""


class AuthorityError(PkiError):
    """The CA directory is missing or incomplete."""


class RefusedRevocationError(PkiError):
    """A revocation of what the ledger does not know, or of a CA."""


class PassphraseError(PkiError):
    """A passphrase that its file or command does not give."""


class PermissionsError(PkiError):
    """A path of the CA that others could read or replace."""


class SignerError(PkiError):
    """A program that signs for a CA, and does not, or with another key."""


class ArchiveError(PkiError):
    """A backup that cannot be written, read or restored."""


class RefusedRolloverError(PkiError):
    """A step of a rollover out of its order, or one that would lock somebody out."""


class RefusedRowError(PkiError):
    """A row in a list of devices that cannot be granted, or the list itself."""


class DevicesError(PkiError):
    """Devices whose files cannot be written."""
