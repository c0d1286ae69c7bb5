# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of rendered files is made, compared and cleaned; what changes is told once, with what it does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering import answers, review, tree, wiring
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.errors import RenderError
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.manifest import File, file

KEY = "a key of the digests"
CONF = file({"path": "/etc/broker/conf", "content": "a\n", "activation": "restart"}, role="broker", service="broker")
ACL = file({"path": "/etc/broker/acl", "content": "b\n", "activation": "reload"}, role="broker", service="broker")
SECRET = dataclasses.replace(ACL, path="/etc/broker/secret", content="hidden", secret=True)


def rendered(directory: Path, *files: File, name: str = "mqtt1") -> tree.Host:
    """A host, written."""
    host = tree.host(name, files, key=KEY)
    tree.write(directory, host)
    return host


def test_files_are_written_where_they_belong_and_secrets_are_not(tmp_path: Path):
    host = rendered(tmp_path, CONF, SECRET)
    assert tree.compare(tmp_path, host) == tree.Comparison(host="mqtt1", new=False, changes=[], wanted=None)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "mqtt1/etc/broker/conf",
        "mqtt1/manifest.json",
    }
    written = (tmp_path / "mqtt1/manifest.json").read_text(encoding="utf-8")
    assert "hidden" not in written
    assert [entry.get("sha256", "")[:8] for entry in json.loads(written)["files"]] == ["87428fc5", ""]


def test_a_digest_of_a_secret_depends_on_the_host_the_path_and_the_key():
    def digest(item: File, name: str, key: str) -> str:
        return str(tree.host(name, [item], key=key).manifest["files"][0]["hmac_sha256"])

    other = dataclasses.replace(SECRET, path="/etc/broker/other")
    found = [digest(SECRET, "a", KEY), digest(SECRET, "b", KEY), digest(other, "a", KEY), digest(SECRET, "a", KEY * 2)]
    assert len(set(found)) == 4


@pytest.mark.parametrize(("key", "problem"), [("", "missing"), ("too short", "shorter than 16 characters")])
def test_a_secret_needs_a_key(key: str, problem: str):
    with pytest.raises(RenderError) as refused:
        tree.host("mqtt1", [SECRET], key=key)
    assert str(refused.value) == (
        f"/etc/broker/secret is secret, and bulwark_digest_key is {problem}: make one (openssl rand -base64 24) and "
        "keep it in Vault"
    )


def test_what_is_listed_no_more_is_removed(tmp_path: Path):
    rendered(tmp_path, CONF, ACL)
    (tmp_path / "mqtt1/etc/stray").write_text("")
    wanted = tree.host("mqtt1", [ACL], key=KEY)
    compared = tree.compare(tmp_path, wanted)
    assert [change.path for change in compared.changes] == ["/etc/broker/conf"]
    assert compared.wanted == wanted
    tree.write(tmp_path, wanted)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["acl", "manifest.json"]


def test_a_file_that_nobody_lists_is_removed(tmp_path: Path):
    wanted = rendered(tmp_path, ACL)
    (tmp_path / "mqtt1/etc/stray").write_text("")
    compared = tree.compare(tmp_path, wanted)
    assert (compared.changes, compared.wanted) == ([], wanted)
    tree.write(tmp_path, wanted)
    assert tree.compare(tmp_path, wanted).wanted is None


def test_what_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "mqtt1/etc/broker").mkdir(parents=True)
    (tmp_path / "mqtt1/etc/broker/acl").mkdir()
    with pytest.raises(RenderError) as refused:
        tree.write(tmp_path, tree.host("mqtt1", [ACL], key=KEY))
    assert str(refused.value) == f"{tmp_path}/mqtt1/etc/broker/acl: cannot be written (Is a directory)"


def test_hosts_that_left_the_inventory_are_known(tmp_path: Path):
    rendered(tmp_path, CONF, name="gone")
    rendered(tmp_path, CONF, name="here")
    (tmp_path / "of somebody else").mkdir()
    assert tree.gone(tmp_path, ["here", "new"]) == ["gone"]


@pytest.mark.parametrize(
    ("before", "after", "needs"),
    [
        (CONF, dataclasses.replace(CONF, content="c\n"), "restart"),
        (ACL, dataclasses.replace(ACL, content="c\n"), "reload"),
        (ACL, dataclasses.replace(ACL, mode="0600"), "none"),
        (ACL, dataclasses.replace(ACL, content=None), "reload"),
        (dataclasses.replace(ACL, content=None), ACL, "reload"),
        (SECRET, dataclasses.replace(SECRET, content="other"), "reload"),
        (ACL, None, "none"),
        (None, ACL, "reload"),
        (None, dataclasses.replace(ACL, content=None), "none"),
    ],
)
def test_what_a_change_needs(tmp_path: Path, before: File | None, after: File | None, needs: str):
    rendered(tmp_path, *[item for item in [before] if item])
    [change] = tree.compare(tmp_path, tree.host("mqtt1", [item for item in [after] if item], key=KEY)).changes
    assert change.needs == needs


def test_a_change_of_many_hosts_is_told_once(tmp_path: Path):
    names = [f"mqtt{number}" for number in range(1, 11)]
    for name in names:
        rendered(tmp_path, CONF, ACL, name=name)
    changed = dataclasses.replace(ACL, content="c\n")
    wanted = [tree.host(name, [CONF, changed], key=KEY) for name in names]
    wanted[0] = tree.host("mqtt1", [dataclasses.replace(CONF, content="c\n"), changed], key=KEY)
    changes = [change for host in wanted for change in tree.compare(tmp_path, host).changes]
    many = "10 hosts (mqtt1, mqtt10, mqtt2, mqtt3, mqtt4, mqtt5, mqtt6, mqtt7, ...)"
    assert review.differences(changes) == [
        {
            "before": "b\n",
            "after": "c\n",
            "before_header": "/etc/broker/acl (0644 root:root)",
            "after_header": f"/etc/broker/acl (0644 root:root) on {many}",
        },
        {
            "before": "a\n",
            "after": "c\n",
            "before_header": "/etc/broker/conf (0644 root:root)",
            "after_header": "/etc/broker/conf (0644 root:root) on 1 host (mqtt1)",
        },
    ]
    assert review.summary(changes, new=["mqtt2"], removed=["old"]) == [
        "new: 1 host (mqtt2)",
        "no longer in the inventory: 1 host (old)",
        "restart broker on 1 host (mqtt1)",
        "reload broker on 8 hosts (mqtt10, mqtt3, mqtt4, mqtt5, mqtt6, mqtt7, mqtt8, mqtt9)",
    ]
    assert review.summary([], new=[], removed=[]) == ["nothing changes"]


def test_the_lines_around_a_change_may_differ_and_the_lines_that_change_may_not(tmp_path: Path):
    def acl(name: str, more: str) -> File:
        return dataclasses.replace(ACL, content=f"user probe.{name}\n{more}")

    names = ["mqtt1", "mqtt2", "mqtt3"]
    for name in names:
        rendered(tmp_path, acl(name, ""), name=name)
    more = {"mqtt1": "pattern read a\n", "mqtt2": "pattern read a\n", "mqtt3": "pattern read b\n"}
    wanted = [tree.host(name, [acl(name, more[name])], key=KEY) for name in names]
    found = review.differences([change for host in wanted for change in tree.compare(tmp_path, host).changes])
    assert [(difference["after"], difference["after_header"].partition(" on ")[2]) for difference in found] == [
        ("user probe.mqtt1\npattern read a\n", "2 hosts (mqtt1, mqtt2)"),
        ("user probe.mqtt3\npattern read b\n", "1 host (mqtt3)"),
    ]


def test_a_secret_is_shown_by_its_digest(tmp_path: Path):
    rendered(tmp_path, SECRET)
    wanted = tree.host("mqtt1", [dataclasses.replace(SECRET, content="other")], key=KEY)
    [difference] = review.differences(tree.compare(tmp_path, wanted).changes)
    assert difference["before"].startswith("hmac_sha256:")
    assert "hidden" not in str(difference)
    assert "other" not in str(difference)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("brokers", ["a", "b"]),
        ("brokers:edges", ["a", "b", "c"]),
        ("edges:!brokers", ["c"]),
        ("all:!all", []),
        ("c", ["c"]),
        ("nowhere", []),
    ],
)
def test_the_hosts_of_a_pattern(pattern: str, expected: list[str]):
    groups = {"all": ["a", "b", "c"], "brokers": ["a", "b"], "edges": ["b", "c"]}
    assert wiring.matching(pattern, groups) == expected


def test_plays_are_those_of_imported_playbooks_too():
    files = {
        "site": [
            {"name": "first", "ansible.builtin.import_playbook": "issue"},
            {
                "name": "brokers",
                "hosts": "mosquitto",
                "roles": [{"role": "bulwark.mqtt.mosquitto", "when": "x", "vars": {"a": 1}}],
            },
            {"name": "tasks", "hosts": "all", "tasks": []},
        ],
        "issue": [{"name": "store", "hosts": "all", "roles": [{"role": "bulwark.mqtt.tls_store"}]}],
    }
    assert list(wiring.plays("site", lambda name: files[name])) == [
        wiring.Play("store", "all", (wiring.RoleUse("tls_store"),)),
        wiring.Play("brokers", "mosquitto", (wiring.RoleUse("mosquitto", ("x",), {"a": 1}),)),
    ]
    files["issue"][0]["roles"] = [{"role": "nginx"}]
    with pytest.raises(
        RenderError, match=r"role nginx: is none of bulwark.mqtt.\*, so nobody knows which files it writes"
    ):
        list(wiring.plays("site", lambda name: files[name]))


def test_a_host_that_was_recorded_answers_as_its_release_does():
    of_release = answers.of_release("debian-13")
    recorded = json.loads(json.dumps(of_release))
    for role in ("mosquitto", "nginx_stream", "firewall"):
        assert answers.answers(role, recorded, template=str) == answers.answers(role, of_release, template=str)
    stack = answers.stack_of(recorded, "nginx", "openssl")
    assert stack["capabilities"]["nginx"]["njs"]
    assert not stack["capabilities"]["nginx"]["stream_stapling"]
    assert (
        answers.record(recorded["facts"] | {"kernel": "6"}, answers.stack_of(recorded, "mosquitto", "nginx", "openssl"))
        == recorded
    )


@pytest.mark.parametrize(
    ("attempt", "problem"),
    [
        (
            lambda: answers.of_release("debian-11"),
            "bulwark_release is 'debian-11'; it can be debian-12, debian-13, debian-14",
        ),
        (
            lambda: answers.stack_of({"software": {"nginx": {"version": None}}}, "nginx"),
            (
                "its record has no version of nginx: the host's package index did not know it; run bulwark.mqtt.record "
                "again once the host can install it"
            ),
        ),
    ],
)
def test_what_cannot_be_answered(attempt, problem: str):
    with pytest.raises(RenderError) as refused:
        attempt()
    assert str(refused.value) == problem
