"""Pools of real hosts for tests: each test folder makes its own and removes every trace of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from control_plane.model.errors import YuiError
from deploy.local import LocalPool, LocalSite, network, why_no_local_hosts

KYOTO = LocalSite("kyoto-dc", region="kyoto", name="京都センター", region_name="京都")


def need_local_hosts() -> None:
    """Skip, with the reason, where this machine can't run hosts."""
    reason = why_no_local_hosts()
    if reason is not None:
        pytest.skip(reason.en)


@contextmanager
def local_pool(
    root: Path,
    sites: Sequence[LocalSite] = (KYOTO,),
    hosts_per_site: int = 2,
    *,
    accelerated: bool | None = False,
    segments: bool = False,
) -> Iterator[LocalPool]:
    """A pool in a network that nothing else uses."""
    need_local_hosts()
    for attempts_left in (4, 3, 2, 1, 0):
        try:
            pool = LocalPool.create(
                root,
                sites,
                hosts_per_site,
                subnet=network.free_subnet(),
                accelerated=accelerated,
                segments=segments,
            )
            break
        except YuiError as refused:
            # Another test run on this machine took the same network a moment earlier.
            if refused.type != "local-subnet-in-use" or not attempts_left:
                raise
    try:
        yield pool
    finally:
        pool.destroy()
