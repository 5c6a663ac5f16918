"""Signs where the chains of the audit trail stand, so that what was signed can't be rewritten unseen.

Before a head is signed, what was added since the last one is followed: nobody gets a signature under
a chain that was edited behind the control plane's back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from control_plane.drivers.world import Clock
from control_plane.journal.audit_findings import chain_en, chain_ja
from control_plane.journal.audit_key import SigningKey
from control_plane.model.audit_chain import (
    ALL,
    START,
    AuditHead,
    AuditRecord,
    entry_hash,
    head_statement,
    link_hash,
    time_text,
)
from control_plane.model.errors import YuiError
from control_plane.model.operation import Event, Severity
from control_plane.model.units import Seconds
from control_plane.store import ChainEnd, LostRace, Snapshot, Store, Transaction

EVERY = Seconds(300)
LEASE = "audit-heads"

_AT_ONCE = 1000


@dataclass(slots=True)
class Signer:
    """One per process; safe to use from several threads, which go one after the other."""

    store: Store
    clock: Clock
    key: SigningKey
    _signed: dict[str, AuditHead] = field(default_factory=dict)
    """What this process signed last: heads that somebody removes from the state still count here."""
    _told: set[tuple[str, int]] = field(default_factory=set)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def sign(
        self, chains: Iterable[str] | None = None, *, tell: bool = False
    ) -> tuple[AuditHead, ...]:
        """Sign the chains that were added to since their last heads: those, or all. With `tell`, the
        head of the chain over all, which covers every other, is told as an event."""
        with self._turn:
            try:
                with self.store.read() as tx:
                    heads, edited = self._heads(tx, chains)
                if heads or edited:
                    with self.store.write() as writing:
                        self._keep(writing, heads, edited, tell=tell)
                    self._signed |= {head.chain: head for head in heads}
            except LostRace:
                # Another control plane has signed the same, or will at its next turn.
                return ()
            return heads

    def remembered(self, chain: str) -> tuple[AuditHead, ...]:
        """The last heads that this process signed, of that chain, or where it is the one over all, of
        every chain."""
        heads = tuple(self._signed.values())
        return heads if chain == ALL else tuple(head for head in heads if head.chain == chain)

    def _heads(
        self, tx: Snapshot, chains: Iterable[str] | None
    ) -> tuple[tuple[AuditHead, ...], list[tuple[str, int]]]:
        """What can be signed, and for each chain that can't, the first place that is wrong."""
        ends = tx.audit_ends()
        last = {head.chain: head for head in tx.audit_heads(latest=True)}
        for remembered in self._signed.values():
            chain = remembered.chain
            if chain not in last or last[chain].position < remembered.position:
                last[chain] = remembered
        asked = sorted({*ends, *last} if chains is None else chains)
        now = time_text(self.clock.now())
        heads: list[AuditHead] = []
        edited: list[tuple[str, int]] = []
        for chain in asked:
            end, head = ends.get(chain, ChainEnd()), last.get(chain)
            stood = ChainEnd() if head is None else ChainEnd(head.position, head.hash)
            if end == stood:
                continue
            wrong = _first_wrong(tx, chain, head)
            if wrong is not None:
                edited.append((chain, wrong))
                continue
            statement = head_statement(chain, end.position, end.hash, now, self.key.public)
            heads.append(
                AuditHead(
                    chain, end.position, end.hash, now, self.key.public, self.key.sign(statement)
                )
            )
        return tuple(heads), edited

    def _keep(
        self,
        tx: Transaction,
        heads: tuple[AuditHead, ...],
        edited: list[tuple[str, int]],
        *,
        tell: bool,
    ) -> None:
        for head in heads:
            tx.add_audit_head(head)
            if tell and head.chain == ALL:
                tx.add_event(_signed(head, self.clock))
        for chain, position in edited:
            if (chain, position) not in self._told:
                self._told.add((chain, position))
                tx.add_event(_edited(chain, position, self.clock))


def keep_signed(
    signer: Signer, holder: str, every: Seconds = EVERY
) -> Callable[[threading.Event], None]:
    """Work for the background: one of the control planes signs, at once and then every so often."""

    def work(stop: threading.Event) -> None:
        while True:
            try:
                ttl = Seconds(2 * every)
                if signer.store.acquire_lease(LEASE, holder, ttl, signer.clock.now()):
                    signer.sign(tell=True)
            except YuiError as error:
                # The state may be away for a while; what is not signed now is signed next time.
                structlog.get_logger("yui.journal").warning("not signed", reason=error.en)
            if stop.wait(every):
                return

    return work


def _first_wrong(tx: Snapshot, chain: str, head: AuditHead | None) -> int | None:
    """The first place since `head` (its own among them) that does not follow from the one before."""
    place, hash = 0, START
    if head is not None:
        place, hash = head.position, head.hash
        standing = tx.audit_records(place - 1, 1, chain)
        if not standing or _place(standing[0], chain) != (place, hash):
            return place
    while records := tx.audit_records(place, _AT_ONCE, chain):
        for record in records:
            right = _next(record, chain, hash)
            if _place(record, chain) != (place + 1, right):
                return place + 1
            place, hash = place + 1, right
    return None


def _place(record: AuditRecord, chain: str) -> tuple[object, str]:
    if chain == ALL:
        return record.sequence, record.link
    return record.document["position"], record.hash


def _next(record: AuditRecord, chain: str, previous: str) -> str:
    """The hash that should stand there; none for an entry that can't be one."""
    try:
        if chain != ALL:
            return entry_hash(previous, record.document)
        return link_hash(previous, record.sequence, record.chain, record.position, record.hash)
    except ValueError:
        return ""


def _signed(head: AuditHead, clock: Clock) -> Event:
    return Event(
        "audit.signed",
        "audit",
        clock.now(),
        Severity.INFO,
        f"The audit trail stands at entry {head.position} with the hash {head.hash}; keep this with its signature to prove later that nothing before it was changed.",
        f"監査記録は {head.position} 番目、ハッシュ {head.hash} まで署名されました。署名とともに保管すれば、以前の記録が変更されていないことを後で証明できます。",
        fields={
            "chain": head.chain,
            "position": head.position,
            "hash": head.hash,
            "at": head.at,
            "key": head.key,
            "signature": head.signature,
        },
    )


def _edited(chain: str, position: int, clock: Clock) -> Event:
    return Event(
        "audit.edited",
        "audit",
        clock.now(),
        Severity.CRITICAL,
        f"The audit trail was edited: {chain_en(chain)} is not as it was written at entry {position}, so it is not signed any more; run 'yui audit verify'.",
        f"監査記録が書き換えられています。{chain_ja(chain)}の {position} 番目が書かれたときのままではないため、署名を停止しました。「yui audit verify」を実行してください。",
        fields={"chain": chain, "position": position},
    )
