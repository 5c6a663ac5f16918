"""A control plane that is killed in the middle leaves nothing half done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from control_plane.store import Store
from tests.store import samples
from tests.store.processes import opened, process, write_half, write_pairs


def test_a_process_killed_inside_a_write_leaves_nothing_of_it(new_url: Callable[[], str]) -> None:
    url = new_url()
    with process(write_half, url) as writer:
        assert writer.hear() == "half written"
        writer.kill()
    with opened(url) as store, store.read() as tx:
        assert tx.servers() == ()
        assert [host.id for host in tx.hosts()] == [samples.host_id(n) for n in (1, 2, 3)]


@pytest.mark.long
def test_a_process_killed_at_any_moment_leaves_whole_transactions(
    new_url: Callable[[], str],
) -> None:
    url = new_url()
    with opened(url) as store:
        samples.furnish(store)
    for written in range(3):
        begin = _next_number(url)
        with process(write_pairs, url, begin) as writer:
            for expected in range(begin, begin + written * 3 + 1):
                assert writer.hear() == expected
            writer.kill()
        assert _next_number(url) > begin + written * 3


def _next_number(url: str) -> int:
    """Every server has its operation, and none is missing in between."""
    with opened(url) as store:
        return _count_pairs(store)


def _count_pairs(store: Store) -> int:
    with store.read() as tx:
        servers = [server.id for server in tx.servers()]
        operations = sorted(operation.id for operation in tx.operations(limit=1000))
    assert servers == [samples.server_id(number) for number in range(len(servers))]
    assert operations == [samples.operation(number).id for number in range(len(servers))]
    return len(servers)
