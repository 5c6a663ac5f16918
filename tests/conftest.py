"""What every folder of tests shares."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.postgresql import NoPostgreSQL, PostgreSQL, running_postgresql

if TYPE_CHECKING:
    from tests.kubernetes_cluster import Cluster

LONGEST_FIRST = (
    "tests/local/test_openstack_tools.py",
    "tests/drivers/libvirt/test_libvirt_contract.py",
    "tests/local/test_members_apart.py",
    "tests/drivers/libvirt/test_libvirt_backups.py",
    "tests/scenarios/test_stories.py",
    "tests/reconcile/test_killed_anywhere.py",
    "tests/bad_input",
    "tests/api/test_every_request_imaginable.py",
    "tests/api/test_members_see_no_hardware.py",
    "tests/backup/keeper",
    "tests/demo",
    "tests/cli/test_cli_story.py",
    "tests/images/test_judgement.py",
    "tests/scenarios",
    "tests/tenants/test_leaving.py",
    "tests/access/test_the_walk.py",
    "tests/placement/test_survival.py",
    "tests/backup/repository/test_damage.py",
    "tests/cli",
)
"""Where workers share the files among them, short ones are left to fill the end with."""


def pytest_configure() -> None:
    """A shell without job control has what it starts in the background ignore interrupts, and so would
    every process that a test starts and interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Hardly anything becomes garbage before all tests are collected."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        starts = enumerate(LONGEST_FIRST)
        return next(
            (at for at, start in starts if item.nodeid.startswith(start)), len(LONGEST_FIRST)
        )

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """What has been loaded by now stays to the end: no search for garbage needs to look through it
    again, and no child process copies it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """A PostgreSQL cluster of our own: `postgresql.url()` is a new, empty database in it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder of its own in the one of the whole run.
        shared = shared.parent
    try:
        with running_postgresql(shared) as cluster:
            yield cluster
    except NoPostgreSQL as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Cluster]:
    """A Kubernetes that really runs pods; for tests that carry `hypervisor`."""
    # Its client takes long to load, and few want it.
    from tests.kubernetes_cluster import NoKubernetes, running_kubernetes

    try:
        with running_kubernetes() as cluster:
            yield cluster
    except NoKubernetes as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def volume_agent_image(kubernetes: Cluster) -> str:
    """For the pods beside volumes."""
    from tests.kubernetes_cluster import NoKubernetes, agent_image

    try:
        return agent_image(kubernetes)
    except NoKubernetes as error:
        pytest.skip(str(error))
