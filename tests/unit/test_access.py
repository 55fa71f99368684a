"""Tokens, passwords and rights."""

from __future__ import annotations

import asyncio
import time
from statistics import median

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
from m1.errors import BadRequest, Forbidden, TooManyLogins, Unauthorized

CATALOG = Catalog(initialized=True, secret="secret", users={"u": User("h", ("get",), "e")})
NOW = 1_700_000_000_000
HERE = "127.0.0.1"
TRIES = 40


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


def test_each_single_changed_character_makes_a_token_bad() -> None:
    token = issue_token(CATALOG, "u", HERE, NOW)
    for at, character in enumerate(token):
        other = "A" if character != "A" else "B"
        with pytest.raises(Unauthorized):
            caller_of(CATALOG, token[:at] + other + token[at + 1 :], HERE, NOW)


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


def test_who_guesses_is_slowed_down_and_time_makes_good() -> None:
    async def story() -> None:
        passwords = Passwords()
        user = await passwords.new_user(CATALOG, "long enough", ())
        catalog = Catalog(users={"u": user})
        for _ in range(10):
            with pytest.raises(Unauthorized):
                await passwords.check(catalog, "u", "wrong", HERE, 0.0)
        with pytest.raises(TooManyLogins) as refused:
            await passwords.check(catalog, "u", "long enough", HERE, 0.5)
        assert refused.value.retry_after == 1
        await passwords.check(catalog, "u", "long enough", "10.0.0.1", 0.5)
        await passwords.check(catalog, "u", "long enough", HERE, 1.5)
        passwords.close()

    asyncio.run(story())


def test_sixty_guesses_an_hour_are_the_most() -> None:
    async def story() -> None:
        passwords = Passwords()
        passwords._unknown = "not a hash"  # so that a guess costs nothing here
        guesses, now = 0, 0.0
        while now < 3_600:
            try:
                await passwords.check(Catalog(), f"u{guesses}", "x", HERE, now)
            except Unauthorized:
                guesses += 1
            except TooManyLogins as refused:
                now += refused.retry_after or 0
        assert guesses <= 60
        passwords.close()

    asyncio.run(story())


def test_guesses_that_come_together_count_as_those_that_come_one_by_one() -> None:
    async def story() -> None:
        passwords = Passwords()
        passwords._unknown = "not a hash"
        guesses, now = 0, 0.0
        while now < 3_600:
            tried = [passwords.check(Catalog(), f"u{n}", "x", HERE, now) for n in range(32)]
            ended = await asyncio.gather(*tried, return_exceptions=True)
            guesses += sum(isinstance(each, Unauthorized) for each in ended)
            waits = [each.retry_after or 0 for each in ended if isinstance(each, TooManyLogins)]
            now += min(waits, default=0)
        assert guesses <= 60
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


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    async def story() -> None:
        passwords = Passwords()
        passwords._unknown = "not a hash"
        for number in range(10):
            with pytest.raises(Unauthorized):
                await passwords.check(Catalog(), f"u{number}", "x", f"2001:db8::{number:x}", 0.0)
        with pytest.raises(TooManyLogins):
            await passwords.check(Catalog(), "u", "x", "2001:db8::ffff:1", 0.5)
        with pytest.raises(Unauthorized):
            await passwords.check(Catalog(), "u", "x", "2001:db8:0:1::1", 0.5)
        passwords.close()

    asyncio.run(story())


def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    async def seconds(passwords: Passwords, user: str, address: str) -> float:
        begun = time.perf_counter()
        with pytest.raises(Unauthorized):
            await passwords.check(catalog, user, "wrong", address, 0.0)
        return time.perf_counter() - begun

    async def story() -> None:
        passwords = Passwords()
        catalog.users["u"] = await passwords.new_user(CATALOG, "long enough", ())
        await seconds(passwords, "nobody", HERE)  # makes the hash of nobody
        known, unknown = [], []
        for number in range(TRIES):  # by turns, so that a busy machine slows down both
            known.append(await seconds(passwords, "u", f"10.0.0.{number}"))
            unknown.append(await seconds(passwords, "nobody", f"10.0.1.{number}"))
        passwords.close()
        print(f"{median(known) * 1_000:.1f} and {median(unknown) * 1_000:.1f} ms")  # noqa: T201
        assert median(known) > 0.005, "hashing takes no time, so this shows nothing"
        assert abs(median(known) - median(unknown)) < median(known) / 4

    catalog = Catalog()
    asyncio.run(story())
