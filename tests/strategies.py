"""What Hypothesis may draw: items, queries and sorts that have something to do with each other."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

PATHS = ["v", "w.x", "w.y", "t"]
TEXTS = ["a", "ab", "abc", "b", "", "true", "1", "1.0", "10", "\u00e9", "2023-11-14"]
NUMBERS = [0, 1, -1, 1.0, 2.5, 10, 2**53, 2**53 + 1, 1_700_000_000_000]

scalars = st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans(), st.none())
values = st.one_of(scalars, st.lists(scalars, max_size=3))


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an item with an `id`, mostly with another possible key at `k.id`."""
    item: dict[str, Any] = {"id": draw(st.sampled_from(["a", "b", "c", "10", 9, "\u00e9"]))}
    if draw(st.booleans()):
        item["k"] = {"id": draw(st.sampled_from(["x", "y", 7, None]))}
    item["v"] = draw(values)
    if draw(st.booleans()):
        item["w"] = draw(st.one_of(scalars, st.fixed_dictionaries({"x": values, "y": values})))
    item["t"] = draw(st.sampled_from([*TEXTS, *NUMBERS]))
    return item


_words = st.sampled_from(
    [
        "a",
        "ab",
        "1",
        "1.0",
        "10",
        "true",
        '""',
        "a*",
        "*b*",
        "?b",
        "*",
        "/a.*/",
        "/[ab]+/",
        "ab~1",
        "abc~",
    ]
    + [
        "[a TO b]",
        "{1 TO 10]",
        "[* TO 2.5}",
        ">1",
        "<=1",
        "[2023-11-14 TO 2023-11-15}",
        "[NOW-1DAY TO NOW]",
    ]
    + ["9007199254740993", "[9007199254740992 TO *]"]
)
_leaves = st.builds("{}:{}".format, st.sampled_from([*PATHS, "w"]), _words)


def queries() -> st.SearchStrategy[str]:
    """Draw a query of a few conditions, marked and joined in every way."""
    marked = st.builds("{}{}".format, st.sampled_from(["", "", "+", "-", "NOT "]), _leaves)
    joined = st.lists(marked, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([" ", " OR ", " AND "]).map(lambda by: by.join(parts))
    )
    grouped = st.builds("({}) {} {}".format, joined, st.sampled_from(["AND", "OR", ""]), marked)
    return st.one_of(joined, grouped, st.just("*"))


def sorts() -> st.SearchStrategy[str | None]:
    """Draw no sort, or one of up to two keys."""
    key = st.builds("{} {}".format, st.sampled_from(PATHS), st.sampled_from(["asc", "desc"]))
    return st.one_of(st.none(), st.lists(key, min_size=1, max_size=2).map(", ".join))


@st.composite
def facets(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what may be asked of `/session/facets` beside the query."""
    path = draw(st.sampled_from([*PATHS, "w", "id"]))
    most = draw(st.sampled_from([0, 1, 3, 100]))
    prefix = draw(st.sampled_from(["", "", "a", "w", "1", "\u00e9"]))
    histogram = st.builds(
        lambda low, width, buckets: {
            "path": path,
            "low": str(low),
            "high": str(low + width),
            "buckets": buckets,
        },
        st.sampled_from([-1, 0, 0.5, 1_699_920_000_000]),
        st.sampled_from([0.3, 3, 10**11]),
        st.integers(1, 7),
    )
    return draw(
        st.one_of(
            st.just({"prefix": prefix, "rows": most}),
            st.just({"path": path, "prefix": prefix, "rows": most}),
            histogram,
        )
    )
