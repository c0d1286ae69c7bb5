# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send CONNECT to a broker's unix socket, behind a PROXY header for a name where one is given, and print the answer.

It uses the code of bulwark-tls as it is installed on the host.
"""

import sys

sys.path.insert(0, "/usr/local/lib/bulwark")

from bulwark_host import errors, probe, proxy_v2

path, name = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
try:
    header = proxy_v2.header(common_name=name) if name else b""
    with probe.mqtt_session_local(path=path, timeout=5, header=header) as (_client, code):
        print("CONNACK", code)
except errors.ProbeError as error:
    print(error)
