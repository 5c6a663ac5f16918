"""How the command line asks before it removes, shows a rehearsal, and tells what a change came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from control_plane.cli import lifecycle_messages as lm
from control_plane.cli.language import Message
from control_plane.cli.operations import follow, raise_if_failed
from control_plane.cli.options import confirm_or_abort
from control_plane.cli.output import Column
from control_plane.cli.session import Session, read
from control_plane.journal.models import OperationOut
from control_plane.pool.plan import CertificateChange, ChangePlan, Difference, Rehearsal


class _Rehearsal(Rehearsal):
    """Some warn besides."""

    warnings: list[dict[str, str]] = Field(default_factory=list)


def remove_after_asking(
    session: Session,
    path: str,
    question: Message,
    *,
    yes: bool,
    dry_run: bool,
    **values: object,
) -> Any:
    """The answer to having it removed, which a person is asked about first, unless it is a rehearsal. Raises Abort
    where the person says no, and YuiError."""
    confirm_or_abort(session, question, yes=yes or dry_run, **values)
    return session.api.delete(path, dry_run=dry_run)


def tell(
    session: Session,
    document: Any,
    done: Message,
    *,
    dry_run: bool = False,
    **values: object,
) -> None:
    """What a change came to that is done at once: the answer itself for a program, what a rehearsal would change,
    or `done`."""
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(done, **values)


def shown(session: Session, document: Any, *, dry_run: bool = False) -> bool:
    """As `tell`, where more is to be said of what was done: that is left where this is False."""
    if session.screen.json:
        session.screen.data(document)
    elif dry_run:
        plan = read(_Rehearsal, document)
        show_difference(session, plan.diff)
        for warning in plan.warnings:
            session.screen.line(session.sentence(warning["en"], warning["ja"]))
    return session.screen.json or dry_run


def finish(session: Session, document: Any, *, wait: bool, dry_run: bool) -> None:
    """Show what a request was answered with: the plan of a rehearsal, or the operation, once it is done
    where that is to be waited for. Raises YuiError where it failed."""
    if dry_run:
        show_rehearsal(session, document)
        return
    operation = read(OperationOut, document)
    if wait:
        goes_on = session.screen.text(lm.GOES_ON, operation=operation.id)
        document = follow(session, document, goes_on=goes_on)
    if session.screen.json:
        session.screen.data(document)
    raise_if_failed(session, read(OperationOut, document))
    if not session.screen.json:
        if wait:
            session.screen.say(lm.ALL_DONE)
        else:
            session.screen.say(lm.ASKED, operation=operation.id)


def show_rehearsal(session: Session, document: Any) -> None:
    if session.screen.json:
        session.screen.data(document)
    else:
        show_plan(session, read(ChangePlan, document))


def show_plan(session: Session, plan: ChangePlan) -> None:
    show_difference(session, plan.diff)
    session.screen.say(
        lm.COST,
        vcpus=f"{plan.capacity.vcpus:+d}",
        memory=f"{plan.capacity.memory_mib / 1024:+.1f}",
        disk=f"{plan.capacity.disk_gib:+d}",
    )
    show_promise(session, plan.certificate)


def show_promise(session: Session, promise: CertificateChange) -> None:
    """What becomes of it by a change."""
    if promise.valid:
        session.screen.say(
            lm.PROMISE_HOLDS,
            count=promise.refuges_changed,
            before=promise.reserve_hosts_before,
            after=promise.reserve_hosts_after,
        )
    else:
        session.screen.say(lm.PROMISE_BROKEN)


def show_difference(session: Session, diff: Sequence[Difference]) -> None:
    """What a rehearsal would change, for people."""
    if not diff:
        session.screen.say(lm.NOTHING_CHANGES)
        return
    session.screen.table(
        [Column(lm.WHAT), Column(lm.CHANGE)],
        [(one["path"].lstrip("/"), _change(session, one)) for one in diff],
    )


def _change(session: Session, one: Difference) -> str:
    if one["op"] == "replace":
        return session.screen.text(lm.REPLACED, before=one["from"], to=one["to"])
    return session.screen.text(lm.ADDED if one["op"] == "add" else lm.REMOVED)
