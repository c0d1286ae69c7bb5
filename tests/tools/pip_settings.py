# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints pip's settings as one pip.conf, wherever they come from: ansible-test hides the environment from pip."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys


def main() -> None:
    """One section for each of pip's; what the environment says overrides what files say."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings = configparser.RawConfigParser()
    # Errors only.
    settings["global"] = {"quiet": "2"}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        section = section.replace(":env:", "global")
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, ast.literal_eval(value))
    settings.write(sys.stdout)


if __name__ == "__main__":
    main()
