"""A short-lived pod beside one volume, which may do no more than its errand takes.

It is root within, since files are their owners' alone, but with no other right than to pass by their
modes; when it reads, the volume is mounted read-only. It ends by itself when nobody asks it anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from typing import Any

from control_plane.drivers.container_volumes import VolumeClaim
from control_plane.drivers.kubernetes.agent_volume import AgentVolume
from control_plane.drivers.kubernetes.channel import PodChannel
from control_plane.drivers.kubernetes.platform import READER_LABEL, Api, Platform
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Clock
from control_plane.model.ids import ContainerGroupId
from control_plane.model.units import Seconds

_IDLE = 900
_CONTAINER = "agent"
_AGENT = "/run/yui/agent.py"
_READS = ["DAC_OVERRIDE"]
_WRITES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"]
_POLL = Seconds(0.2)
_KEEPS = """
import os, sys, time
with open('/run/yui/agent.py', 'w') as file:
    file.write(sys.argv[1])
while time.time() - os.stat('/run/yui/agent.py').st_mtime < float(sys.argv[2]):
    time.sleep(1)
"""


@contextmanager
def agent_pods(
    api: Api,
    platform: Platform,
    clock: Clock,
    *,
    namespace: str,
    group: ContainerGroupId,
    claims: list[tuple[VolumeClaim, str | None]],
    writes: bool,
) -> Iterator[list[AgentVolume]]:
    """One for each claim, on the node named with it where one is; all are gone afterwards. Raises
    DriverError."""
    names = [f"yui-volume-{secrets.token_hex(5)}" for _ in claims]
    try:
        for name, (claim, node) in zip(names, claims, strict=True):
            body = _pod(platform, name, group, claim.name, node, writes=writes)
            api.ask(api.core.create_namespaced_pod, namespace, body)
        for name in names:
            _started(api, platform, clock, namespace, name)
        channels: list[PodChannel] = []
        try:
            for name in names:
                channels.append(
                    PodChannel(
                        api.fresh_core(),
                        namespace,
                        name,
                        _CONTAINER,
                        command=["python3", _AGENT, "/volume", _AGENT],
                        patience=platform.patience,
                    )
                )
            yield [
                AgentVolume(claim, channel)
                for (claim, _), channel in zip(claims, channels, strict=True)
            ]
        finally:
            for channel in channels:
                with suppress(OSError):
                    channel.__exit__()
    finally:
        for name in names:
            with suppress(DriverError):
                api.find(api.core.delete_namespaced_pod, name, namespace, grace_period_seconds=0)


def _started(api: Api, platform: Platform, clock: Clock, namespace: str, name: str) -> None:
    deadline = clock.monotonic() + platform.patience
    while True:
        pod: Any = api.ask(api.core.read_namespaced_pod, name, namespace)
        if pod.status.phase == "Running":
            return
        if pod.status.phase in ("Failed", "Succeeded") or clock.monotonic() > deadline:
            raise DriverError(f"The pod beside the volume did not start: {_why(pod)}"[:300])
        clock.sleep(_POLL)


def _why(pod: Any) -> str:
    for status in pod.status.container_statuses or ():
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.reason:
            return f"{waiting.reason} {waiting.message or ''}".strip()
    for condition in pod.status.conditions or ():
        if condition.status == "False" and condition.message:
            return str(condition.message)
    return str(pod.status.phase)


def _pod(
    platform: Platform,
    name: str,
    group: ContainerGroupId,
    claim: str,
    node: str | None,
    *,
    writes: bool,
) -> dict[str, Any]:
    source = (resources.files(__package__) / "volume_agent.py").read_text(encoding="utf-8")
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": _CONTAINER,
                "image": platform.agent_image,
                "imagePullPolicy": platform.pull_policy,
                "command": ["python3", "-c", _KEEPS, source, str(_IDLE)],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"], "add": _WRITES if writes else _READS},
                },
                "resources": {
                    "requests": {"cpu": "50m", "memory": "64Mi"},
                    "limits": {"memory": "512Mi"},
                },
                "volumeMounts": [
                    {"name": "volume", "mountPath": "/volume", "readOnly": not writes},
                    {"name": "own", "mountPath": "/run/yui"},
                ],
            }
        ],
        "volumes": [
            {
                "name": "volume",
                "persistentVolumeClaim": {"claimName": claim, "readOnly": not writes},
            },
            {"name": "own", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
    }
    if node is not None:
        # Not by its name: the scheduler has to agree.
        wanted = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        spec["affinity"] = {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [wanted]}]
                }
            }
        }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {READER_LABEL: group}},
        "spec": spec,
    }
