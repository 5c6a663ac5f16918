"""The story itself: members join, their systems run, a host dies, everything comes back.

It speaks to the control plane through the HTTP API alone, as a member's staff would, and checks what
it is told against what the stage sees.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.cli.language import Language
from control_plane.journal.models import EventOut, Events
from control_plane.pool.models import CertificateOut, HostOut, RefuseOut, ViolationOut
from deploy.demo import texts
from deploy.demo.narrator import Narrator
from deploy.demo.report import Durations
from deploy.demo.stage import NotAnswering, Stage
from tenants.models import ServerOut

MEMBERS = ("012220", "262013", "362018", "412066", "442046", "452033")
"""One member of each prefecture of the 2009–2011 trial: Mikasa, Fukuchiyama, Tokushima, Takeo, Hita,
Nobeoka."""
BLUEPRINTS = ("resident-records", "facility-booking")
_PATIENCE_S = 240.0


@dataclass(slots=True)
class Outcome:
    """What the story saw."""

    servers: int
    lost: list[str]
    double_started: set[str]
    missing_records: int
    seconds: Durations
    certificate: CertificateOut
    off_promise: list[str]


@dataclass(slots=True)
class Story:
    stage: Stage
    narrator: Narrator
    _written: dict[str, str] = field(default_factory=dict)
    _doubled: set[str] = field(default_factory=set)

    def play(self) -> Outcome:
        """Raises TimeoutError where something that must happen does not, in words."""
        self._wait_for_hosts()
        self._let_members_join()
        servers = self._servers()
        self._await_answers(servers)
        self._write_records(servers)
        victim = self._choose_victim()
        region = victim.region
        self._tell_promise(region)
        promised = self._promised_refuges(victim, servers)
        began, events_after = self._strike(victim, servers, promised)
        lost = self._follow_recovery(servers, began, events_after)
        all_answering = (self.stage.now() - began).total_seconds()
        seconds = self._durations(began, all_answering, events_after)
        self._tell_recovery(servers, lost, all_answering)
        off_promise = self._compare_with_promise(promised)
        missing = self._read_back(servers)
        certificate = self._await_certificate(region)
        return Outcome(
            len(servers), lost, self._doubled, missing, seconds, certificate, off_promise
        )

    def _hosts(self) -> list[HostOut]:
        return [HostOut.model_validate(h) for h in self.stage.api.every("/v1/hosts")]

    def _servers(self) -> list[ServerOut]:
        return [ServerOut.model_validate(s) for s in self.stage.api.every("/v1/servers")]

    def _certificate(self, region: str) -> CertificateOut:
        found = self.stage.api.get(f"/v1/regions/{region}/certificate")
        return CertificateOut.model_validate(found)

    def _events(self, after: int) -> list[EventOut]:
        return Events.model_validate(self.stage.api.get("/v1/events", after=after)).items

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _PATIENCE_S
        while not ready():
            if time.monotonic() > give_up:
                raise TimeoutError(f"{what} did not happen within {_PATIENCE_S:.0f} s")
            self.stage.pause()

    def _wait_for_hosts(self) -> None:
        self._until(
            "all hosts being in use", lambda: all(host.health == "up" for host in self._hosts())
        )
        sites = {host.site for host in self._hosts()}
        self.narrator.say(texts.HOSTS_UP, count=len(self._hosts()), sites=len(sites))

    def _let_members_join(self) -> None:
        self.narrator.say(texts.JOINING)
        for code in MEMBERS:
            began = time.monotonic()
            self.stage.api.post("/v1/members", {"code": code, "blueprints": list(BLUEPRINTS)})
            self.stage.approver.post(f"/v1/members/{code}/approve")
            took = time.monotonic() - began
            member = next(m for m in self.stage.api.every("/v1/members") if m["code"] == code)
            self.narrator.detail(
                texts.JOINED,
                name=member["name"],
                prefecture=member["prefecture"],
                population=member["population"],
                servers=sum(s.tenant == code for s in self._servers()),
                took=took,
            )

    def _answers(self, servers: Sequence[ServerOut]) -> list[ServerOut]:
        with ThreadPoolExecutor(max_workers=8) as threads:
            found = threads.map(self._does_answer, servers)
            return [server for server, answers in zip(servers, found, strict=True) if answers]

    def _does_answer(self, server: ServerOut) -> bool:
        try:
            self.stage.records(server)
        except NotAnswering:
            return False
        return True

    def _count_copies(self) -> None:
        self._doubled |= {name for name, count in self.stage.copies().items() if count > 1}

    def _await_answers(self, servers: Sequence[ServerOut]) -> None:
        with self.narrator.progress(texts.ANSWERING, len(servers)) as bar:

            def all_answer() -> bool:
                self._count_copies()
                bar.at(len(self._answers(servers)))
                return bar.count == len(servers)

            self._until("every server answering", all_answer)

    def _write_records(self, servers: Sequence[ServerOut]) -> None:
        for server in servers:
            text = f"{server.name} {self.stage.now().isoformat()}"
            self.stage.write(server, text)
            self._written[server.name] = text
        self.narrator.say(texts.RECORDS, count=len(servers))

    def _choose_victim(self) -> HostOut:
        """The host whose death hurts most: it carries most servers of the lowest tiers."""
        servers = self._servers()
        return max(
            self._hosts(),
            key=lambda host: sum(10 if s.tier == 0 else 1 for s in servers if s.host == host.id),
        )

    def _tell_promise(self, region: str) -> None:
        self._until(
            f"the certificate of {region} being complete",
            lambda: _complete(self._certificate(region)),
        )
        self.narrator.say(texts.PROMISE, region=region, refuges=self._certificate(region).refuges)

    def _promised_refuges(self, victim: HostOut, servers: Sequence[ServerOut]) -> dict[str, str]:
        promised = {}
        for server in servers:
            if server.host == victim.id:
                found = self.stage.api.get(f"/v1/servers/{server.id}/refuges")
                promised[server.id] = next(
                    r["host"] for r in found["items"] if r["failure"] == f"host:{victim.id}"
                )
        return promised

    def _strike(
        self, victim: HostOut, servers: Sequence[ServerOut], promised: dict[str, str]
    ) -> tuple[datetime, int]:
        doomed = [server for server in servers if server.host == victim.id]
        names = ", ".join(server.name for server in doomed)
        self.narrator.say(texts.VICTIM, host=victim.id, count=len(doomed), names=names)
        for server in doomed:
            self.narrator.detail(
                texts.PROMISED, server=server.name, refuge=promised.get(server.id, "?")
            )
        events_after = max((event.sequence for event in self._all_events(0)), default=0)
        began = self.stage.now()
        self.stage.kill(victim.id)
        return began, events_after

    def _all_events(self, after: int) -> list[EventOut]:
        found: list[EventOut] = []
        while page := self._events(after):
            found += page
            after = page[-1].sequence
        return found

    def _follow_recovery(
        self, servers: Sequence[ServerOut], began: datetime, events_after: int
    ) -> list[str]:
        """Tell the events as they come, until every server answers; returns those that never do."""
        told = events_after
        give_up = time.monotonic() + _PATIENCE_S
        fenced = False
        while time.monotonic() < give_up:
            for event in self._all_events(told):
                told = event.sequence
                fenced = fenced or event.kind == "host.fenced"
                if event.severity != "info" or event.kind.startswith(("server.", "host.")):
                    self._tell_event(event, began)
            self._count_copies()
            # Right after the strike a guest may still seem to answer; what counts is the time after
            # the fence.
            if fenced and len(self._answers(servers)) == len(servers):
                return []
            self.stage.pause()
        return [s.name for s in servers if s not in self._answers(servers)]

    def _tell_event(self, event: EventOut, began: datetime) -> None:
        sentence = event.ja if self.narrator.language is Language.JA else event.en
        after = (event.at - began).total_seconds()
        self.narrator.detail(texts.EVENT, after=after, sentence=sentence)

    def _durations(self, began: datetime, all_answering: float, events_after: int) -> Durations:
        at: dict[str, datetime] = {}
        for event in self._all_events(events_after):
            if event.kind == "server.running" and "host.fenced" not in at:
                continue
            at.setdefault(event.kind, event.at)
        confirmed, fenced = at["host.confirmed"], at["host.fenced"]
        running = at.get("server.running", fenced)
        return Durations(
            detect=(confirmed - began).total_seconds(),
            fence=(fenced - confirmed).total_seconds(),
            first_restart=(running - fenced).total_seconds(),
            all_answering=all_answering,
        )

    def _tell_recovery(
        self, servers: Sequence[ServerOut], lost: list[str], all_answering: float
    ) -> None:
        if lost:
            self.narrator.say(texts.NOT_BACK, count=len(lost), names=", ".join(lost))
        else:
            self.narrator.say(texts.ALL_BACK, count=len(servers), seconds=all_answering)

    def _compare_with_promise(self, promised: dict[str, str]) -> list[str]:
        off = [s.name for s in self._servers() if s.host != promised.get(s.id, s.host)]
        if off:
            self.narrator.say(texts.REFUGES_MISSED, count=len(off), names=", ".join(off))
        else:
            self.narrator.say(texts.REFUGES_KEPT)
        return off

    def _read_back(self, servers: Sequence[ServerOut]) -> int:
        missing = 0
        for server in servers:
            try:
                missing += self._written[server.name] not in self.stage.records(server)
            except NotAnswering:
                missing += 1
        self._count_copies()
        if missing:
            self.narrator.say(texts.MISSING, count=missing)
        else:
            self.narrator.say(texts.INTACT)
        return missing

    def _await_certificate(self, region: str) -> CertificateOut:
        """The certificate once the pool has been proved anew: complete, or why it can't be."""
        give_up = time.monotonic() + 20
        certificate = self._certificate(region)
        while not _complete(certificate) and time.monotonic() < give_up:
            self.stage.pause()
            certificate = self._certificate(region)
        if _complete(certificate):
            self.narrator.say(texts.VALID_AGAIN, region=region)
        else:
            self.narrator.say(
                texts.NOT_VALID, region=region, why=why_incomplete(certificate, self.narrator)
            )
        return certificate


def _complete(certificate: CertificateOut) -> bool:
    return certificate.valid and not certificate.uncovered


def why_incomplete(certificate: CertificateOut, narrator: Narrator) -> str:
    reasons: list[ViolationOut | RefuseOut] = [*certificate.violations, *certificate.uncovered]
    if not reasons:
        return "-"
    return reasons[0].ja if narrator.language is Language.JA else reasons[0].en
