# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leave in the package index of an image what is installed or fetched; it runs in the image, while that is made.

apt reads its whole index again after every change, some 60,000 packages: one to three seconds of a core, for each
installation on each host, which was a third of what the scenarios took. `apt-get update` leaves it so until Debian's
own index changes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

LISTS, ARCHIVES = Path("/var/lib/apt/lists"), Path("/var/cache/apt/archives")


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Write each list anew, and what apt keeps of them."""
    wanted = set(_said("dpkg-query", "--show", "--showformat", "${Package}\n").split())
    wanted |= {path.name.partition("_")[0] for path in ARCHIVES.glob("*.deb")}
    for path in list(LISTS.glob("*_Packages*")):
        packages = _said("/usr/lib/apt/apt-helper", "cat-file", str(path)).split("\n\n")
        kept = [text for text in packages if text.partition("\n")[0].removeprefix("Package: ") in wanted]
        path.unlink()
        path.with_name(path.name.partition("_Packages")[0] + "_Packages").write_text(
            "\n\n".join(kept) + "\n", encoding="utf-8"
        )
    subprocess.run(["apt-cache", "gencaches"], check=True)


if __name__ == "__main__":
    main()
