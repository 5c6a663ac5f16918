"""A conversation with one host's Redfish BMC (DMTF DSP0266), in which every step ends in time.

BMCs are slow, mute, half broken or gone just when they are needed. Each step runs with a time-out
around it, because a time-out per read does not stop a BMC that answers one byte a minute.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
import sushy
from sushy import auth, connector, exceptions

from control_plane.drivers.fencing.bounded import BoundedCalls
from control_plane.drivers.fencing.secret_refs import SecretUnavailable, read_secret
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

T = TypeVar("T")

_SYSTEMS = "/redfish/v1/Systems/"


class BmcError(Exception):
    """One sentence that says what the BMC did or did not do, without secrets."""


@dataclass(frozen=True, slots=True)
class _Target:
    """`host` and `name` are for people."""

    host: str
    name: str
    url: str
    system: str | None
    user: str | None
    password_ref: str | None


class BmcConversation:
    """Use with `with`. Every method raises BmcError within `patience`."""

    def __init__(self, host: Host, calls: BoundedCalls, patience: Seconds) -> None:
        self._target = _target(host)
        self._calls = calls
        self._patience = patience
        self._auth: auth.AuthBase | None = None
        self._system: Any = None

    @property
    def name(self) -> str:
        """Which BMC this is, for people and evidence."""
        return self._target.name

    def __enter__(self) -> BmcConversation:
        self._system = self._step(self._log_in)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session = self._auth
        if session is not None:
            # A session left open only wears out the BMC's few slots until it expires.
            with contextlib.suppress(BmcError):
                self._step(session.close)

    def power(self) -> str:
        """Read PowerState anew: `On`, `Off`, `PoweringOn`, `PoweringOff`, `Paused` or `unknown`."""

        def read() -> str:
            self._system.refresh(force=True)
            state = self._system.power_state
            return "unknown" if state is None else str(state.value)

        return self._step(read)

    def reset(self, how: sushy.ResetType) -> None:
        """Order ForceOff or On; that the BMC takes the order proves nothing."""
        self._step(lambda: self._system.reset_system(how))

    def _log_in(self) -> Any:
        target = self._target
        password = None if target.password_ref is None else read_secret(target.password_ref)
        # The connector repeats what fails, unless told to try once.
        connection = connector.Connector(
            target.url,
            verify=urlsplit(target.url).scheme != "http",
            server_side_retries=1,
            default_request_timeout=self._patience,
            connect_timeout=self._patience,
        )
        session = auth.SessionOrBasicAuth(target.user, password)
        service = sushy.Sushy(target.url, connector=connection, auth=session)
        self._auth = session
        return service.get_system(target.system)

    def _step(self, work: Callable[[], T]) -> T:
        name = self._target.name
        try:
            return self._calls.call(self._target.host, work, self._patience)
        except SecretUnavailable as error:
            raise BmcError(f"The password of the {name} is missing: {error}") from None
        except TimeoutError as error:
            raise BmcError(f"The {name} did not answer: {error}.") from None
        except exceptions.AccessError:
            raise BmcError(f"The {name} refused the user name or the password.") from None
        except exceptions.ResourceNotFoundError:
            raise BmcError(
                f"The {name} has no system '{self._target.system or 'of its own'}'."
            ) from None
        except (exceptions.InvalidParameterValueError, exceptions.MissingActionError):
            raise BmcError(f"The {name} does not offer to switch the power.") from None
        except exceptions.HTTPError as error:
            raise BmcError(f"The {name} answered with HTTP status {error.status_code}.") from None
        except exceptions.ConnectionError as error:
            raise BmcError(f"The {name} {_why_no_connection(error, self._patience)}.") from None
        except Exception as error:
            # What a BMC answers can break its reader in any way.
            raise BmcError(
                f"The {name} gave an answer that is not Redfish ({type(error).__name__})."
            ) from None


def _target(host: Host) -> _Target:
    endpoint = host.endpoint
    if endpoint.bmc_url is None:
        raise BmcError(f"Host {host.id} has no BMC.")
    if "@" in urlsplit(endpoint.bmc_url).netloc:
        # It would end up in logs.
        raise BmcError(
            f"The address of the BMC of {host.id} holds a name or a password: give them as bmc_user and bmc_password_ref."
        )
    system = endpoint.bmc_system
    if system is not None and not system.startswith("/"):
        system = _SYSTEMS + quote(system, safe="")
    return _Target(
        host=host.id,
        name=f"BMC of {host.id}",
        url=endpoint.bmc_url,
        system=system,
        user=endpoint.bmc_user,
        password_ref=endpoint.bmc_password_ref,
    )


def _why_no_connection(error: exceptions.ConnectionError, patience: Seconds) -> str:
    match error.__context__:
        case requests.exceptions.SSLError():
            return "has a TLS certificate that this machine does not trust"
        case requests.exceptions.Timeout():
            return f"did not answer: nothing came within {patience:g} s"
        case _:
            return "cannot be reached, or broke the connection off"
