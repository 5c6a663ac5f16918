"""The key with which this control plane signs the audit trail, or why it has none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from control_plane.cli import audit_messages as am
from control_plane.cli.language import Message
from control_plane.cli.session import Session
from control_plane.drivers.world import Clock
from control_plane.journal.audit_key import signing_key
from control_plane.journal.audit_signing import Signer
from control_plane.model.errors import YuiError
from control_plane.model.operation import Event, Severity
from control_plane.store import Store


def audit_signer(
    session: Session,
    store: Store,
    clock: Clock,
    named: Path | None,
    previous: Path | None,
    *,
    lost: str | None,
) -> Signer | None:
    """None where there is no key to sign with: that is said here and told to everybody, and keeps
    nobody's servers from being looked after."""
    path = named or _default(store)
    if path is None:
        session.screen.note(am.NOT_SIGNING)
        return None
    try:
        key = signing_key(store, path, clock.now(), previous=previous, lost=lost)
    except YuiError as error:
        session.screen.note(Message(error.en, error.ja))
        kind = error.type.replace("-", ".", 1)
        told = Event(kind, "audit", clock.now(), Severity.CRITICAL, error.en, error.ja)
        # A state that takes nothing now is no reason not to look after anybody's servers.
        with suppress(YuiError), store.write() as tx:
            tx.add_event(told)
        return None
    session.screen.note(am.SIGNING, key=key.public, path=path)
    return Signer(store, clock, key)


def _default(store: Store) -> Path | None:
    named = os.environ.get("YUI_AUDIT_KEY")
    if named:
        return Path(named)
    return None if store.file is None else store.file.with_name(store.file.name + ".audit-key")
