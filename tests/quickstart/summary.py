# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what a deployment to the sandbox gave: an endpoint, its files, two commands to copy, and what was proved."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any


def changes(log: str) -> int:
    """How many tasks changed something, from the recap of ansible-playbook."""
    return sum(int(count) for count in re.findall(r"\bchanged=(\d+)", log))


def near(path: str) -> str:
    """The path as it is typed where the command runs."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def commands(report: dict[str, Any]) -> tuple[str, str]:
    """A publisher and a subscriber that speak as the device of the report.

    A device has one session at a time, so they run one after the other: the broker retains the message.
    """
    identity = Path(report["identity"])
    common = ["-h", report["address"], "-p", str(report["port"])]
    for option, name in (("--cafile", "ca.pem"), ("--cert", "fullchain.pem"), ("--key", "privkey.pem")):
        common += [option, near(str(identity / name))]
    topic = f"devices/{report['client']}"
    publish = ["mosquitto_pub", *common, "-r", "-t", f"{topic}/greeting", "-m", "hello"]
    subscribe = ["mosquitto_sub", *common, "-v", "-C", "1", "-t", f"{topic}/#"]
    return shlex.join(publish), shlex.join(subscribe)


def first_staple(output: str) -> str:
    """What ``openssl s_client -status`` says of the response in the first handshake after a start of nginx."""
    found = re.search(r"^ *Cert Status: (\w+)$", output, re.MULTILINE)
    return f"OCSP staple, {found.group(1)}" if found else "no OCSP staple"


def logged_names(log: str) -> str:
    """The names by which the broker let clients in, from its own log."""
    return ", ".join(sorted(set(re.findall(r"u'([^']*)'", log)))) or "nobody"


def summary(report: dict[str, Any], *, changed: int, logged: str, staple: str) -> str:
    """The text of the summary."""
    identity = report["identity"]
    publish, subscribe = commands(report)
    results, width = (max(len(proof[part]) for proof in report["proofs"]) for part in ("result", "what"))
    return "\n".join(
        [
            "",
            f"Endpoint         mqtts://{report['address']}:{report['port']} ({report['server_name']})",
            f"CA file          {near(identity + '/ca.pem')}",
            f"Demo device      {report['client']}: {near(identity)}/",
            f"First handshake  {staple}",
            f"Broker's log     let in {logged}",
            f"Changed          {f'{changed} tasks' if changed else 'nothing'}",
            "",
            "Publish as the device, then read it as the device:",
            "",
            f"  {publish}",
            f"  {subscribe}",
            "",
            "Proved from outside:",
            "",
            *(
                f"  {proof['result']:<{results}}  {proof['what']:<{width}}  {proof['found']}"
                for proof in report["proofs"]
            ),
            "",
        ]
    )


def main() -> None:
    """Print the summary of the given files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="what the quickstart wrote: its report and its logs")
    directory = parser.parse_args().directory

    def text(name: str) -> str:
        return (directory / name).read_text(encoding="utf-8")

    print(
        summary(
            json.loads(text("report/report.json"))["hosts"][0],
            changed=changes(text("bulwark.mqtt.site.log")),
            logged=logged_names(text("broker.log")),
            staple=first_staple(text("first_handshake.log")),
        )
    )
    print(f"The same as a page: {near(str(directory / 'report/report.html'))}\n")


if __name__ == "__main__":
    main()
