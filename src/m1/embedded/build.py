"""Making segments: from rows, or from other segments. A process of its own does it.

    python -m m1.embedded.build < job        a Job in msgpack; exit code 0 when it is done

So it holds up neither updates nor queries; that costs reading the rows once more, and is
what the other processors are for. The outcome depends on the job alone.
"""

from __future__ import annotations

import gc
import math
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from m1.embedded.bitmaps import Docids, bitmap_of, docids_of
from m1.embedded.columns import Pairs, Values
from m1.embedded.reader import Reader
from m1.embedded.sections import SectionWriter
from m1.embedded.segment import (
    Directory,
    PairSections,
    PathSections,
    Segment,
    SegmentTerms,
    hash_of,
)
from m1.errors import StartError
from m1.jsontext import decode
from m1.terms import Shape, flatten, leaf_of
from m1.values import Scalar

LARGE = 256
"""So many docids make a text's postings a bitmap."""

_GONE = np.uint32(2**32 - 1)
_NICE = 10


class Rows(msgspec.Struct, array_like=True, frozen=True):
    """The rows of a space after one seq and up to another."""

    database: str
    number: int
    after: int
    upto: int


class Source(msgspec.Struct, array_like=True, frozen=True):
    """A segment to be merged, and which of its items are live."""

    path: str
    live: bytes


class Job(msgspec.Struct, array_like=True, frozen=True):
    """Make a segment at `target`, of rows or of sources."""

    target: str
    rows: Rows | None = None
    sources: list[Source] = []


_Column = tuple[Docids, Sequence[Scalar]]
"""The values of some docids at one path."""


class _Items(NamedTuple):
    """The items of a segment to be, in the order of their ids."""

    ids: Sequence[bytes]
    hashes: NDArray[np.uint64]
    seqs: NDArray[np.int64]
    sizes: NDArray[np.uint64]


class _Path(NamedTuple):
    """All of one path: texts in order, and pairs by docid (text pairs by number, too)."""

    texts: Sequence[bytes]
    text_pairs: Pairs
    number_pairs: Pairs
    date_pairs: Pairs


# --- from rows ---


def _from_rows(rows: Rows, writer: SectionWriter) -> None:
    newest: dict[str, tuple[int, bytes]] = {}
    reader = Reader(Path(rows.database))
    for seq, id, body in reader.rows(rows.number, rows.after, rows.upto):
        if body is None:
            newest.pop(id, None)
        else:
            newest[id] = (seq, body)
    reader.close()
    ids = sorted(newest)
    keys = [id.encode() for id in ids]
    items = _Items(
        keys,
        np.fromiter(map(hash_of, keys), np.uint64, len(keys)),
        np.array([newest[id][0] for id in ids], np.int64),
        np.array([len(newest[id][1]) for id in ids], np.uint64),
    )
    by_shape: defaultdict[Shape, tuple[list[int], list[Sequence[Scalar]]]]
    by_shape = defaultdict(lambda: ([], []))
    for docid, id in enumerate(ids):
        shape, values = flatten(decode(newest.pop(id)[1]))
        docids, lines = by_shape[shape]
        docids.append(docid)
        lines.append(values)
    existing: defaultdict[str, list[Docids]] = defaultdict(list)
    columns: defaultdict[str, list[_Column]] = defaultdict(list)
    for shape, (docids, lines) in by_shape.items():
        there = np.array(docids, np.uint32)
        for path in shape.existing:
            existing[path].append(there)
        for path, column in zip(shape.paths, zip(*lines, strict=True), strict=True):
            columns[path].append((there, column))
    by_shape.clear()
    _write(
        writer,
        items,
        ((path, bitmap_of(np.concatenate(there))) for path, there in existing.items()),
        ((path, _path_of(columns.pop(path))) for path in list(columns)),
    )


def _path_of(columns: Sequence[_Column]) -> _Path:
    """Put the values of a path together; each different value is looked at once."""
    docids = np.concatenate([there for there, _ in columns])
    values = list(chain.from_iterable(column for _, column in columns))
    keys = _keys(values)
    leaves = {key: leaf_of(value) for key, value in dict(zip(keys, values, strict=True)).items()}
    code_of = {key: code for code, key in enumerate(leaves)}
    codes = np.fromiter(map(code_of.__getitem__, keys), np.uint32, len(keys))
    texts = sorted({leaf.text for leaf in leaves.values() if leaf.text is not None})
    number_of = {text: number for number, text in enumerate(texts)}
    numbers = [None if leaf.text is None else number_of[leaf.text] for leaf in leaves.values()]
    return _Path(
        [text.encode() for text in texts],
        _unique_pairs(*_having(docids, codes, numbers)),
        _sorted_pairs(*_having(docids, codes, [leaf.number for leaf in leaves.values()])),
        _sorted_pairs(*_having(docids, codes, [leaf.instant for leaf in leaves.values()])),
    )


def _keys(values: Sequence[Scalar]) -> Sequence[object]:
    """Give what tells values apart: Python takes True, 1 and 1.0 for the same."""
    if len(set(map(type, values))) == 1:
        return values
    return [(type(value), value) for value in values]


def _having(
    docids: Docids, codes: Values, by_code: Sequence[float | None]
) -> tuple[Docids, Values]:
    """Give pairs of docids and what their codes stand for, where that is anything."""
    known = np.array([math.nan if value is None else value for value in by_code], np.float64)
    values = known[codes]
    kept = ~np.isnan(values)
    return docids[kept], values[kept]


def _sorted_pairs(docids: Docids, values: Values) -> Pairs:
    order = np.argsort(docids, kind="stable")
    return Pairs(docids[order], values[order])


def _unique_pairs(docids: Docids, numbers: Values) -> Pairs:
    """Give pairs ascending by docid and number, each once."""
    both = np.unique(docids.astype(np.uint64) << np.uint64(32) | numbers.astype(np.uint64))
    return Pairs((both >> np.uint64(32)).astype(np.uint32), both.astype(np.uint32))


# --- from segments ---


def _from_segments(sources: Sequence[Source], writer: SectionWriter) -> None:
    segments = [Segment(Path(each.path), BitMap.deserialize(each.live)) for each in sources]
    order, moves = _merged_ids(segments)
    seqs = [np.asarray(segment.seqs) for segment in segments]
    sizes = [np.asarray(segment.sizes) for segment in segments]
    items = _Items(
        order,
        _moved([segment.hashes_by_docid() for segment in segments], moves, len(order)),
        _moved(seqs, moves, len(order)),
        _moved(sizes, moves, len(order)),
    )
    existing = dict.fromkeys(chain.from_iterable(segment.existing_paths for segment in segments))
    paths = dict.fromkeys(chain.from_iterable(segment.paths for segment in segments))
    _write(
        writer,
        items,
        ((path, _merged_existing(path, segments, moves)) for path in existing),
        ((path, _merged_path(path, segments, moves)) for path in paths),
    )


def _merged_ids(segments: Sequence[Segment]) -> tuple[list[bytes], list[Docids]]:
    """Give the live ids in order, and for each segment where its docids have moved."""
    entries: list[tuple[bytes, int, int]] = []
    for place, segment in enumerate(segments):
        ids, live = list(segment.ids), docids_of(segment.live).tolist()
        entries += [(ids[docid], place, docid) for docid in live]
    entries.sort()
    moves = [np.full(len(segment.seqs), _GONE, np.uint32) for segment in segments]
    places = np.array([place for _, place, _ in entries], np.uint32)
    docids = np.array([docid for _, _, docid in entries], np.uint32)
    for place, move in enumerate(moves):
        mine = places == place
        move[docids[mine]] = np.flatnonzero(mine)
    return [id for id, _, _ in entries], moves


def _moved(values: Sequence[NDArray[Any]], moves: Sequence[Docids], count: int) -> NDArray[Any]:
    """Give values by docid where their docids have moved to."""
    whole = np.empty(count, values[0].dtype)
    for each, move in zip(values, moves, strict=True):
        kept = move != _GONE
        whole[move[kept]] = each[kept]
    return whole


def _merged_existing(path: str, segments: Sequence[Segment], moves: Sequence[Docids]) -> BitMap:
    moved = [
        move[docids_of(segment.existing(path) & segment.live)]
        for segment, move in zip(segments, moves, strict=True)
    ]
    return bitmap_of(np.concatenate(moved))


def _merged_path(path: str, segments: Sequence[Segment], moves: Sequence[Docids]) -> _Path:
    parts = [
        (terms, move)
        for segment, move in zip(segments, moves, strict=True)
        if (terms := segment.terms_at(path)) is not None
    ]
    text_pairs = [_moved_pairs(terms.text_pairs, move) for terms, move in parts]
    texts, numbers = _merged_texts(
        [terms for terms, _ in parts], [np.unique(values) for _, values in text_pairs]
    )
    renumbered = [
        renumber[values] for (_, values), renumber in zip(text_pairs, numbers, strict=True)
    ]
    return _Path(
        texts,
        _unique_pairs(
            np.concatenate([docids for docids, _ in text_pairs]), np.concatenate(renumbered)
        ),
        _merged_pairs([_moved_pairs(terms.numbers, move) for terms, move in parts]),
        _merged_pairs([_moved_pairs(terms.dates, move) for terms, move in parts]),
    )


def _moved_pairs(pairs: Pairs, move: Docids) -> tuple[Docids, Values]:
    docids = move if pairs.docids is None else move[pairs.docids]
    kept = docids != _GONE
    return docids[kept], pairs.values[kept]


def _merged_pairs(pairs: Sequence[tuple[Docids, Values]]) -> Pairs:
    return _sorted_pairs(
        np.concatenate([docids for docids, _ in pairs]),
        np.concatenate([values for _, values in pairs]),
    )


def _merged_texts(
    parts: Sequence[SegmentTerms], used: Sequence[Values]
) -> tuple[list[bytes], list[Values]]:
    """Give all texts that are used, in order, and the new number of each of a part's texts."""
    words = [list(terms.texts) for terms in parts]
    kept = [
        [each[number] for number in numbers.tolist()]
        for each, numbers in zip(words, used, strict=True)
    ]
    texts = sorted(set(chain.from_iterable(kept)))
    number_of = {text: number for number, text in enumerate(texts)}
    renumbering = []
    for each, some, numbers in zip(words, kept, used, strict=True):
        renumber = np.zeros(len(each), np.uint32)
        renumber[numbers] = np.fromiter(map(number_of.__getitem__, some), np.uint32, len(some))
        renumbering.append(renumber)
    return texts, renumbering


# --- writing ---


def _write(
    writer: SectionWriter,
    items: _Items,
    existing: Iterable[tuple[str, BitMap]],
    paths: Iterable[tuple[str, _Path]],
) -> None:
    ids, id_ends = _joined(items.ids)
    hashed = np.argsort(items.hashes)
    directory = Directory(
        ids=writer.add(ids),
        id_ends=writer.add(id_ends),
        hashes=writer.add(items.hashes[hashed]),
        hashed=writer.add(hashed.astype(np.uint32)),
        seqs=writer.add(items.seqs),
        sizes=writer.add(items.sizes),
        existing={path: writer.add(_packed(there)) for path, there in existing if there},
        paths={
            path: _write_path(writer, each, len(items.ids)) for path, each in paths if each.texts
        },
    )
    writer.finish(directory)


def _write_path(writer: SectionWriter, path: _Path, count: int) -> PathSections:
    texts, text_ends = _joined(path.texts)
    docids, numbers = path.text_pairs.docids, path.text_pairs.values
    assert docids is not None
    postings = docids[np.argsort(numbers, kind="stable")]
    lengths = np.bincount(numbers, minlength=len(path.texts))
    ends = np.cumsum(lengths)
    large = np.flatnonzero(lengths >= LARGE)
    maps = [
        _packed(bitmap_of(postings[ends[number] - lengths[number] : ends[number]]))
        for number in large.tolist()
    ]
    small = np.repeat(lengths < LARGE, lengths)
    return PathSections(
        texts=writer.add(texts),
        text_ends=writer.add(text_ends),
        postings=writer.add(postings[small]),
        ends=writer.add(np.cumsum(np.where(lengths < LARGE, lengths, 0)).astype(np.uint32)),
        large=writer.add(large.astype(np.uint32)),
        large_ends=writer.add(np.cumsum([len(each) for each in maps], dtype=np.int64)),
        large_maps=writer.add(b"".join(maps)),
        text_pairs=_write_pairs(writer, path.text_pairs, count),
        number_pairs=_write_pairs(writer, path.number_pairs, count),
        date_pairs=_write_pairs(writer, path.date_pairs, count),
    )


def _write_pairs(writer: SectionWriter, pairs: Pairs, count: int) -> PairSections:
    docids = pairs.docids
    assert docids is not None
    each_has_one = len(docids) == count and bool((docids == np.arange(count)).all())
    return PairSections(None if each_has_one else writer.add(docids), writer.add(pairs.values))


def _joined(texts: Sequence[bytes]) -> tuple[bytes, NDArray[np.int64]]:
    return b"".join(texts), np.cumsum([len(text) for text in texts], dtype=np.int64)


def _packed(docids: BitMap) -> bytes:
    docids.run_optimize()
    packed: bytes = docids.serialize()
    return packed


def build(job: Job) -> None:
    """Carry out a job; raises OSError or StartError."""
    with SectionWriter(Path(job.target)) as writer:
        if job.rows is not None:
            _from_rows(job.rows, writer)
        else:
            _from_segments(job.sources, writer)


def main() -> None:
    """Carry out the job that stands in the input."""
    os.nice(_NICE)
    gc.disable()  # there are no circles, and many objects
    try:
        build(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job))
    except (OSError, StartError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
