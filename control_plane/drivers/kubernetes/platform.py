"""Where a region's Kubernetes is, and how it is spoken to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from control_plane.drivers.protocol import DriverError, HostUnreachable
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds

T = TypeVar("T")
GROUP_LABEL = "yui/container-group"
READER_LABEL = "yui/volume-agent"
_NOT_FOUND, _CONFLICT = 404, 409


@dataclass(frozen=True, slots=True)
class Platform:
    """`kubeconfig` is a file. `agent_image` is any image with a `python3`, by its digest where it is not the
    node's own. `namespace` says where a member's groups live. `patience` is how long a pod may take to
    start or stop, and an answer to come."""

    kubeconfig: str
    agent_image: str
    context: str | None = None
    namespace: str = "yui-{code}"
    pull_policy: str = "IfNotPresent"
    patience: Seconds = Seconds(300)
    ask_patience: Seconds = Seconds(30)

    def namespace_of(self, tenant: MunicipalityCode) -> str:
        return self.namespace.format(code=tenant.text)


class Api:
    """Its answers, or DriverErrors. Connects at first need."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._made: Any = None

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self._client())

    @property
    def apps(self) -> client.AppsV1Api:
        return client.AppsV1Api(self._client())

    def fresh_core(self) -> client.CoreV1Api:
        """Its own connection: what streams through one changes it for a moment."""
        return client.CoreV1Api(self._new())

    def ask(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Raises HostUnreachable, DriverError."""
        found = self.find(call, *arguments, **named)
        if found is None:
            raise DriverError("Kubernetes has no such thing any more.")
        return found

    def find(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
        """None where there is no such thing, or where it is there already that was to be made."""
        try:
            return call(*arguments, _request_timeout=self._platform.ask_patience, **named)
        except ApiException as error:
            if error.status in (_NOT_FOUND, _CONFLICT):
                return None
            raise DriverError(f"Kubernetes refuses: {error.status} {error.reason}."[:300]) from None
        except (HTTPError, OSError) as error:
            raise HostUnreachable(f"Kubernetes does not answer: {error}"[:300]) from None

    def _client(self) -> Any:
        if self._made is None:
            self._made = self._new()
        return self._made

    def _new(self) -> Any:
        try:
            return config.new_client_from_config(  # type: ignore[no-untyped-call]
                self._platform.kubeconfig, self._platform.context, persist_config=False
            )
        except (config.ConfigException, OSError, ValueError):
            raise DriverError(
                f"The kubeconfig {self._platform.kubeconfig} cannot be read, or has no such context."
            ) from None
