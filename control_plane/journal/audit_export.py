"""The audit trail as lines of JSON, which whoever has them can check without Yui (audit_check.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from control_plane.drivers.world import Clock
from control_plane.journal.audit_check import FORMAT
from control_plane.journal.audit_signing import Signer
from control_plane.model.audit_chain import ALL, AuditRecord, export_statement, time_text
from control_plane.store import ChainEnd, Store

_AT_ONCE = 1000


def export(
    store: Store,
    clock: Clock,
    signer: Signer | None,
    chain: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[bytes]:
    """The lines of one chain, or of all. The first entry is the first that is no older than `since`,
    the last the last that is no newer than `until`; none between them is left out, whatever its time.
    What is added meanwhile is not in it."""
    return _Export(store, clock, signer, chain).lines(since, until)


class _Export:
    def __init__(self, store: Store, clock: Clock, signer: Signer | None, chain: str) -> None:
        self._store = store
        self._clock = clock
        self._signer = signer
        self._chain = chain
        self._digest = hashlib.sha256()
        self._lines = 0

    def lines(self, since: datetime | None, until: datetime | None) -> Iterator[bytes]:
        chain, at = self._chain, time_text(self._clock.now())
        with self._store.read() as tx:
            chains = [*tx.audit_ends()] if chain == ALL else [chain]
        if self._signer is not None:
            self._signer.sign(chains)
        with self._store.read() as tx:
            first, last = tx.audit_range(chain, since, until)
            keys, heads = tx.audit_keys(), tx.audit_heads(chain)
            anchors = {} if since is None else tx.audit_ends(chain, first - 1)
            ends = tx.audit_ends(chain, last)
        if self._signer is not None:
            # Whoever removed heads from the state has not removed these.
            heads = tuple({*heads, *self._signer.remembered(chain)})
        yield self._line(
            {
                "type": "export",
                "format": FORMAT,
                "of": chain,
                "at": at,
                "from": None if since is None else time_text(since),
                "to": None if until is None else time_text(until),
            }
        )
        for key in keys:
            yield self._line({"type": "key", **asdict(key)})
        for head in sorted(heads, key=lambda head: (head.chain, head.position)):
            # Without `until` also those behind the end, which would show that the end was removed.
            if until is None or head.position <= ends.get(head.chain, ChainEnd()).position:
                yield self._line({"type": "head", **asdict(head)})
        for name, end in sorted(anchors.items()):
            yield self._line(
                {"type": "anchor", "chain": name, "position": end.position, "hash": end.hash}
            )
        place = first - 1
        while place < last:
            with self._store.read() as tx:
                records = tx.audit_records(place, min(_AT_ONCE, last - place), chain)
            for record in records:
                yield self._line(self._entry(record))
            # Where all of a page was removed, what comes behind it is still shown.
            place = _place(records[-1], chain) if records else place + _AT_ONCE
        yield self._end(at)

    def _entry(self, record: AuditRecord) -> Mapping[str, object]:
        line = {"type": "entry", "entry": record.document, "hash": record.hash}
        if self._chain != ALL:
            return line
        over_all = {**line, "sequence": record.sequence, "link": record.link}
        return over_all if record.hardware is None else {**over_all, "hardware": record.hardware}

    def _line(self, document: Mapping[str, object]) -> bytes:
        line = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._digest.update(line)
        self._lines += 1
        return line

    def _end(self, at: str) -> bytes:
        lines, sha256 = self._lines, self._digest.hexdigest()
        key = None if self._signer is None else self._signer.key
        return self._line(
            {
                "type": "end",
                "lines": lines,
                "sha256": sha256,
                "at": at,
                "key": None if key is None else key.public,
                "signature": None
                if key is None
                else key.sign(export_statement(lines, sha256, at, key.public)),
            }
        )


def _place(record: AuditRecord, chain: str) -> int:
    return record.sequence if chain == ALL else record.position
