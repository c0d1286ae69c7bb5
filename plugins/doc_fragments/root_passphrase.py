# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The passphrase of the roots: a value, a file or a command."""

    DOCUMENTATION = r"""
options:
  root_passphrase:
    description:
      - The passphrase of the root CA's key, or the PIN of its token. The default is that of the issuing CA.
      - At least 12 characters for a new key, generated at random.
    type: str
  root_passphrase_file:
    description:
      - File on the host of the task that holds it, with mode V(0600). White space around it is left out.
    type: path
  root_passphrase_command:
    description:
      - Program with its arguments that prints it, run without a shell on the host of the task. White space around it
        is left out. It is run only when a key is opened.
    type: list
    elements: str
"""
