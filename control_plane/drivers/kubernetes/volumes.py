"""The volumes of container groups on one region's Kubernetes (see drivers/container_volumes.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from control_plane.drivers.container_volumes import (
    ClaimBusy,
    GroupReading,
    VolumeClaim,
    VolumeWriting,
)
from control_plane.drivers.kubernetes.agent_pod import agent_pods
from control_plane.drivers.kubernetes.platform import GROUP_LABEL, READER_LABEL, Api, Platform
from control_plane.drivers.kubernetes.stillness import Stillness
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.system_clock import SystemClock
from control_plane.drivers.world import Clock
from control_plane.model.ids import ContainerGroupId
from control_plane.model.tenant import MunicipalityCode

__all__ = ["KubernetesVolumes", "Platform"]

_QUANTITY = re.compile(r"([0-9.]+)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P|m)?")
_UNITS = {
    **{"": 1, "m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15},
    **{"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50},
}


class KubernetesVolumes:
    """A ContainerVolumes."""

    def __init__(self, platform: Platform, clock: Clock | None = None) -> None:
        self._platform = platform
        self._api = Api(platform)
        self._clock: Clock = clock or SystemClock()

    def claims(self, tenant: MunicipalityCode, group: ContainerGroupId) -> Sequence[VolumeClaim]:
        found: Any = self._api.ask(
            self._api.core.list_namespaced_persistent_volume_claim,
            self._platform.namespace_of(tenant),
            label_selector=f"{GROUP_LABEL}={group}",
        )
        claims = [_claim(each) for each in found.items if not each.metadata.deletion_timestamp]
        return sorted(claims, key=lambda claim: claim.name)

    @contextmanager
    def reading(
        self, tenant: MunicipalityCode, group: ContainerGroupId, *, quiesce: bool = True
    ) -> Iterator[GroupReading]:
        namespace = self._platform.namespace_of(tenant)
        claims = self.claims(tenant, group)
        with self._stillness(tenant, group).held(quiesce=quiesce) as consistency:
            nodes = self._nodes(namespace)
            wanted = [(claim, nodes.get(claim.name)) for claim in claims]
            with agent_pods(
                self._api,
                self._platform,
                self._clock,
                namespace=namespace,
                group=group,
                claims=wanted,
                writes=False,
            ) as volumes:
                yield GroupReading(consistency, volumes)

    def end_reading(self, tenant: MunicipalityCode, group: ContainerGroupId) -> None:
        self._stillness(tenant, group).let_run()

    def _stillness(self, tenant: MunicipalityCode, group: ContainerGroupId) -> Stillness:
        namespace = self._platform.namespace_of(tenant)
        return Stillness(self._api, self._platform, self._clock, namespace, group)

    @contextmanager
    def writing(
        self,
        tenant: MunicipalityCode,
        group: ContainerGroupId,
        claim: VolumeClaim,
        *,
        replace: bool,
    ) -> Iterator[VolumeWriting]:
        namespace = self._platform.namespace_of(tenant)
        self._api.find(
            self._api.core.create_namespaced_persistent_volume_claim,
            namespace,
            _wanted(claim, group),
        )
        self._check_unused(namespace, claim.name)
        with agent_pods(
            self._api,
            self._platform,
            self._clock,
            namespace=namespace,
            group=group,
            claims=[(claim, None)],
            writes=True,
        ) as (volume,):
            volume.clear(replace=replace)
            yield volume
            self._check_unused(namespace, claim.name)

    def _check_unused(self, namespace: str, claim: str) -> None:
        users = [pod.metadata.name for pod in self._pods(namespace) if claim in _mounts(pod)]
        if users:
            raise ClaimBusy(
                f"Volume {claim} is in use by pod {users[0]}: stop the container group first."
            )

    def _nodes(self, namespace: str) -> dict[str, str]:
        """Where each claim is in use: one that is on a node may be to be had only there."""
        return {
            name: pod.spec.node_name
            for pod in self._pods(namespace)
            if pod.spec.node_name
            for name in _mounts(pod)
        }

    def _pods(self, namespace: str) -> list[Any]:
        """That are not over, without our own."""
        found: Any = self._api.ask(self._api.core.list_namespaced_pod, namespace)
        return [
            pod
            for pod in found.items
            if pod.status.phase not in ("Succeeded", "Failed")
            and READER_LABEL not in (pod.metadata.labels or {})
        ]


def _mounts(pod: Any) -> set[str]:
    return {
        volume.persistent_volume_claim.claim_name
        for volume in pod.spec.volumes or ()
        if volume.persistent_volume_claim is not None
    }


def _claim(found: Any) -> VolumeClaim:
    asked = (found.spec.resources.requests or {}) if found.spec.resources else {}
    return VolumeClaim(
        found.metadata.name,
        _bytes(asked.get("storage", "0")),
        found.spec.storage_class_name or "",
        tuple(found.spec.access_modes or ()),
    )


def _wanted(claim: VolumeClaim, group: ContainerGroupId) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": list(claim.access_modes),
        "resources": {"requests": {"storage": str(claim.size_bytes)}},
    }
    if claim.storage_class:
        spec["storageClassName"] = claim.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim.name, "labels": {GROUP_LABEL: group}},
        "spec": spec,
    }


def _bytes(quantity: str) -> int:
    """Of Kubernetes' resource quantities."""
    found = _QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise DriverError(f"'{quantity}' is no size that Kubernetes would tell.")
    return int(float(found[1]) * _UNITS[found[2] or ""])
