# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The errors that code on a host raises; a message names the file or unit, the reason and the remedy."""

from __future__ import annotations


class HostError(Exception):
    """Anything that a module or the tool reports as its failure."""


class StoreError(HostError):
    """The store, a descriptor or the journal is not in a state to work with."""


class CheckError(HostError):
    """A candidate was refused before anything changed."""


class ActivationError(HostError):
    """A unit did not take the new files."""


class ProbeError(HostError):
    """An endpoint does not serve what it should."""
