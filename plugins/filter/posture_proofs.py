# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `posture_proofs`; its documentation is in posture_proofs.yml."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def posture_proofs(
    answers: Mapping[str, Any],
    *,
    client: str,
    port: int,
    profile: str,
    now: dt.datetime,
    broker: str = "mosquitto",
    other: str = "",
    staple_required: bool = False,
) -> list[dict[str, Any]]:
    """What an endpoint answered, judged rule by rule."""
    from ..module_utils._posture.judge import Seen, judge
    from ..module_utils._probes import ANSWERS
    from ..module_utils._tls_policy import PROFILES

    if profile not in PROFILES:
        raise AnsibleFilterError(f"posture_proofs: profile {profile!r} is unknown; use one of {', '.join(PROFILES)}")
    seen = Seen(
        client=client,
        port=port,
        other=other,
        staple_required=staple_required,
        **{name: answers[name] for name in ANSWERS},
    )
    # now() of a template has no time zone, also where it is asked for UTC.
    moment = now.replace(tzinfo=dt.timezone.utc)
    return [
        proof.facts(broker=broker, edge=seen.forged is not None) for proof in judge(seen, profile=profile, now=moment)
    ]


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"posture_proofs": posture_proofs}
