"""`yui audit`: who did what, to read, to take away, and to check that nobody edited it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from control_plane.cli import audit_messages as am
from control_plane.cli import messages as m
from control_plane.cli.exit_codes import ExitCode
from control_plane.cli.output import Column, local_time
from control_plane.cli.session import Session, read, session_of
from control_plane.journal.models import Audit, AuditHeads, AuditOut
from control_plane.model.audit_chain import AuditHead
from control_plane.model.errors import YuiError

if TYPE_CHECKING:
    from control_plane.journal.audit_check import Verdict

app = typer.Typer(
    no_args_is_help=True, help="The audit trail: who did what, and whether somebody edited that."
)

_PAGE = 1000
_LONGEST_LINE = 4_000_000
_LONGEST_HEADS = 50_000_000
_HEAD = {"chain", "position", "hash", "at", "key", "signature"}

Chain = Annotated[
    str | None, typer.Option(help="all, consortium, or member:CODE. Without it: all that is yours.")
]


@app.command("list")
def list_(
    context: typer.Context,
    chain: Chain = None,
    limit: Annotated[int, typer.Option(help="The newest this many.", min=1, max=100_000)] = 50,
) -> None:
    """List the newest entries, what was refused among them."""
    session = session_of(context)
    documents = _newest(session, chain, limit)
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [
            Column(am.NUMBER, "right"),
            Column(m.TIME),
            Column(am.BY),
            Column(am.ACTION),
            Column(m.SUBJECT),
            Column(am.OUTCOME),
            Column(m.MEMBER),
        ],
        [
            (
                str(entry.sequence),
                local_time(str(entry.at)),
                str((entry.fields or {}).get("label") or entry.principal),
                entry.action,
                entry.subject,
                entry.outcome,
                entry.tenant or "-",
            )
            for entry in (read(AuditOut, document) for document in documents)
        ],
    )


@app.command()
def heads(context: typer.Context, chain: Chain = None) -> None:
    """Show where the trail stood when it was signed last. Keep --json of it elsewhere, for 'verify --head'."""
    session = session_of(context)
    document = session.api.get("/v1/audit/heads", chain=chain)
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(AuditHeads, document)
    if not found.items:
        session.screen.say(am.NO_HEADS)
        return
    session.screen.table(
        [
            Column(am.CHAIN),
            Column(am.NUMBER, "right"),
            Column(am.HASH),
            Column(m.TIME),
            Column(am.KEY),
        ],
        [(h.chain, str(h.position), h.hash, local_time(h.at), h.key) for h in found.items],
    )


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The new file to write.", metavar="FILE")],
    chain: Chain = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Begin with the first entry of this time.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="End with the last entry of this time.")
    ] = None,
) -> None:
    """Write the trail to a file (JSON Lines), signed, that can be checked without Yui."""
    session = session_of(context)
    lines = session.api.lines("/v1/audit/export", **_query(chain, since, until))
    count = _write(file, lines)
    if session.screen.json:
        session.screen.data({"path": str(file), "lines": count})
    else:
        session.screen.say(am.EXPORTED, path=file, lines=count)


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="An exported trail. Without it: the one of the API.", metavar="FILE"),
    ] = None,
    chain: Chain = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="A public key that you trust: 64 hexadecimal figures, or a PEM file; repeatable."
        ),
    ] = None,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of heads that you kept: what 'heads --json' prints, or a head alone; repeatable."
        ),
    ] = None,
) -> None:
    """Find any edit of the trail. Ends with 1 where there is one."""
    session = session_of(context)
    pinned = [_key(each) for each in key or ()]
    kept = [each for path in head or () for each in _heads(path)]
    if file is None:
        lines = session.api.lines("/v1/audit/export", **_query(chain, None, None))
    else:
        lines = _lines(file)
    # Cryptography is loaded where it is needed: most commands do without.
    from control_plane.journal.audit_check import check  # noqa: PLC0415

    verdict = check(lines, pinned=pinned, kept=kept)
    _show(session, verdict)
    if not verdict.whole:
        raise typer.Exit(ExitCode.FAILED)


def _newest(session: Session, chain: str | None, limit: int) -> list[dict[str, Any]]:
    pages: list[list[dict[str, Any]]] = []
    before: int | None = None
    missing = limit
    while missing > 0:
        answer = session.api.get(
            "/v1/audit", chain=chain, newest=True, before=before, limit=min(missing, _PAGE)
        )
        page = read(Audit, answer)
        pages.append([entry.model_dump(mode="json") for entry in page.items])
        missing -= len(page.items)
        before = page.previous
        if before is None:
            break
    return [document for page in reversed(pages) for document in page]


def _show(session: Session, verdict: Verdict) -> None:
    screen = session.screen
    if screen.json:
        document = asdict(verdict)
        screen.data({"whole": verdict.whole, **document})
        return
    if verdict.whole:
        chains = [name for name in verdict.chains if name != "all"]
        screen.say(am.WHOLE, entries=verdict.entries, chains=len(chains))
    else:
        screen.say(am.EDITED)
        for finding in verdict.findings:
            screen.line(session.sentence(finding.en, finding.ja))
        if verdict.more:
            screen.say(am.MORE, more=verdict.more)
    for note in verdict.notes:
        screen.note(am.NOTE, text=session.sentence(note.en, note.ja))


def _query(
    chain: str | None, since: datetime | None, until: datetime | None
) -> dict[str, str | None]:
    """Times without a zone are this machine's."""
    return {
        "chain": chain,
        "from": None if since is None else since.astimezone().isoformat(),
        "to": None if until is None else until.astimezone().isoformat(),
    }


def _write(path: Path, lines: Iterator[bytes]) -> int:
    """Raises `export-unwritable`; what was begun is gone again then."""
    count = 0
    try:
        with path.open("xb") as file:
            try:
                for line in lines:
                    file.write(line)
                    count += 1
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise YuiError(
            "export-unwritable",
            en=f"{path} can't be written ({error.strerror}): name a new file in a folder of yours.",
            ja=f"{path} に書き込めません({error.strerror})。書き込めるフォルダーの新しいファイル名を指定してください。",
        ) from None
    return count


def _lines(path: Path) -> Iterator[bytes]:
    """Raises `file-unreadable`."""
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                yield line
    except OSError as error:
        raise _unreadable(path, error.strerror or "?", error.strerror or "?") from None


def _heads(path: Path) -> Sequence[AuditHead]:
    """Heads wherever they stand in a JSON document: alone, in a list, in an event's fields."""
    try:
        with path.open("rb") as file:
            found = list(_heads_in(json.loads(file.read(_LONGEST_HEADS))))
    except OSError as error:
        raise _unreadable(path, error.strerror or "?", error.strerror or "?") from None
    except (ValueError, RecursionError):
        found = []
    if not found:
        raise _unreadable(path, "it holds no head", "署名された末尾の情報がありません")
    return found


def _heads_in(value: object) -> Iterator[AuditHead]:
    if isinstance(value, dict):
        if value.keys() >= _HEAD and isinstance(value["position"], int):
            yield AuditHead(**{name: value[name] for name in _HEAD})
        else:
            for each in value.values():
                yield from _heads_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _heads_in(each)


def _key(named: str) -> str:
    """The 64 figures. Raises `file-unreadable`."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", named):
        return named.lower()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    path = Path(named)
    try:
        key: object = load_pem_public_key(path.read_bytes()[:10_000])
    except OSError as error:
        raise _unreadable(path, error.strerror or "?", error.strerror or "?") from None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _unreadable(path, "it holds no public Ed25519 key", "Ed25519 の公開鍵がありません")
    return key.public_bytes_raw().hex()


def _unreadable(path: Path, en: str, ja: str) -> YuiError:
    return YuiError(
        "file-unreadable",
        en=f"{path} can't be used: {en}.",
        ja=f"{path} を使えません。{ja}。",
        status=404,
    )
