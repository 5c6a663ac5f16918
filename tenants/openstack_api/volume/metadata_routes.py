"""Words of a member's own about its volumes, which `/v1` calls labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.server_notes import MOST_LABELS
from control_plane.store import Snapshot
from tenants.asking import Asker
from tenants.openstack_api.answers import Answer
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.models import MetadataIn, MetaIn
from tenants.openstack_api.volume.read_routes import Reader, VolumeRef, own_volume
from tenants.openstack_api.volume.refusals import as_cinder_says, unsupported
from tenants.openstack_api.volume.view import Json, View, VolumeView
from tenants.volumes.describing import describe

routes = Routes()

Writer = Annotated[Principal, needs(Permission.VOLUMES_WRITE)]
Key = Annotated[str, Path(max_length=255)]
_PATH = "/volumes/{volume}/metadata"
_Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Labelling:
    """Changes the labels of one volume, once."""

    edge: Edge
    once: OnceOnly
    view: VolumeView

    def run(
        self,
        who: Principal,
        volume: str,
        change: Callable[[_Labels], _Labels],
        show: Callable[[_Labels], Json],
    ) -> Response:
        def work(remember: Remember) -> Answer:
            with self.edge.store.write() as tx:
                found = own_volume(tx, volume, self.view)
                labels = change(dict(found.labels))
                if len(labels) > MOST_LABELS:
                    raise unsupported(
                        "metadata",
                        f"has more than {MOST_LABELS} items",
                        f"は {MOST_LABELS} 個までです",
                    )
                asker = Asker(who, self.edge.clock.now())
                describe(tx, found, asker, labels=tuple(sorted(labels.items())))
                answer = Answer(show(labels))
                remember(tx, answer)
            return answer

        with as_cinder_says():
            return self.view.retold(self.once.run(work))


async def _labelling(edge: AtHand, once: Once, view: View) -> _Labelling:
    return _Labelling(edge, once, view)


Labelling = Annotated[_Labelling, Depends(_labelling)]


@routes.get(_PATH)
async def read_metadata(volume: VolumeRef, _: Reader, view: View, edge: AtHand) -> Response:
    """All of a volume's metadata."""
    labels = await edge.look(lambda tx: _labels(tx, volume, view))
    return view.told({"metadata": labels})


@routes.post(_PATH)
@audited("volume.protect", "volume")
def add_metadata(
    volume: VolumeRef, body: MetadataIn, who: Writer, labelling: Labelling
) -> Response:
    """Adds to a volume's metadata, or changes what it has of the same names."""
    return labelling.run(
        who, volume, lambda now: now | body.metadata, lambda now: {"metadata": now}
    )


@routes.put(_PATH)
@audited("volume.protect", "volume")
def replace_metadata(
    volume: VolumeRef, body: MetadataIn, who: Writer, labelling: Labelling
) -> Response:
    """Puts other metadata in place of all that there is."""
    return labelling.run(who, volume, lambda _: dict(body.metadata), lambda now: {"metadata": now})


@routes.get(_PATH + "/{key}")
async def read_meta(volume: VolumeRef, key: Key, _: Reader, view: View, edge: AtHand) -> Response:
    """One item of a volume's metadata."""
    labels = await edge.look(lambda tx: _labels(tx, volume, view))
    if key not in labels:
        raise _missing(key)
    return view.told({"meta": {key: labels[key]}})


@routes.put(_PATH + "/{key}")
@audited("volume.protect", "volume")
def put_meta(
    volume: VolumeRef, key: Key, body: MetaIn, who: Writer, labelling: Labelling
) -> Response:
    """Sets one item of a volume's metadata."""
    if set(body.meta) != {key}:
        raise unsupported(
            "meta", f"names another key than {key[:60]}", f"のキーが {key[:60]} と異なります"
        )
    return labelling.run(who, volume, lambda now: now | body.meta, lambda _: {"meta": body.meta})


@routes.delete(_PATH + "/{key}", 200)
@audited("volume.protect", "volume")
def remove_meta(volume: VolumeRef, key: Key, who: Writer, labelling: Labelling) -> Response:
    """Takes one item off a volume's metadata."""

    def without(now: _Labels) -> _Labels:
        if key not in now:
            raise _missing(key)
        return {name: text for name, text in now.items() if name != key}

    return labelling.view.retold(labelling.run(who, volume, without, lambda _: {}), empty=True)


def _labels(tx: Snapshot, volume: str, view: VolumeView) -> _Labels:
    return dict(own_volume(tx, volume, view).labels)


def _missing(key: str) -> YuiError:
    shown = "".join(c if c.isprintable() else "?" for c in key[:60])
    return YuiError(
        "metadata-not-found",
        en=f"The volume has no metadata with the key {shown}.",
        ja=f"ボリュームにキー {shown} のメタデータはありません。",
        status=404,
    )
