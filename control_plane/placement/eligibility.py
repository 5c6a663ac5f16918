"""Which hosts a workload may ever use, apart from how full they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from control_plane.model.ids import StoragePoolId
from control_plane.model.ledger import LedgerHost, LedgerWorkload, Standing

Mask = NDArray[np.bool_]
"""One truth per host, in the order of the hosts' ids."""


class Eligibility:
    """Masks over hosts. They are shared and must not be written to."""

    def __init__(self, hosts: Sequence[LedgerHost]) -> None:
        self._hosts = hosts
        self.open = self._where([host.standing is Standing.OPEN for host in hosts])
        self.gone = self._where([host.standing is Standing.GONE for host in hosts])
        self._rules: dict[tuple[str, object], Mask] = {}
        self._known: dict[tuple[object, ...], Mask] = {}

    @staticmethod
    def _where(truths: Sequence[bool]) -> Mask:
        return np.array(truths, dtype=np.bool_)

    def _rule(self, name: str, wanted: object, truths: Sequence[bool]) -> Mask:
        return self._rules.setdefault((name, wanted), self._where(truths))

    def rules(self, workload: LedgerWorkload, pool: StoragePoolId | None) -> Mapping[str, Mask]:
        """Each rule's own mask by the name of what is asked for; `pool` None leaves storage out."""
        hosts = self._hosts
        rules = {
            "site": self._rule(
                "site",
                workload.sites,
                [not workload.sites or host.site in workload.sites for host in hosts],
            ),
            "zone": self._rule(
                "zone", workload.zone, [workload.zone in host.zones for host in hosts]
            ),
            "trait": self._rule(
                "trait", workload.traits, [workload.traits <= host.traits for host in hosts]
            ),
        }
        if pool is not None:
            rules["storage-reach"] = self._rule(
                "storage-reach", pool, [pool in host.storage for host in hosts]
            )
        return rules

    def of(self, workload: LedgerWorkload, pool: StoragePoolId | None) -> Mask:
        """Open hosts that meet every rule."""
        key = (workload.sites, workload.zone, workload.traits, pool)
        if key not in self._known:
            rules = self.rules(workload, pool).values()
            self._known[key] = reduce(np.logical_and, rules, self.open)
        return self._known[key]
