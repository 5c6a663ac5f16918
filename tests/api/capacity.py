"""Members that may ask for a lot, in tests about something else than quotas."""

from __future__ import annotations

from dataclasses import replace

from control_plane.model.allotment import Capacity
from control_plane.model.units import GiB, MiB, VCpu
from tests.api.conftest import Api


def may_have_much(api: Api, code: str) -> None:
    with api.store.write() as tx:
        for allotment in tx.allotments(code):
            much = Capacity(VCpu(40), MiB(80 * 1024), GiB(400))
            tx.put_allotment(replace(allotment, guaranteed=Capacity(), quota=much))
