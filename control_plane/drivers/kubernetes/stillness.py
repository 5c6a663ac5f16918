"""What a group wants to be done with it while its volumes are read: as the annotations of its pods and of
what keeps these say.

`yui/backup-before` and `yui/backup-after` of a pod are commands (a JSON list, or one word), run in the
container `yui/backup-container`, or in its first. A Deployment or StatefulSet with `yui/backup: stop` is
scaled to nothing meanwhile; how many there were is noted on it first, so that whoever finds it so later,
after a crash, lets them run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.container_volumes import HookFailed
from control_plane.drivers.kubernetes.channel import PodChannel
from control_plane.drivers.kubernetes.platform import GROUP_LABEL, Api, Platform
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Clock
from control_plane.model.ids import ContainerGroupId
from control_plane.model.units import Seconds

BEFORE, AFTER, CONTAINER = "yui/backup-before", "yui/backup-after", "yui/backup-container"
WANTED, NOTED = "yui/backup", "yui/replicas-before-backup"
_POLL = Seconds(0.2)


@dataclass(slots=True)
class Stillness:
    api: Api
    platform: Platform
    clock: Clock
    namespace: str
    group: ContainerGroupId

    @contextmanager
    def held(self, *, quiesce: bool) -> Iterator[Consistency]:
        """Raises HookFailed, DriverError."""
        with ExitStack() as undone:
            stopped = self._stop(undone) if quiesce else False
            pods = self.pods()
            if not pods:
                yield Consistency.STOPPED
                return
            ready = bool(pods) and quiesce and not stopped
            for pod in pods if ready else ():
                if not self._before(pod, undone):
                    ready = False
            yield Consistency.QUIESCED if ready else Consistency.CRASH

    def let_run(self) -> None:
        """Whatever is noted to have run before. Raises DriverError."""
        for kept, change in self._keepers():
            noted = (kept.metadata.annotations or {}).get(NOTED)
            if noted is not None and noted.isdigit():
                self._again(change, kept.metadata.name, int(noted))

    def pods(self) -> list[Any]:
        """Those of the group that are not over."""
        found: Any = self.api.ask(
            self.api.core.list_namespaced_pod,
            self.namespace,
            label_selector=f"{GROUP_LABEL}={self.group}",
        )
        return [pod for pod in found.items if pod.status.phase not in ("Succeeded", "Failed")]

    def _stop(self, undone: ExitStack) -> bool:
        """Whether anything was stopped."""
        any_stopped = False
        for kept, change in self._keepers():
            notes = kept.metadata.annotations or {}
            noted = notes.get(NOTED)
            if notes.get(WANTED) != "stop" and noted is None:
                continue
            if noted is None and not kept.spec.replicas:
                continue
            count = int(noted) if noted is not None and noted.isdigit() else kept.spec.replicas
            undone.callback(self._again, change, kept.metadata.name, count)
            self._scaled(change, kept.metadata.name, 0, str(count))
            any_stopped = True
        deadline = self.clock.monotonic() + self.platform.patience
        while any_stopped and self.pods():
            if self.clock.monotonic() > deadline:
                raise DriverError("The container group did not stop in time, so it was not read.")
            self.clock.sleep(_POLL)
        return any_stopped

    def _again(self, change: Callable[..., Any], name: str, count: int) -> None:
        self._scaled(change, name, count, None)

    def _scaled(self, change: Callable[..., Any], name: str, count: int, noted: str | None) -> None:
        body = {"metadata": {"annotations": {NOTED: noted}}, "spec": {"replicas": count}}
        self.api.ask(change, name, self.namespace, body)

    def _keepers(self) -> Iterator[tuple[Any, Callable[..., Any]]]:
        apps = self.api.apps
        for listed, change in (
            (apps.list_namespaced_deployment, apps.patch_namespaced_deployment),
            (apps.list_namespaced_stateful_set, apps.patch_namespaced_stateful_set),
        ):
            found: Any = self.api.ask(
                listed, self.namespace, label_selector=f"{GROUP_LABEL}={self.group}"
            )
            for each in found.items:
                yield each, change

    def _before(self, pod: Any, undone: ExitStack) -> bool:
        """Whether the pod has a command that was run, and went well."""
        notes = pod.metadata.annotations or {}
        before, after = _command(notes.get(BEFORE)), _command(notes.get(AFTER))
        if after is not None:
            undone.callback(self._run, pod, notes, after)
        if before is None:
            return False
        self._run(pod, notes, before)
        return True

    def _run(self, pod: Any, notes: dict[str, str], command: Sequence[str]) -> None:
        """Raises HookFailed."""
        name = pod.metadata.name
        container = notes.get(CONTAINER) or pod.spec.containers[0].name
        with PodChannel(
            self.api.fresh_core(),
            self.namespace,
            name,
            container,
            command=list(command),
            patience=self.platform.patience,
        ) as channel:
            why = channel.ended()
        if why is not None:
            # What it said may be the member's own.
            raise HookFailed(
                f"A command that pod {name} wants run around its backup went wrong, so it was not read."
            )


def _command(noted: str | None) -> list[str] | None:
    """Raises HookFailed for what is no command."""
    if not noted:
        return None
    if not noted.lstrip().startswith("["):
        return [noted]
    try:
        words = json.loads(noted)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise HookFailed("A pod's annotation of a command for its backup is no list of words.")
    return words
