"""Tokens, passwords and rights."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from m1.access import (
    ANY_ADDRESS,
    Caller,
    Passwords,
    _signature,
    caller_of,
    issue_token,
    new_epoch,
    normal_address,
)
from m1.catalog import Catalog, User
from m1.errors import BadRequest, Forbidden, Unauthorized

CATALOG = Catalog(initialized=True, secret="secret", users={"u": User("h", ("get",), "e")})
REMEMBERED = 10_000
NOW = 1_700_000_000_000
HERE = "127.0.0.1"


def test_a_token_names_its_user_with_the_rights_of_the_moment() -> None:
    token = issue_token(CATALOG, "u", HERE, NOW)
    assert caller_of(CATALOG, token, HERE, NOW) == Caller("u", ("get",))
    changed = CATALOG.with_new_user("a", User("h", ("admin",), "e")).with_user("u", rights=("x",))
    assert caller_of(changed, token, HERE, NOW) == Caller("u", ("x",))


def test_a_token_ends_with_its_time() -> None:
    token = issue_token(CATALOG, "u", HERE, NOW, life=1_000)
    assert caller_of(CATALOG, token, HERE, NOW + 999)
    with pytest.raises(Unauthorized, match="expired"):
        caller_of(CATALOG, token, HERE, NOW + 1_000)


def test_a_token_is_good_at_its_address_alone_unless_it_is_for_any() -> None:
    token = issue_token(CATALOG, "u", HERE, NOW)
    with pytest.raises(Unauthorized, match="address"):
        caller_of(CATALOG, token, "10.0.0.1", NOW)
    assert caller_of(CATALOG, issue_token(CATALOG, "u", ANY_ADDRESS, NOW), "10.0.0.1", NOW)


def test_a_token_ends_with_the_epoch_and_with_the_user() -> None:
    token = issue_token(CATALOG, "u", HERE, NOW)
    two = CATALOG.with_new_user("a", User("h", ("admin",), "e"))
    for changed in (two.with_user("u", epoch=new_epoch()), two.without_user("u")):
        with pytest.raises(Unauthorized, match="revoked"):
            caller_of(changed, token, HERE, NOW)


def test_before_there_is_a_secret_nobody_can_sign() -> None:
    for said in ("e30", "aaaa", "WzFd"):
        with pytest.raises(Unauthorized):
            caller_of(Catalog(), f"{said}.{_signature('', said)}", HERE, NOW)
    with pytest.raises(Unauthorized):
        caller_of(CATALOG, f"e30.{_signature(CATALOG.secret, 'e30')}", HERE, NOW)


@pytest.mark.parametrize("token", [None, "", ".", "x", "x.y", "\u00e9.\u00e9", "." * 1_000])
def test_what_is_no_token_is_refused(token: str | None) -> None:
    with pytest.raises(Unauthorized):
        caller_of(CATALOG, token, HERE, NOW)


def test_any_one_of_the_rights_will_do_and_the_refusal_names_them() -> None:
    Caller("u", ("b",)).require(("a", "b"))
    Caller("u", ()).require(())
    with pytest.raises(Forbidden) as refused:
        Caller("test", ("Admin",)).require(("admin",))
    assert refused.value.message == "User test does not have requested right in set admin"


def test_addresses_have_one_form() -> None:
    assert normal_address("::ffff:1.2.3.4") == "1.2.3.4"
    assert normal_address("2001:DB8::0:1") == "2001:db8::1"
    with pytest.raises(BadRequest):
        normal_address("localhost")


def test_a_password_is_checked_and_its_length_too() -> None:
    async def story() -> None:
        passwords = Passwords()
        user = await passwords.new_user(CATALOG, "long enough", ("get",))
        assert "long enough" not in user.password
        catalog = Catalog(users={"u": user})
        await passwords.check(catalog, "u", "long enough", HERE, 0.0)
        for name, password in (("u", "wrong"), ("nobody", "long enough")):
            with pytest.raises(Unauthorized) as refused:
                await passwords.check(catalog, name, password, HERE, 0.0)
            assert refused.value.message == "the user name or the password is wrong"
        for bad in ("short", "x" * 1_025):
            with pytest.raises(BadRequest, match="password"):
                await passwords.hashed(CATALOG, bad)
        passwords.close()

    asyncio.run(story())


def test_logins_that_succeed_together_are_not_held_against_anybody() -> None:
    async def story() -> None:
        passwords = Passwords()
        catalog = Catalog(users={"u": await passwords.new_user(CATALOG, "long enough", ())})
        for now in range(4):
            some = [passwords.check(catalog, "u", "long enough", HERE, now) for _ in range(9)]
            await asyncio.gather(*some)
        passwords.close()

    asyncio.run(story())


def test_many_guesses_take_little_memory() -> None:
    """Names are as long as a form may be, addresses as many as a network of IPv6 has."""
    most, guesses = 10 * 2**20, 6_000

    async def story() -> int:
        passwords = Passwords()
        passwords._unknown = "not a hash"  # so that a guess costs nothing here
        for number in range(guesses):
            name, address = f"{number}{'x' * 60_000}", f"2001:db8:{number:x}::1"
            with pytest.raises(Unauthorized):
                await passwords.check(Catalog(), name, "x", address, 0.0)
        assert len(passwords._failures) == REMEMBERED
        kept, _ = tracemalloc.get_traced_memory()
        passwords.close()
        return kept

    tracemalloc.start()
    try:
        kept = asyncio.run(story())
    finally:
        tracemalloc.stop()
    assert 2**20 < kept < most, kept
