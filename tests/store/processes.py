"""Control planes in processes of their own, which tests can stop, wake and kill."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.store import Store
from tests.store import samples

_fork = multiprocessing.get_context("fork")
_LONG = 60.0


@dataclass
class Process:
    pid: int
    _talk: Connection
    _process: Any

    def hear(self) -> object:
        """The next thing it says; fails when it says nothing for a minute."""
        assert self._talk.poll(_LONG), "the process says nothing"
        return self._talk.recv()

    def say(self, word: str) -> None:
        self._talk.send(word)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join()


@contextmanager
def process(work: Callable[..., None], *arguments: object) -> Iterator[Process]:
    """Runs `work(talk, *arguments)`; whatever state it is in, it is gone afterwards."""
    ours, theirs = _fork.Pipe()
    running = _fork.Process(target=_live, args=(ours, work, theirs, *arguments))
    running.start()
    theirs.close()
    assert running.pid is not None
    try:
        yield Process(running.pid, ours, running)
    finally:
        running.kill()
        running.join()
        ours.close()


def _live(ours: Connection, work: Callable[..., None], *arguments: object) -> None:
    # What the tests have is theirs: nothing of it is to be closed here.
    gc.freeze()
    ours.close()
    work(*arguments)


@contextmanager
def opened(url: str, patience: Seconds = Seconds(30)) -> Iterator[Store]:
    store = Store.open(url, patience=patience)
    try:
        yield store
    finally:
        store.close()


def lead(talk: Connection, url: str, patience: Seconds) -> None:
    """Takes the lease, then writes a region under it step by step as it is told."""
    with opened(url, patience) as store:
        lease = store.acquire_lease("reconciler", "one", Seconds(10), samples.NOON)
        assert lease is not None
        talk.send("holds the lease")
        talk.recv()
        try:
            with store.write(lease) as tx:
                talk.send("inside")
                talk.recv()
                tx.put_region(samples.region(name="written by one"))
        except YuiError as error:
            talk.send(error.type)
        else:
            talk.send("written")


def write_half(talk: Connection, url: str) -> None:
    """Writes most of a transaction, says so, and never ends it."""
    with opened(url) as store:
        samples.furnish(store)
        with store.write() as tx:
            tx.add_server(samples.server(1))
            tx.remove_host(samples.host_id(3))
            talk.send("half written")
            talk.recv()


def write_pairs(talk: Connection, url: str, begin: int) -> None:
    """Adds servers without end, an operation with each, and counts aloud."""
    with opened(url) as store:
        for number in range(begin, begin + 200):
            with store.write() as tx:
                tx.put_operation(samples.operation(number))
                tx.add_server(samples.server(number))
            talk.send(number)
