# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What stands in the way of rendering."""

from __future__ import annotations


class RenderError(Exception):
    """Something that the operator has to put right; the message says what."""
