# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What the modules that look from outside ask, so that one of them can ask all of it at once."""

# What each endpoint is asked. It is here because whoever judges the answers needs nothing of what asks.
ANSWERS = ("endpoint", "device", "anonymous", "refused", "forged", "plaintext", "dashboard")
