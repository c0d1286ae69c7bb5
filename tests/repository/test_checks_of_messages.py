# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checker of troubleshooting tables tells a message that is printed from one that was."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import messages
from checks.tree import Write


@pytest.fixture
def texts(tmp_path: Path, write: Write) -> set[str]:
    """What a small tree can print."""
    write(
        "plugins/module_utils/a.py",
        """
        def check(path, end):
            raise Error(
                f"{path}: expired at {end};"
                " issue a new certificate"
            )
        """,
    )
    write(
        "roles/r/tasks/preflight.yml",
        """
        - name: X
          ansible.builtin.assert:
            that: x
            fail_msg: >-
              r_listeners: the ports are {{ ports }};
              give each listener a port of its own
        """,
    )
    return messages.printed(tmp_path)


def page(message: str) -> str:
    """A page with a table that explains one message."""
    return f"# Page\n\n| message | cause | fix |\n|---|---|---|\n| `{message}` | why | how |\n"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("…: expired at …; issue a new certificate", id="whole-with-variable-parts"),
        pytest.param("mqtt/cert.pem: expired at 2026-01-01; issue a new certificate", id="an-example"),
        pytest.param("expired at 2026-01-01; issue a new certificate", id="the-end-of-an-example"),
        pytest.param("the ports are 8883, 8883; give each listener a port of its own", id="the-end-of-one-in-yaml"),
    ],
)
def test_a_message_that_is_printed_may_be_explained(write: Write, texts: set[str], message: str):
    assert messages.unheard_of(write("page.md", page(message)), texts) == []


@pytest.mark.parametrize("message", ["…: has expired on …", "…: certificate is over since …; get another", "… at …"])
def test_a_message_that_nothing_prints_is_found(write: Write, texts: set[str], message: str):
    path = write("page.md", page(message))
    assert messages.unheard_of(path, texts) == [f"{path}: explains '{message}', which nothing prints"]
