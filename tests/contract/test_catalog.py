"""What every engine promises about the catalog."""

from __future__ import annotations

import asyncio

from m1.engine import Engine
from tests.contract.conftest import OnEngine


def test_a_new_engine_has_a_catalog_that_was_never_saved(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        saved = await engine.load_catalog()
        assert (saved.document, saved.version) == (b"", 0)

    on_engine(story)


def test_a_saved_catalog_is_loaded(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        assert await engine.save_catalog(b"one", 0)
        saved = await engine.load_catalog()
        assert saved.document == b"one"
        assert await engine.save_catalog(b"two", saved.version)
        assert (await engine.load_catalog()).document == b"two"

    on_engine(story)


def test_a_catalog_is_saved_over_the_version_it_was_made_from_alone(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        assert await engine.save_catalog(b"one", 0)
        assert not await engine.save_catalog(b"late", 0)
        assert (await engine.load_catalog()).document == b"one"

    on_engine(story)


def test_of_many_who_save_at_once_one_wins(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        documents = [b"%d" % number for number in range(20)]
        won = await asyncio.gather(*[engine.save_catalog(each, 0) for each in documents])
        assert won.count(True) == 1
        assert (await engine.load_catalog()).document == documents[won.index(True)]

    on_engine(story)
