# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import datetime as dt

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import device_rows, keys
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError, RefusedRowError

CSR = samples.csr(keys.generate("ec-p256"))


@pytest.fixture(name="source")
def fixture_source(tmp_path):
    """Makes a list in a file from its content."""
    with contextlib.ExitStack() as stack:

        def open_list(content, name="devices.csv"):
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            return stack.enter_context(device_rows.open_file(path))

        yield open_list


def parsed(found):
    """Each row, or its line and why it is refused."""
    rows = []
    for raw in found.rows():
        try:
            rows.append(found.parse(raw))
        except PkiError as error:
            rows.append((raw.line, str(error)))
    return rows


def test_a_table_has_its_columns_in_any_order_and_rows_on_their_lines(source):
    found = source("\ufefflifetime,common_name,names\n90d,meter-1,a.example.com 192.0.2.1\n\n,meter-2,\n")
    assert parsed(found) == [
        device_rows.Row(2, "meter-1", ("a.example.com", "192.0.2.1"), lifetime=dt.timedelta(days=90)),
        device_rows.Row(4, "meter-2"),
    ]


def test_json_lines_say_the_same(source):
    text = (
        '{"common_name": "meter-1", "names": ["a.example.com"], "key_type": "ed25519"}\n\n{"common_name": "meter-2"}\n'
    )
    assert parsed(source(text, "devices.jsonl")) == [
        device_rows.Row(1, "meter-1", ("a.example.com",), key_type="ed25519"),
        device_rows.Row(3, "meter-2"),
    ]


def test_a_list_is_read_again_and_again(source):
    for found in (source("common_name\nmeter-1\n"), device_rows.ListSource([{"common_name": "meter-1"}])):
        assert parsed(found) == parsed(found) != []


def test_a_file_that_takes_the_place_of_the_list_is_not_read(source, tmp_path):
    found = source("common_name\nmeter-1\n")
    (tmp_path / "other").write_text("common_name\nmeter-2\n")
    (tmp_path / "other").rename(tmp_path / "devices.csv")
    assert [row.common_name for row in parsed(found)] == ["meter-1"]


def test_a_request_is_given_as_it_is_or_as_a_file_beside_the_list(source, tmp_path):
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests/one.csr").write_text(CSR)
    found = source(f'common_name,csr\nmeter-1,requests/one.csr\nmeter-2,"{CSR}"\nmeter-3,\n')
    assert [(row.line, row.csr) for row in parsed(found)] == [(2, CSR), (3, CSR), (3 + CSR.count("\n") + 1, "")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a/b,,,",
            "common_name 'a/b' (3 characters, by default the first of the names) is refused: give one of 1 to 64",
        ),
        ("a+b,,,", "common_name 'a+b' (3 characters"),
        ("a#,,,", "common_name 'a#' (2 characters"),
        ("a\0b,,,", "common_name 'a\\x00b' (3 characters"),
        ("é,,,", "common_name 'é' (1 characters"),
        (b"\xff,,,", "common_name '\\udcff' (1 characters"),
        ("x" * 65 + ",,,", f"common_name '{'x' * 65}' (65 characters"),
        ("..,,,", "common_name '..' is refused: the first character must not be a dot"),
        (",,,", "common_name '' (0 characters"),
        ("m,,,,", "it has 5 columns, the first line has 4"),
        ("m", "it has 1 columns, the first line has 4"),
        ("m,,dsa,", "key_type 'dsa' is unknown: use one of ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519"),
        ("m,,,soon", "lifetime is 'soon': write a whole number and a unit, for example 90d, 12h or 30m"),
        ("m,missing.csr,,", "cannot be read (No such file or directory): correct the path"),
        ('m,"open,,', "unexpected end of data; correct the quotes"),
        ('m,"a"b,,', "',' expected after '\"'; correct the quotes"),
    ],
)
def test_a_row_that_is_refused_says_why_on_its_line(source, row, message):
    row = row if isinstance(row, bytes) else row.encode()
    line, found = parsed(source(b"common_name,csr,key_type,lifetime\nmeter-1,,,\n" + row + b"\n"))[1]
    assert line == 3
    assert message in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", 'it is no JSON object: write for example {"common_name": "meter-0001"}'),
        ("[1]", 'it is no JSON object: write for example {"common_name": "meter-0001"}'),
        ("[" * 100000, 'it is no JSON object: write for example {"common_name": "meter-0001"}'),
        ('{"common_name": 7}', "common_name 7 is refused: give a string"),
        ('{"comon_name": "m"}', "comon_name is unknown: use common_name, names, csr, key_type, lifetime"),
        (
            '{"common_name": "m", "names": [1]}',
            "names [1] is refused: give a list of strings, or a string with spaces between them",
        ),
    ],
)
def test_an_object_that_is_refused_says_why(source, text, message):
    assert parsed(source(text + "\n", "devices.jsonl")) == [(1, message)]


def test_a_relative_path_has_to_be_relative_to_something():
    found = device_rows.ListSource([{"common_name": "meter-1", "csr": "one.csr"}])
    assert parsed(found) == [
        (1, "csr 'one.csr' is refused: give the request in PEM form, or an absolute path"),
    ]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("", "none"),
        ("name,csr", "'name', 'csr'"),
        ("names", "'names'"),
        ("common_name,common_name", "'common_name', 'common_name'"),
    ],
)
def test_a_table_without_the_names_of_its_columns_is_refused(source, tmp_path, header, columns):
    with pytest.raises(RefusedRowError) as caught:
        source(f"{header}\nmeter-1\n" if header else "")
    assert str(caught.value) == (
        f"{tmp_path}/devices.csv line 1: the columns are {columns}; "
        "give common_name and, each once, any of names, csr, key_type, lifetime"
    )


def test_a_list_that_is_not_there_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(RefusedRowError) as missing:
        device_rows.open_file(tmp_path / "devices.csv")
    assert str(missing.value) == f"{tmp_path}/devices.csv cannot be read (No such file or directory): correct the path"
    with pytest.raises(RefusedRowError) as unknown:
        device_rows.open_file(tmp_path / "devices.xlsx")
    assert str(unknown.value) == (
        f"{tmp_path}/devices.xlsx is refused: give a file whose name ends in .csv, .jsonl or .ndjson"
    )
