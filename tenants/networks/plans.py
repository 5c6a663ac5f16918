"""What every host's network has to be, worked out once for all who ask while nothing changes."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from control_plane.model.host_health import Suspect, Up
from control_plane.model.host_network_json import to_json
from control_plane.model.host_network_plan import NetworkFacts, plan_host_network
from control_plane.model.ids import HostId, NetworkId
from control_plane.model.network import Binding, BindingState
from control_plane.store import Snapshot
from tenants.networks.effect import Effect

_REST = 10
"""How much longer is rested than was looked."""


@dataclass(eq=False)
class Plans:
    """The plans of one moment."""

    facts: NetworkFacts
    _contents: dict[HostId, bytes | None] = field(default_factory=dict)

    def content(self, host: HostId) -> bytes | None:
        """None where the host does not keep members' networks apart itself."""
        if host not in self._contents:
            plan = plan_host_network(host, self.facts)
            self._contents[host] = None if plan is None else to_json(plan)
        return self._contents[host]

    def effect(self, networks: Iterable[NetworkId], applied: Mapping[HostId, str]) -> Effect:
        """Of what concerns these networks; `applied` are the tags that hosts said they have made so.
        Hosts that carry nothing now because they are dead do not count."""
        wanted = set(networks)
        alive = {h.id for h in self.facts.hosts if isinstance(h.health, Up | Suspect)}
        found = set()
        for host, carried in self.facts.segments_on.items():
            if host in alive and not wanted.isdisjoint(carried):
                found.add(self.effect_on(host, applied.get(host)))
        worst = (Effect.NOT_YET, Effect.UNKNOWN, Effect.SITE_MANAGED, Effect.IN_EFFECT)
        return next((effect for effect in worst if effect in found), Effect.NO_SERVERS)

    def effect_on(self, host: HostId, applied: str | None) -> Effect:
        """Of all that the host carries."""
        content = self.content(host)
        if content is None:
            return Effect.SITE_MANAGED
        if applied is None:
            return Effect.UNKNOWN
        return Effect.IN_EFFECT if applied == tag_of(content) else Effect.NOT_YET

    def effect_of(self, binding: Binding, applied: Mapping[HostId, str]) -> Effect | None:
        """On the hosts of either side. None while nobody has approved it."""
        if binding.state not in (BindingState.APPROVED, BindingState.REVOKED):
            return None
        offered = self.facts.offered(binding)
        networks = {self.facts.network_of[server.id].id for server in offered}
        networks |= {
            n.id
            for n in self.facts.networks
            if (n.tenant, n.zone) == (binding.consumer, binding.zone)
        }
        return self.effect(networks, applied)


@dataclass(eq=False)
class HostNetworks:
    """One per app. Several threads may ask; at worst the same is worked out twice."""

    _known: tuple[tuple[object, ...], Plans] | None = None
    _last: tuple[weakref.ref[Snapshot], Plans] | None = None
    _look: weakref.ref[Snapshot] | None = None
    _rest_until: float = 0.0

    def at(self, tx: Snapshot) -> Plans:
        """Those of the snapshot's moment, which must not be one's own unfinished change: that may be
        undone, and another one made that looks the same from outside."""
        last = self._last
        if last is not None and last[0]() is tx:
            return last[1]
        fingerprint, known = tx.network_fingerprint(), self._known
        plans = known[1] if known and known[0] == fingerprint else Plans(_facts(tx))
        self._known = (fingerprint, plans)
        self._last = (weakref.ref(tx), plans)
        return plans

    def news(self, tx: Snapshot, host: HostId, monotonic: Callable[[], float]) -> bytes | None:
        """For those who wait and look again and again: a host's plan, or None while it is too early to
        look. All looks together take at most a tenth of the time, however often something changes."""
        began = monotonic()
        if self._look is None or self._look() is not tx:
            if began < self._rest_until:
                return None
            self._look = weakref.ref(tx)
        content = self.at(tx).content(host)
        took = monotonic() - began
        self._rest_until = max(self._rest_until, began) + _REST * took
        return content


async def host_networks_of(request: Request) -> HostNetworks:
    return cast(HostNetworks, request.app.state.host_networks)


def tag_of(content: bytes) -> str:
    """The plan's name: the first 128 bits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:32]


def _facts(tx: Snapshot) -> NetworkFacts:
    return NetworkFacts(
        sites=tx.sites(),
        hosts=tx.hosts(),
        servers=tx.servers(),
        networks=tx.networks(),
        groups=tx.security_groups(),
        groups_of=tx.groups_of_servers(),
        bindings=tx.bindings(),
        refuges={k: h for r in tx.regions() for k, h in tx.refuges(r.id).items()},
    )
