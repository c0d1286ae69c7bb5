# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for the get-pip.py that ansible-test downloads: pip from the interpreter, then versions from the index.

A machine that reaches a package index but not the rest of the network can run ansible-test with it.
"""

from __future__ import annotations

import subprocess
import sys

if __name__ == "__main__":
    requirements = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    # Each in a process of its own: in its own, ensurepip turns pip's settings off.
    subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "pip", "install", "-qq", *requirements], check=True)
