"""The check of an exported audit trail, which needs nothing but the file and a public key.

It reads lines (docs/audit-format.md) and tells every place where they are not what was written. It
knows neither the state nor the API, only the encoding (model/audit_chain.py) and its own sentences
(audit_findings.py), so that an auditor can read all of it.

An entry holds if its hash follows from the entry before; a chain as a whole holds if signed heads say
the same, which nobody without the private key can make them say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from control_plane.journal import audit_findings as found
from control_plane.journal.audit_findings import Finding, Note, chain_en, chain_ja
from control_plane.model.audit_chain import (
    ALL,
    CONSORTIUM,
    START,
    AuditHead,
    AuditKey,
    entry_hash,
    export_statement,
    hardware_hash,
    head_statement,
    key_statement,
    link_hash,
)

FORMAT = "yui-audit-1"
KEY_INTRODUCED = "audit.key"
"""The action of the entry that tells of a new key."""
_MOST_OF_A_KIND = 3


@dataclass(frozen=True, slots=True)
class Covered:
    """What of a chain was checked: places `first` to `last`, signed up to `signed` (0 for not)."""

    first: int
    last: int
    signed: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`more` counts findings like those that are listed. `keys` are those that were trusted."""

    findings: tuple[Finding, ...]
    more: int
    notes: tuple[Note, ...]
    entries: int
    chains: Mapping[str, Covered]
    keys: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.findings


@dataclass(slots=True)
class _Chain:
    """How far a chain was read. After an entry that doesn't hold, the next may follow from the hash
    that stands there or from the one that should: so one change is one finding."""

    first: int = 1
    position: int = 0
    hashes: tuple[str, ...] = (START,)
    signed: int = 0


@dataclass(slots=True)
class _Check:
    pinned: Sequence[str]
    kept: Sequence[AuditHead]
    of: str | None = None
    since: object = None
    until: object = None
    keys: list[AuditKey] = field(default_factory=list)
    trusted: set[str] | None = None
    heads: dict[tuple[str, int], list[AuditHead]] = field(default_factory=dict)
    chains: dict[str, _Chain] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    notes: list[Note] = field(default_factory=list)
    entries: int = 0

    def __post_init__(self) -> None:
        for head in self.kept:
            self._expect(head)

    def line(self, line: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError where the line is none."""
        match line["type"]:
            case "export" if line["format"] == FORMAT and self.of is None:
                self.of, self.since, self.until = str(line["of"]), line["from"], line["to"]
            case "key":
                self.keys.append(_values(AuditKey, line))
            case "head":
                self._head(_values(AuditHead, line))
            case "anchor" if self.since is not None and line["chain"] not in self.chains:
                position, hash = _place(line["position"]), str(line["hash"])
                chain = self.chains[line["chain"]] = _Chain(position + 1, position, (hash,))
                self._compare(line["chain"], position, hash, chain)
            case "entry":
                self._entry(line)
            case _:
                raise ValueError("a line of this type has no place here")

    def _entry(self, line: Mapping[str, Any]) -> None:
        document, hash = line["entry"], str(line["hash"])
        name, position = str(document["chain"]), _place(document["position"])
        self.entries += 1
        if self.of not in (ALL, name):
            self.tell(found.foreign(document, str(self.of)))
            return
        chain = self.chains.setdefault(name, _Chain())
        self._follow(chain, name, document, hash, position)
        if "hardware" in line and hardware_hash(line["hardware"]) != document["hardware"]:
            self.tell(found.hardware_changed(document, name, position))
        if self.of == ALL:
            self._link(line, name, position, hash, document)
        if document["action"] == KEY_INTRODUCED and name == CONSORTIUM:
            fields = document["fields"]
            self.told.add(str(fields["public"]) if isinstance(fields, dict) else "")

    def _follow(
        self, chain: _Chain, name: str, document: Mapping[str, object], hash: str, position: int
    ) -> None:
        if position <= chain.position:
            self.tell(found.out_of_order(document, name, position))
            return
        right = [entry_hash(previous, document) for previous in chain.hashes]
        if position > chain.position + 1:
            self.tell(found.removed(name, chain.position + 1, position - 1))
        elif hash not in right:
            self.tell(found.changed(document, name, position))
        chain.position = position
        chain.hashes = _usable(hash, right)
        self._compare(name, position, hash, chain)

    def _link(
        self, line: Mapping[str, Any], name: str, position: int, hash: str, document: Any
    ) -> None:
        sequence, link = _place(line["sequence"]), str(line["link"])
        over_all = self.chains.setdefault(ALL, _Chain())
        if sequence <= over_all.position:
            self.tell(found.out_of_order(document, ALL, sequence))
            return
        right = [link_hash(before, sequence, name, position, hash) for before in over_all.hashes]
        if sequence > over_all.position + 1:
            self.tell(found.removed(ALL, over_all.position + 1, sequence - 1))
        elif link not in right:
            self.tell(found.unlinked(document, sequence))
        over_all.position = sequence
        over_all.hashes = _usable(link, right)
        self._compare(ALL, sequence, link, over_all)

    def _compare(self, name: str, position: int, hash: str, chain: _Chain) -> None:
        for head in self.heads.pop((name, position), ()):
            if head.hash == hash:
                chain.signed = position
            else:
                self.tell(found.rewritten(name, head))

    def _head(self, head: AuditHead) -> None:
        statement = head_statement(head.chain, head.position, head.hash, head.at, head.key)
        if not _signed(statement, head.signature, head.key):
            self.tell(found.head_forged(head))
        elif head.key not in self._trusted():
            self.tell(found.head_by_stranger(head))
        else:
            self._expect(head)

    def _expect(self, head: AuditHead) -> None:
        self.heads.setdefault((head.chain, head.position), []).append(head)

    def _trusted(self) -> set[str]:
        """The keys that count: those that were named, or else the first one; and whoever they vouch
        for, or is vouched for by. Keys stand before heads."""
        if self.trusted is not None:
            return self.trusted
        right = []
        for key in self.keys:
            statement = key_statement(key.public, key.at, key.vouched_by)
            if _signed(statement, key.signature, key.vouched_by) and _signed(
                statement, key.own_signature, key.public
            ):
                right.append(key)
            else:
                self.tell(found.key_forged(key.public))
        names = {key.public for key in right}
        trusted = set(self.pinned) or {key.public for key in right[:1]}
        for _ in right:
            for key in right:
                if trusted & {key.public, key.vouched_by}:
                    trusted |= {key.public, key.vouched_by}
        for public in sorted(names - trusted):
            self.tell(found.key_by_stranger(public))
        for public in sorted(set(self.pinned) - names):
            self.tell(found.pinned_key_gone(public))
        self.trusted = trusted
        return trusted

    def finish(self) -> None:
        trusted = self._trusted()
        for (name, position), heads in sorted(self.heads.items()):
            chain = self.chains.get(name, _Chain())
            outside = self.of not in (ALL, name)
            before = position < chain.first
            beyond = position > chain.position
            if outside or before or (beyond and self.until is not None):
                if any(head in self.kept for head in heads):
                    self.notes.append(_not_in_here(heads[0]))
            elif beyond:
                self.tell(found.tail_removed(name, chain.position, heads[0]))
        if self.of == ALL and self.since is None and self.until is None:
            for key in self.keys:
                if key.public not in self.told:
                    self.tell(found.key_untold(key.public))
        if not self.pinned and trusted:
            self.notes.append(_on_trust(sorted(trusted)[0]))
        for name, chain in sorted(self.chains.items()):
            if chain.first > 1:
                self.notes.append(_begins_late(name, chain.first))
            if chain.position > chain.signed:
                self.notes.append(_not_signed(name, chain.signed + 1, chain.position))

    def tell(self, finding: Finding) -> None:
        like = sum(f.kind == finding.kind and f.chain == finding.chain for f in self.findings)
        if like < _MOST_OF_A_KIND:
            self.findings.append(finding)
        else:
            self.more += 1


def check(
    lines: Iterable[bytes], *, pinned: Sequence[str] = (), kept: Sequence[AuditHead] = ()
) -> Verdict:
    """Read an export's lines, newlines included. `pinned` are public keys that the caller trusts,
    `kept` heads that were kept elsewhere."""
    state = _Check(pinned, kept)
    digest, number, ended = hashlib.sha256(), 0, False
    for number, line in enumerate(lines, start=1):
        try:
            said = json.loads(line)
            if ended or (number == 1) != (said["type"] == "export"):
                raise ValueError("a line stands where none may be")
            if said["type"] == "end":
                ended = True
                _end(state, said, number - 1, digest.hexdigest())
            else:
                state.line(said)
        except (KeyError, TypeError, ValueError, RecursionError):
            state.tell(found.unreadable(number))
        digest.update(line)
    if not ended:
        state.tell(found.cut_off())
    state.finish()
    return Verdict(
        findings=tuple(state.findings),
        more=state.more,
        notes=tuple(state.notes),
        entries=state.entries,
        chains={
            name: Covered(chain.first, chain.position, chain.signed)
            for name, chain in sorted(state.chains.items())
        },
        keys=tuple(sorted(state.trusted or ())),
    )


def _end(state: _Check, said: Mapping[str, Any], lines: int, sha256: str) -> None:
    if said["key"] is None:
        if state.keys or state.pinned:
            state.tell(found.unsigned())
        else:
            state.notes.append(_no_key())
        return
    statement = export_statement(said["lines"], said["sha256"], said["at"], said["key"])
    right = _signed(statement, said["signature"], said["key"])
    if not right or said["key"] not in state._trusted():
        state.tell(found.unsigned())
    if (said["lines"], said["sha256"]) != (lines, sha256):
        state.tell(found.file_changed())


def _usable(stands: str, right: Sequence[str]) -> tuple[str, ...]:
    """From which hashes the next entry may follow."""
    if stands in right:
        return (stands,)
    is_hash = len(stands) == len(START) and set(stands) <= set("0123456789abcdef")
    return (stands, *right) if is_hash else tuple(right)


def _signed(statement: bytes, signature: str, key: str) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), statement)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _values(kind: Any, line: Mapping[str, Any]) -> Any:
    values = {name: value for name, value in line.items() if name != "type"}
    if any(not isinstance(v, str) for name, v in values.items() if name != "position"):
        raise ValueError("a value is no text")
    if "position" in values:
        _place(values["position"])
    return kind(**values)


def _place(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no place in a chain")
    return value


def _on_trust(key: str) -> Note:
    return Note(f"The key {key} was taken from the trail itself: compare it with the one you know, or name it with --key.", f"鍵 {key} は記録自体から取ったものです。控えてある鍵と照合するか、--key で指定してください。")  # fmt: skip


def _not_signed(chain: str, first: int, last: int) -> Note:
    return Note(f"Entries {first} to {last} of {chain_en(chain)} are behind the last signed head.", f"{chain_ja(chain)}の {first}〜{last} 番目は、最後の署名より後の記録です。")  # fmt: skip


def _begins_late(chain: str, first: int) -> Note:
    return Note(f"Of {chain_en(chain)} only entries from {first} on were checked.", f"{chain_ja(chain)}は {first} 番目以降だけを確認しました。")  # fmt: skip


def _not_in_here(head: AuditHead) -> Note:
    return Note(f"The head of {chain_en(head.chain)} at {head.position} could not be compared: that place is not in this export.", f"{chain_ja(head.chain)}の {head.position} 番目は書き出しに含まれないため、照合できませんでした。")  # fmt: skip


def _no_key() -> Note:
    return Note("Nothing here is signed, so a trail that was rewritten as a whole would not show.", "署名がないため、全体が書き直されていてもわかりません。")  # fmt: skip
