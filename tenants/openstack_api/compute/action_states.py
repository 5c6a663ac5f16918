"""In which states Nova lets a server be acted on, and what it says where it doesn't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.model.errors import YuiError
from control_plane.model.workload import Server
from control_plane.store import Snapshot
from tenants.openstack_api.compute.server_states import state_of
from tenants.openstack_api.compute.server_view import ServerView


@dataclass(frozen=True, slots=True)
class Demand:
    """`verb` is Nova's name of what is done, `states` the `vm_state`s in which it can be. With `idle` nothing
    else may be under way; with `unlocked` the server may not be locked."""

    verb: str
    states: frozenset[str]
    idle: bool = True
    unlocked: bool = True


_RESTING = frozenset({"active", "stopped"})
_SHELVED = frozenset({"shelved", "shelved_offloaded"})
_HOLDING = _RESTING | {"resized", "shelved_offloaded"}

DEMANDS: Mapping[str, Demand] = {
    "os-start": Demand("start", frozenset({"stopped"})),
    "os-stop": Demand("stop", frozenset({"active", "error"})),
    "reboot": Demand("reboot", frozenset({"active"})),
    "resize": Demand("resize", _RESTING),
    "confirmResize": Demand("confirm_resize", frozenset({"resized"})),
    "revertResize": Demand("revert_resize", frozenset({"resized"})),
    "rebuild": Demand("rebuild", _RESTING),
    "shelve": Demand("shelve", _RESTING),
    "shelveOffload": Demand("shelve_offload", frozenset({"shelved"})),
    "unshelve": Demand("unshelve", _SHELVED),
    "createImage": Demand("snapshot", _RESTING, unlocked=False),
    "attach": Demand("attach_volume", _HOLDING, idle=False),
    "detach": Demand("detach_volume", _HOLDING, idle=False),
}
"""As `check_instance_state` and `check_instance_lock` have them in Nova's compute API, of the states that there
are here."""


def demand(tx: Snapshot, view: ServerView, server: Server, action: str) -> None:
    """Raises `server-locked` and `server-state-wrong` (409)."""
    wanted = DEMANDS.get(action)
    if wanted is None:
        return
    if wanted.unlocked:
        refuse_locked(server)
    state = state_of(tx.server_card(server.id, view.tenant, view.region), view.now)
    if state.vm is not None and state.vm not in wanted.states:
        raise _wrong(server, wanted.verb, "vm_state", state.vm)
    if wanted.idle and state.task is not None:
        raise _wrong(server, wanted.verb, "task_state", state.task)


def refuse_locked(server: Server) -> None:
    """What is protected through `/v1` is locked here: nobody changes it before they unlock it."""
    if server.protected:
        raise YuiError(
            "server-locked",
            en=f"Instance {server.id} is locked: unlock it first.",
            ja=f"サーバー {server.id} はロックされています。先にロックを解除してください。",
            status=409,
            fields={"server": server.id},
        )


def _wrong(server: Server, verb: str, kind: str, state: str) -> YuiError:
    return YuiError(
        "server-state-wrong",
        en=f"Cannot '{verb}' instance {server.id} while it is in {kind} {state}",
        ja=f"サーバー {server.id} は {kind} が {state} のため、「{verb}」を実行できません。",
        status=409,
        fields={"server": server.id, kind: state},
    )
