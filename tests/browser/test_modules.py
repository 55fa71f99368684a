"""The parts of the console that only compute, asked directly."""

from __future__ import annotations

import pytest

from m1.query import parse, tree
from tests.browser.viewing import View

pytestmark = pytest.mark.xdist_group("browser")


def test_any_path_and_value_is_written_as_the_query_that_means_it(view: View) -> None:
    texts = [
        "a",
        "a b",
        'q"\\',
        "AND",
        "TO",
        "&&",
        "-x",
        "1.5",
        "<5",
        "/usr/bin",
        "a:b",
        "é😀",
        "*",
    ]
    texts += ["NOT", "\u3000", "x?", "[1 TO 2]", "{", "_query_", "u0041", "a\nb", "\\", "||", "+1"]
    script = """async (texts) => {
        const { equals } = await import("/console/query.js");
        return texts.flatMap((path) => texts.map((value) => [path, value, equals(path, value)]));
    }"""
    for path, value, written in view.page.evaluate(script, texts):
        assert parse(written) == tree.Term(path, value), written


def test_conditions_are_joined_so_that_both_hold(view: View) -> None:
    script = """async (queries) => {
        const { narrowed } = await import("/console/query.js");
        return queries.map((q) => narrowed(q, "x:1"));
    }"""
    wanted = {
        "*": "x:1",
        "a:1": "a:1 AND x:1",
        "a:1 AND x:1": "a:1 AND x:1",
        "a:1 OR b:2": "(a:1 OR b:2) AND x:1",
        "a:1 b:2": "(a:1 b:2) AND x:1",
        'a:"b OR c"': 'a:"b OR c" AND x:1',
        "a:(b OR c) AND NOT d:[1 TO 2}": "a:(b OR c) AND NOT d:[1 TO 2} AND x:1",
        "a:/b AND c/": "a:/b AND c/ AND x:1",
        "a:1 /* or */": "(a:1 /* or */) AND x:1",
    }
    assert view.page.evaluate(script, list(wanted)) == list(wanted.values())


def test_json_is_read_strictly_and_kept_as_it_is(view: View) -> None:
    good = ['{"a": [1, 2.50, 1e400, "é\\n", null, true, {}]}', '{"__proto__": 1, "2": 2, "1": 3}']
    bad = ['{"a": 1,}', "{'a': 1}", '{"a": 01}', '{"a": "\t"}', '{"a": 1, "a": 2}', "[1 2]", ""]
    script = """async (texts) => {
        const { parse, format } = await import("/console/json.js");
        const read = (text) => { try { return format(parse(text)); } catch { return null; } };
        return texts.map(read);
    }"""
    assert view.page.evaluate(script, good + bad) == good + [None] * len(bad)
