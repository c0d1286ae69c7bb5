#!/usr/bin/python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certbot's hook for dns-01: tells the name server of the test host what to answer, set-txt or clear-txt."""

import json
import os
import sys
import urllib.request

request = {"host": f"_acme-challenge.{os.environ['CERTBOT_DOMAIN']}."}
if sys.argv[1] == "set-txt":
    request["value"] = os.environ["CERTBOT_VALIDATION"]
urllib.request.urlopen(f"http://127.0.0.1:8055/{sys.argv[1]}", json.dumps(request).encode(), timeout=10).close()
