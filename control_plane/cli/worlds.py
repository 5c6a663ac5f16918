"""The World that `yui serve` gives its control plane: the real one, or one for trying out.

Each is loaded where it is wanted, since nobody wants both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, is_name

if TYPE_CHECKING:
    from control_plane.drivers.container_volumes import ContainerVolumes
    from control_plane.drivers.real import Witness
    from control_plane.drivers.world import Notifier, World
    from control_plane.store import Store

_WITNESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})")
_REFERENCE = re.compile(r"file:/\S+|env:[A-Za-z_][A-Za-z0-9_]*")


def platforms(named: Sequence[str], image: str | None) -> Mapping[RegionId, ContainerVolumes]:
    """`named` as REGION=KUBECONFIG. Raises YuiError `kubernetes-invalid`, `kubernetes-client-missing`."""
    if not named:
        return {}
    split = [(region, path) for region, _, path in (each.partition("=") for each in named)]
    wrong = next((region for region, path in split if not is_name(region) or not path), None)
    if wrong is not None or len({region for region, _ in split}) < len(split):
        raise YuiError(
            "kubernetes-invalid",
            en="Name each region's Kubernetes once, as REGION=KUBECONFIG, such as kyoto=/etc/yui/kyoto.kubeconfig.",
            ja="各リージョンの Kubernetes は、kyoto=/etc/yui/kyoto.kubeconfig のように リージョン=kubeconfigのパス で1回ずつ指定してください。",
        )
    if not image:
        raise YuiError(
            "kubernetes-invalid",
            en="Name the image of the pods beside volumes with --volume-agent-image: any that has a python3, by its digest.",
            ja="ボリュームを読み書きするポッドのイメージを --volume-agent-image で指定してください(python3 を含むもの。ダイジェストで指定)。",
        )
    try:
        from control_plane.drivers.kubernetes.volumes import KubernetesVolumes, Platform  # noqa: PLC0415
    except ImportError:
        raise YuiError(
            "kubernetes-client-missing",
            en="The Python package kubernetes is not installed here: install it, or leave --kubernetes out.",
            ja="Python パッケージ kubernetes がインストールされていません。インストールするか、--kubernetes を外してください。",
        ) from None
    return {RegionId(region): KubernetesVolumes(Platform(path, image)) for region, path in split}


@contextmanager
def real_world(
    witnesses: Sequence[str],
    webhook: str | None,
    containers: Mapping[RegionId, ContainerVolumes] | None = None,
    disk_address: str | None = None,
) -> Iterator[World]:
    """`witnesses` as ADDRESS:PORT; `webhook` names the secret that holds its address; `disk_address` as
    control_plane.drivers.nbd has it. Raises YuiError `witness-invalid`, `webhook-invalid`,
    `disk-address-invalid`."""
    from backup.objects.places import Places  # noqa: PLC0415
    from control_plane.drivers.nbd import NbdExports  # noqa: PLC0415
    from control_plane.drivers.real import (  # noqa: PLC0415
        LogNotifier,
        RealWorld,
        Settings,
        WebhookNotifier,
    )
    from control_plane.drivers.system_clock import SystemClock  # noqa: PLC0415

    settings = Settings(witnesses=tuple(_witness(text) for text in witnesses))
    if webhook is not None and _REFERENCE.fullmatch(webhook) is None:
        raise YuiError(
            "webhook-invalid",
            en="A webhook's address may hold a secret, so name where it is kept: file:/PATH or env:NAME.",
            ja="Webhook のアドレスは秘密を含むことがあるため、file:/パス か env:名前 で置き場所を指定してください。",
        )
    with ExitStack() as closing:
        clock = SystemClock()
        notifiers: list[Notifier] = [LogNotifier()]
        if webhook is not None:
            hook = WebhookNotifier(webhook)
            closing.callback(hook.close)
            notifiers.append(hook)
        world = RealWorld(
            settings,
            notifiers=notifiers,
            clock=clock,
            objects=Places(clock).open,
            containers=containers,
            disk_exports=None if disk_address is None else NbdExports(disk_address),
        )
        closing.callback(world.close)
        yield world


@contextmanager
def world_for_trying_out(store: Store, pace: float) -> Iterator[World]:
    """Hosts in this process's memory, which live `pace` seconds in each real one, and the control
    plane's clock with them. They begin empty each time."""
    from control_plane.drivers.simulated import SimulatedWorld  # noqa: PLC0415

    with store.read() as tx:
        pools = [pool for site in tx.sites() for pool in site.storage_pools]
    yield SimulatedWorld(storage=pools, started_at=datetime.now(UTC), pace=pace)


def _witness(text: str) -> Witness:
    from control_plane.drivers.real import Witness  # noqa: PLC0415

    found = _WITNESS.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise YuiError(
            "witness-invalid",
            en=f"'{text[:80]}' is no witness: give ADDRESS:PORT, such as 192.0.2.1:53.",
            ja=f"「{text[:80]}」は正しくありません。192.0.2.1:53 のように アドレス:ポート で指定してください。",
        )
    return Witness(found[1].strip("[]"), int(found[2]))
