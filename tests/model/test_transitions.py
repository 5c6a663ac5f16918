"""Unsafe transitions of hosts and servers can't be written down."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mypy import api as mypy

from control_plane.model.fence import FenceEvidence, FenceKind, FenceMethod, FenceWord
from control_plane.model.host_health import Confirmed, Fenced, Suspect, Up
from control_plane.model.ids import HostId
from control_plane.model.workload import Moving, Placed, Stranded

AT = datetime(2026, 4, 1, tzinfo=UTC)
A, B = HostId("a"), HostId("b")


def evidence(host: HostId) -> FenceEvidence:
    return FenceEvidence(host, FenceKind.REDFISH_POWER_OFF, AT, "BMC", "read back as off")


HEADER = """
from datetime import datetime
from control_plane.model.fence import FenceEvidence
from control_plane.model.host_health import Cleaning, Confirmed, Fenced, Suspect, Up
from control_plane.model.ids import HostId
from control_plane.model.membership import (
    Applied, Approved, Connected, Hosted, Person, Rejected, Withdrawn
)
from control_plane.model.workload import Moving, Placed, Shelved, Stranded
def f(at: datetime, e: FenceEvidence, h: HostId, up: Up, suspect: Suspect, confirmed: Confirmed,
      fenced: Fenced, cleaning: Cleaning, placed: Placed, moving: Moving, stranded: Stranded,
      shelved: Shelved, applied: Applied, approved: Approved, connected: Connected, hosted: Hosted, p: Person,
      rejected: Rejected, withdrawn: Withdrawn) -> None:
"""

FORBIDDEN = {
    "a host that is merely suspect is not fenced": "suspect.fence(e)",
    "a host that is well is not fenced": "up.fence(e)",
    "a host is not confirmed dead at first suspicion": "up.confirm(at, 'x')",
    "a fenced host does not simply go on": "fenced.answered(at)",
    "a fenced host is not used before it is cleaned": "fenced.cleaned(at)",
    "a host being cleaned is not suspected": "cleaning.suspect(at, 'x')",
    "a confirmed host is not fenced without evidence": "confirmed.fence()",
    "a server does not leave its host without evidence": "placed.evacuate(h)",
    "a placed server does not simply appear elsewhere": "placed.rehome(h)",
    "a moving server is not evacuated as if it stood": "moving.evacuate(e, h)",
    "a stranded server has no move to end": "stranded.arrived()",
    "a server on its way is not shelved": "moving.put_away()",
    "a shelved server needs no fence to be started": "shelved.rehome(h)",
    "a shelved server does not move": "shelved.move_to(h)",
    "nobody is hosted who was not approved": "applied.host(at)",
    "nobody is connected who was not approved": "applied.connect(at, p)",
    "nobody is approved without an approver": "applied.approve(at)",
    "a rejected application is not approved after all": "rejected.approve(p, at)",
    "an application that was taken back is not approved": "withdrawn.approve(p, at)",
    "who was let in is not rejected": "approved.reject(p, at, 'x')",
    "who is hosted is not withdrawn": "hosted.withdraw(p, at)",
}
ALLOWED = [
    "up.suspect(at, 'x').confirm(at, 'y').fence(e).returned(at).cleaned(at)",
    "applied.approve(p, at).connect(at, p).host(at)",
    "applied.approve_alone(at).host(at)",
    "placed.evacuate(e, h).move_to(h).arrived().strand(e).rehome(h)",
    "placed.put_away().unshelve(h).put_away_by_fence(e).unshelve(h).strand(e).put_away()",
]


def check(tmp_path: Path, statements: list[str]) -> list[str]:
    """The lines of a function with these statements that mypy refuses."""
    source = tmp_path / "snippet.py"
    source.write_text(HEADER + textwrap.indent("\n".join(statements), "    ") + "\n")
    out, err, _ = mypy.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(source)])
    assert not err
    refused = {int(line.split(":")[1]) for line in out.splitlines() if "error:" in line}
    first = HEADER.count("\n") + 1
    return [statements[number - first] for number in sorted(refused)]


@pytest.mark.long
def test_a_type_checker_refuses_every_forbidden_transition_and_no_allowed_one(tmp_path):
    statements = [*FORBIDDEN.values(), *ALLOWED]
    assert check(tmp_path, statements) == list(FORBIDDEN.values())


def test_a_channel_cannot_confirm_its_own_suspicion():
    with pytest.raises(ValueError, match="own suspicion"):
        Up(AT).suspect(AT, "management-network").confirm(AT, "management-network")


def test_evidence_about_one_host_moves_no_server_of_another():
    for leave in (
        lambda: Placed(A).evacuate(evidence(B), B),
        lambda: Placed(A).strand(evidence(B)),
        lambda: Placed(A).put_away_by_fence(evidence(B)),
        lambda: Moving(A, B).source_fenced(evidence(B)),
        lambda: Moving(A, B).target_fenced(evidence(A)),
    ):
        with pytest.raises(ValueError, match="does not fence"):
            leave()


def test_the_end_of_a_move_that_lives_keeps_the_server():
    assert Moving(A, B).source_fenced(evidence(A)) == Placed(B)
    assert Moving(A, B).target_fenced(evidence(B)) == Placed(A)
    assert Moving(A, B).arrived() == Placed(B)
    assert Moving(A, B).abandoned() == Placed(A)
    assert Stranded(evidence(A)).rehome(B) == Placed(B)


def test_a_request_to_cut_the_power_is_no_evidence():
    asked = FenceWord(A, "Sato", "it hangs", FenceMethod.POWER_OFF, AT)
    with pytest.raises(ValueError, match="no evidence"):
        asked.evidence()


def test_a_confirmed_host_may_still_come_back_until_a_fence_holds():
    confirmed = Suspect(AT, "management-network").confirm(AT, "storage-heartbeat")
    assert confirmed == Confirmed(AT, ("management-network", "storage-heartbeat"))
    assert confirmed.answered(AT) == Up(AT)
    assert confirmed.doubted(AT, "storage-heartbeat") == Suspect(AT, "storage-heartbeat")
    assert confirmed.fence(evidence(A)) == Fenced(AT, evidence(A))
