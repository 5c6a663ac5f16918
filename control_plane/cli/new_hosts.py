"""Waits until new hosts are used, or until it is known why one is not: whoever has described a machine wants to know
whether it answers.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from control_plane.cli import messages as m
from control_plane.cli.operations import patiently
from control_plane.cli.session import Session, read
from control_plane.journal.models import EventOut, Events
from control_plane.model.errors import YuiError
from control_plane.pool.models import HostOut

_KEPT_OUT_BY = ("host.unreachable", "host.not-clean", "host.cleaning-failed")
_PATIENCE = 120.0
"""Seconds: a new leader takes over within them, and a connection that says nothing is given up."""


def wait_for_hosts(session: Session, wanted: Collection[str]) -> None:
    """Raises `hosts-not-used` (503) with the reasons."""
    give_up = time.monotonic() + _PATIENCE
    session.underway = session.screen.text(m.HOSTS_GO_ON)
    with session.screen.progress(session.screen.text(m.HOSTS_WAITED_FOR), len(wanted)) as bar:
        while True:
            waiting = _unused(session, wanted)
            bar.at(len(wanted) - len(waiting), len(wanted))
            told = _reasons(session, waiting)
            if len(told) == len(waiting) or time.monotonic() > give_up:
                break
            time.sleep(1)
    session.underway = None
    if waiting:
        raise _not_used(waiting, told)


def _unused(session: Session, wanted: Collection[str]) -> dict[str, HostOut]:
    hosts = (read(HostOut, each) for each in session.api.every("/v1/hosts"))
    return {host.id: host for host in hosts if host.id in wanted and host.health == "cleaning"}


def _reasons(session: Session, waiting: Mapping[str, HostOut]) -> dict[str, EventOut]:
    """The newest word on each of them."""
    if not waiting:
        return {}
    events = read(Events, patiently(session, "/v1/events", newest=True, limit=1000)).items
    told = ((event.subject.removeprefix("host:"), event) for event in events)
    return {
        host: event
        for host, event in told
        if event.kind in _KEPT_OUT_BY and host in waiting and event.at >= waiting[host].health_since
    }


def _not_used(waiting: Collection[str], told: Mapping[str, EventOut]) -> YuiError:
    unheard = [host for host in waiting if host not in told]
    en = [event.en for event in told.values()]
    ja = [event.ja for event in told.values()]
    if unheard:
        names = ", ".join(unheard)
        en.append(f"Nobody has looked at {names} within {_PATIENCE:.0f} seconds: see the events.")
        ja.append(
            f"{names} は {_PATIENCE:.0f} 秒以内に確認されませんでした。イベントを確認してください。"
        )
    return YuiError(
        "hosts-not-used",
        en=" ".join(en),
        ja="".join(ja),
        status=503,
        fields={"hosts": list(waiting)},
    )
