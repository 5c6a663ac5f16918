"""Trails of a real state, exported and forged."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from control_plane.drivers.simulated import SimulatedWorld
from control_plane.journal.audit_check import Verdict, check
from control_plane.journal.audit_export import export
from control_plane.journal.audit_key import signing_key
from control_plane.journal.audit_signing import Signer
from control_plane.model.access import AuditEntry, Role
from control_plane.model.audit_chain import ALL, START, AuditHead, entry_hash, link_hash
from control_plane.store import Store

MIKASA, UJI = "012220", "262048"
BEGIN = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass
class Trail:
    """A state with a key; `write` adds an entry a minute."""

    store: Store
    signer: Signer | None
    world: SimulatedWorld
    written: int = 0

    def write(self, tenants: Sequence[str | None]) -> None:
        for tenant in tenants:
            at = BEGIN + timedelta(minutes=self.written)
            self.written += 1
            with self.store.write() as tx:
                tx.add_audit(
                    AuditEntry(
                        at,
                        f"token-{self.written % 3}",
                        None if self.written % 5 == 0 else Role.OPERATOR,
                        tenant,
                        "server.stop",
                        f"server:{self.written}",
                        "done" if self.written % 4 else "server-not-found",
                        {"label": "当番", "status": self.written},
                        hardware={"target": "kyoto-2"} if self.written % 3 == 0 else None,
                    )
                )

    def export(self, chain: str = ALL, **when: datetime) -> list[bytes]:
        return list(export(self.store, self.world.clock, self.signer, chain, **when))


@contextmanager
def trail(folder: Path, *, key: bool = True):
    store = Store.open(f"sqlite:///{folder}/state.db")
    try:
        yield trail_on(store, folder / "audit.key" if key else None)
    finally:
        store.close()


def trail_on(store: Store, key: Path | None) -> Trail:
    world = SimulatedWorld()
    if key is None:
        return Trail(store, None, world)
    now = world.clock.now()
    return Trail(store, Signer(store, world.clock, signing_key(store, key, now)), world)


def documents(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def lines_of(documents: Sequence[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in documents]


def without_end(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As read off the state rather than out of a file: with nothing that signs the lines themselves."""
    return [copy.deepcopy(each) for each in documents if each["type"] != "end"]


def kinds(documents: Sequence[dict[str, Any]], **known: Any) -> set[str]:
    """What is found, but for the lacking last line."""
    return {f.kind for f in judged(documents, **known).findings} - {"cut-off"}


def judged(documents: Sequence[dict[str, Any]], **known: Any) -> Verdict:
    return check(lines_of(documents), **known)


def rechained(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a forger makes of it who can write everything but has no key: every hash is right again."""
    ends: dict[str, tuple[int, str]] = {}
    link, sequences = START, itertools.count(1)
    again = copy.deepcopy(list(documents))
    for line in again:
        if line["type"] != "entry":
            continue
        document = line["entry"]
        place, hash = ends.get(document["chain"], (0, START))
        document["position"] = place + 1
        line["hash"] = entry_hash(hash, document)
        ends[document["chain"]] = (place + 1, line["hash"])
        if "link" in line:
            line["sequence"] = next(sequences)
            link = line["link"] = link_hash(
                link, line["sequence"], document["chain"], place + 1, line["hash"]
            )
    return again


def head_in(line: dict[str, Any]) -> AuditHead:
    return AuditHead(**{name: value for name, value in line.items() if name != "type"})
