"""Parameters out of requests."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m1.api.endpoint import Json
from m1.errors import BadRequest
from m1.server.forms import MAX_FIELDS, read_form, sent_unencoded

FORM = "application/x-www-form-urlencoded"
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(texts.filter(bool), texts, max_size=4))
def test_an_encoded_form_gives_back_what_went_in(values: dict[str, str]) -> None:
    encoded = urlencode(values).encode()
    assert read_form(b"", FORM, encoded) == values
    assert read_form(encoded, "", b"") == values


def test_a_form_as_curl_sends_it_is_read_raw() -> None:
    body = 'store=s&ops=[{"upsert": [\n{"a": "\u00e9=:"}]}]'.encode()
    assert read_form(b"", FORM, body) == {
        "store": "s",
        "ops": '[{"upsert": [\n{"a": "\u00e9=:"}]}]',
    }
    assert sent_unencoded(FORM, body)
    assert not sent_unencoded(FORM, urlencode({"ops": '[{"a": 1}]'}).encode())
    assert not sent_unencoded("application/json", body)


def test_a_replacement_character_that_was_sent_is_kept() -> None:
    assert read_form(b"", FORM, b"a=%EF%BF%BD+x") == {"a": "\ufffd x"}


@pytest.mark.parametrize(
    "body",
    [b"a=%", b"a=%4", b"a=%zz", b"a=%ff", b"a=\xff", b"a=%C0%AF", b"a=1&a=2", b"a=%ED%A0%80"],
)
def test_a_bad_value_is_refused_by_its_name(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^a: "):
        read_form(b"", FORM, body)


def test_a_name_in_the_query_string_and_the_body_is_there_twice() -> None:
    with pytest.raises(BadRequest, match="^a: "):
        read_form(b"a=1", FORM, b"a=2")


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(BadRequest, match="fields"):
        read_form(b"", FORM, b"&".join(b"a%d=" % n for n in range(MAX_FIELDS + 1)))


def test_a_json_body_gives_texts_as_texts_and_the_rest_as_json() -> None:
    values = read_form(
        b"", "application/json; charset=utf-8", b'{"a": "x", "b": [1, 2], "c": null}'
    )
    assert values["a"] == "x"
    assert values["b"] == Json(b"[1, 2]", [1, 2])
    assert "c" not in values


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"a": 1', b"\xff", b"[" * 100_000])
def test_a_json_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON"):
        read_form(b"", "application/json", body)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_multipart_form_without_boundary_or_end_is_refused(kind: str) -> None:
    with pytest.raises(BadRequest, match="multipart"):
        read_form(b"", kind, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1')


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(BadRequest, match="text/plain"):
        read_form(b"", "text/plain", b"x")
