"""Dead rows wait until they are many; then the oldest go, and none is forgotten or lost."""

from __future__ import annotations

from pyroaring import BitMap64

from m1.embedded.garbage import Garbage

LIVE = 10_000
MANY = LIVE // 2


def taken(garbage: Garbage) -> list[int]:
    """Take as one update does, and have it deleted."""
    rows = garbage.take(1, LIVE)
    garbage.are_deleted()
    return rows


def test_few_dead_rows_are_left_alone() -> None:
    garbage = Garbage()
    garbage.add(range(MANY))
    assert taken(garbage) == []


def test_of_many_the_oldest_go_until_half_are_left() -> None:
    garbage = Garbage()
    garbage.add(range(MANY, -1, -1))
    gone: list[int] = []
    while rows := taken(garbage):
        gone += rows
    assert gone == list(range(len(gone)))
    assert MANY // 2 <= len(gone) < MANY // 2 + 10


def test_updates_that_kill_rows_let_go_of_more_than_they_kill() -> None:
    garbage = Garbage()
    garbage.add(range(MANY + 1))
    for seq in range(MANY + 1, 2 * MANY):
        garbage.add([seq])
        if not taken(garbage):
            return
    raise AssertionError("the garbage never became less")


def test_a_large_update_takes_more_and_never_too_many_at_once() -> None:
    garbage = Garbage()
    garbage.add(range(4 * MANY))
    assert len(garbage.take(10, LIVE)) == 40
    garbage.are_deleted()
    assert len(garbage.take(100_000, LIVE)) == 1_000


def test_nothing_more_is_taken_before_the_outcome_and_what_failed_comes_again() -> None:
    garbage = Garbage()
    garbage.add(range(2 * MANY))
    first = garbage.take(1, LIVE)
    assert garbage.take(1, LIVE) == []
    garbage.give_back()
    assert garbage.take(1, LIVE)[: len(first)] == first


def test_what_is_written_down_is_all_that_may_still_be_there() -> None:
    garbage = Garbage()
    garbage.add(range(2 * MANY))
    assert garbage.take(1, LIVE)
    kept = garbage.upto(MANY, [2 * MANY])
    assert list(BitMap64.deserialize(kept)) == list(range(MANY + 1))
    assert Garbage(kept).upto(MANY, ()) == kept
