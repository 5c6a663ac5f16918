"""A container group on a Kubernetes of the tests' own, as a platform would run it: a namespace, a volume on
the node, a Deployment of one pod."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.kubernetes.platform import GROUP_LABEL
from control_plane.drivers.kubernetes.volumes import KubernetesVolumes, Platform
from control_plane.model.ids import ContainerGroupId
from control_plane.model.tenant import MunicipalityCode
from tests.kubernetes_cluster import BUSYBOX, Cluster

_PATIENCE = 60.0


@dataclass
class KubernetesGroup:
    """`program` is what its one container runs in a shell, with the volume at /data, which lies in `folder`
    on the node."""

    cluster: Cluster
    tenant: MunicipalityCode
    id: ContainerGroupId
    image: str
    program: str = "while :; do sleep 1; done"
    size: int = 1 << 28
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        api = self.cluster.api()
        self._core, self._apps = client.CoreV1Api(api), client.AppsV1Api(api)
        self.namespace = f"yui-{self.tenant.text}"
        self.folder = self.cluster.folder / f"volume-{self.id}"
        self.folder.mkdir()
        self._labels = {GROUP_LABEL: self.id}
        try:
            self._core.create_namespace({"metadata": {"name": self.namespace}})
        except ApiException as error:
            if error.status != 409:
                raise
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [self.cluster.node]}
        self._core.create_persistent_volume(
            {
                "metadata": {"name": self.id},
                "spec": {
                    "capacity": {"storage": str(self.size)},
                    "accessModes": ["ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "storageClassName": "manual",
                    "claimRef": {"namespace": self.namespace, "name": "data"},
                    "local": {"path": str(self.folder)},
                    "nodeAffinity": {
                        "required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}
                    },
                },
            }
        )
        self._core.create_namespaced_persistent_volume_claim(
            self.namespace,
            {
                "metadata": {"name": "data", "labels": self._labels},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "manual",
                    "resources": {"requests": {"storage": str(self.size)}},
                },
            },
        )

    @property
    def volumes(self) -> KubernetesVolumes:
        return KubernetesVolumes(
            Platform(str(self.cluster.kubeconfig), self.image, pull_policy="IfNotPresent")
        )

    def fill(self, files: Mapping[bytes, bytes]) -> None:
        """As a program in it would."""
        for name in os.listdir(os.fsencode(self.folder)):
            path = os.path.join(os.fsencode(self.folder), name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif name not in files:
                os.unlink(path)
        for name, content in files.items():
            with open(os.path.join(os.fsencode(self.folder), name), "wb") as file:
                file.write(content)

    def run(self, wants: Consistency, *, hook_fails: bool = False) -> None:
        notes: dict[str, str] = {}
        if wants is Consistency.QUIESCED:
            before: Sequence[str] = ["/bin/sh", "-c", "exit 1" if hook_fails else "sync"]
            notes["yui/backup-before"] = json.dumps(before)
        self.stop()
        mount = {"name": "data", "mountPath": "/data"}
        container = {
            "name": "main",
            "image": BUSYBOX,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-c", self.program],
            "volumeMounts": [mount],
        }
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        pod = {
            "metadata": {"labels": self._labels, "annotations": notes},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "containers": [container],
                "volumes": [claim],
            },
        }
        wish = {"yui/backup": "stop"} if wants is Consistency.STOPPED else {}
        self._apps.create_namespaced_deployment(
            self.namespace,
            {
                "metadata": {"name": self.id, "labels": self._labels, "annotations": wish},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": self._labels},
                    "template": pod,
                },
            },
        )
        self.until(lambda: any(pod.status.phase == "Running" for pod in self._pods()))

    def stop(self) -> None:
        try:
            self._apps.delete_namespaced_deployment(
                self.id, self.namespace, propagation_policy="Background"
            )
        except ApiException as error:
            if error.status != 404:
                raise
        self.until(lambda: not self._pods())

    def runs(self) -> bool:
        found: Any = self._apps.read_namespaced_deployment(self.id, self.namespace)
        return bool(found.spec.replicas)

    def until(self, come: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not come():
            assert time.monotonic() < deadline, "it never came to be so"
            time.sleep(0.1)

    def all_pods(self) -> list[Any]:
        found: Any = self._core.list_namespaced_pod(self.namespace)
        return list(found.items)

    def _pods(self) -> list[Any]:
        return [
            pod
            for pod in self.all_pods()
            if (pod.metadata.labels or {}).get(GROUP_LABEL) == self.id
        ]
