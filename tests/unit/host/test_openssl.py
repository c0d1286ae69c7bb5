# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What OpenSSL says of certificates, read."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.mqtt.plugins.module_utils._host import openssl


def test_a_serial_that_begins_with_zeros_has_them(pki: Any) -> None:
    leaf = pki.sign("meter", serial=0xA1)
    (read,) = openssl.certificates(leaf.pem, source="cert.pem")
    assert read.serial == f"{'A1':0>40}"
