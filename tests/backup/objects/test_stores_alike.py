"""Whatever is done to them in whatever order, a folder and the simulated World's store answer alike."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backup.objects.directory import DirectoryStore
from control_plane.drivers.objects import ObjectStore, ObjectStoreError
from control_plane.drivers.simulated import SimulatedWorld
from tests.thoroughness import examples

KEYS = st.sampled_from(["a/b", "a/c", "a.b", "a-b/c", "a-b/c.d", "b/a/a", "b/a-a", "b/aa"])
PREFIXES = st.sampled_from(["", "a", "a/", "a-", "b/a", "b/a/", "a-b/c", "c"])
DATA = st.binary(max_size=20)


def outcome(do: Callable[[], object]) -> object:
    try:
        return do()
    except ObjectStoreError as error:
        return type(error)


class Alike(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="yui-alike-")
        world = SimulatedWorld()
        self.stores: tuple[ObjectStore, ...] = (
            DirectoryStore(Path(self.folder.name)),
            world.objects("s3://bucket?credentials=env:X"),
        )

    def teardown(self) -> None:
        self.folder.cleanup()

    def both(self, do: Callable[[ObjectStore], object]) -> None:
        one, other = (outcome(lambda store=store: do(store)) for store in self.stores)
        assert one == other

    @rule(
        key=KEYS, data=DATA, only_new=st.booleans(), lock=st.sampled_from([None, None, None, -1, 1])
    )
    def put(self, key: str, data: bytes, only_new: bool, lock: int | None) -> None:
        def put(store: ObjectStore) -> None:
            until = None if lock is None else store.now() + timedelta(hours=lock)
            store.put(key, data, only_new=only_new, locked_until=until)

        self.both(put)

    @rule(key=KEYS, start=st.integers(0, 25), length=st.none() | st.integers(0, 25))
    def get(self, key: str, start: int, length: int | None) -> None:
        self.both(lambda store: store.get(key, start=start, length=length))

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.both(lambda store: store.delete(key))

    @rule(key=KEYS, hours=st.sampled_from([-1, 1]))
    def lock(self, key: str, hours: int) -> None:
        self.both(lambda store: store.lock(key, store.now() + timedelta(hours=hours)))

    @rule(prefix=PREFIXES, after=KEYS | st.just(""))
    def list_part(self, prefix: str, after: str) -> None:
        self.both(lambda store: [(o.key, o.size) for o in store.list(prefix, after=after)])

    @invariant()
    def hold_the_same(self) -> None:
        self.both(lambda store: {o.key: store.get(o.key) for o in store.list("")})


Alike.TestCase.settings = settings(max_examples=examples(15), stateful_step_count=30, deadline=None)
TestAlike = Alike.TestCase
