"""A cloud on this machine with one site of two real hosts, and what tests of it have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from deploy.local import LocalSite, why_no_local_hosts
from deploy.local.cloud import LocalCloud
from tests.images.conftest import KEPT
from tests.images.guest import need

MIKASA = "012220"
MEMBERS = Path(__file__).parents[2] / "examples" / "trial" / "members.csv"
SITE = LocalSite("hokkaido", "hokkaido", "北海道データセンター", "北海道", ("北海道",))
PATIENCE_S = 240

T = TypeVar("T")


@contextmanager
def one_site(folder: Path, *, images: Path = KEPT, segments: bool = False) -> Iterator[LocalCloud]:
    """`segments` keeps members apart on the wire. Skips where hosts can't be had."""
    why = why_no_local_hosts()
    if why is not None:
        pytest.skip(why.en)
    need("qemu-img", "qemu-system-x86_64", "xorriso")
    made = LocalCloud.create(
        folder, MEMBERS, images=images, sites=(SITE,), hosts_per_site=2, segments=segments
    )
    try:
        yield made
    finally:
        made.destroy()


def until(so: Callable[[], T | None]) -> T:
    """What it answers once it is true; a bound on waiting, and no measurement."""
    end = time.monotonic() + PATIENCE_S
    while not (found := so()):
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.5)
    return found


def writes(server: dict[str, Any], text: str) -> bool:
    """Whether a record was kept by the server's guest."""
    address = ip_interface(server["address"]).ip
    try:
        sent = httpx.post(f"http://{address}/records", content=text, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return sent.status_code == 201


def records(server: dict[str, Any]) -> list[str]:
    address = ip_interface(server["address"]).ip
    found: list[str] = httpx.get(f"http://{address}/records", timeout=5, trust_env=False).json()[
        "records"
    ]
    return found
