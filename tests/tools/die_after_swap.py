# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run bulwark-tls as it is installed, and die like `kill -9` right after the swap, before the activation."""

import os
import signal
import sys

sys.path.insert(0, "/usr/local/lib/bulwark")

from bulwark_host import cli, service

service.activate = lambda plan: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(cli.main(sys.argv[1:]))
