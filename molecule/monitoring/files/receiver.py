# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write down what Alertmanager tells, or wait until it has told what is expected.

receiver.py serve FILE
receiver.py wait FILE SECONDS INSTANCE firing|resolved ALERT[/LINEAGE]...
"""

from __future__ import annotations

import http.server
import json
import sys
import time
from pathlib import Path


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes webhooks of Alertmanager."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with FILE.open("a", encoding="utf-8") as stream:
            for alert in body["alerts"]:
                stream.write(json.dumps({"status": alert["status"], **alert["labels"]}) + "\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing but the alerts is written down."""


def told(instance: str) -> dict[str, str]:
    """What was told last of each alert of a host."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    alerts = [alert for alert in map(json.loads, lines) if alert.get("instance") == instance]
    found = {}
    for alert in alerts:
        for name in (alert["alertname"], f"{alert['alertname']}/{alert.get('lineage')}"):
            found[name] = alert["status"]
    return found


def wait(seconds: int, instance: str, status: str, *names: str) -> str:
    """What has not been told in time; empty when all was."""
    deadline = time.monotonic() + seconds
    while True:
        found = told(instance)
        missing = [name for name in names if found.get(name) != status]
        if not missing or time.monotonic() > deadline:
            return f"not {status}: {', '.join(missing)}; told: {found}" if missing else ""
        time.sleep(0.5)


FILE = Path(sys.argv[2])
if sys.argv[1] == "serve":
    http.server.ThreadingHTTPServer(("127.0.0.1", 9999), Receiver).serve_forever()
else:
    sys.exit(wait(int(sys.argv[3]), *sys.argv[4:]) or 0)
