"""A store that fails, fills up or shuts one out in the middle of a backup: a clear error and no point,
never a point with a hole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from backup.repository import PointWriter
from control_plane.drivers.objects import (
    ObjectStoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from control_plane.drivers.simulated import Bucket
from tests.backup.repository.sparse_disks import (
    CHUNK,
    DETAILS,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)

DISK = Disk(40 * CHUNK, {n: noise(n) for n in range(40)})


def write_and_commit(writer: PointWriter) -> None:
    taken = writer.disk("root", DISK.size, chunk_bytes=CHUNK)
    taken.put(0, DISK.bytes_of(0, 40))
    taken.close()
    writer.commit(consistency="crash", details=DETAILS)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        pytest.param(lambda b: b.fail(call="put", times=1), StoreUnavailable, id="503"),
        pytest.param(lambda b: b.fail(call="list", times=1), StoreUnavailable, id="no lists"),
        pytest.param(lambda b: b.lose_answers(call="put", times=1), StoreUnavailable, id="silence"),
        pytest.param(lambda b: b.fill(1000), StoreFull, id="full"),
        pytest.param(lambda b: b.revoke(), StoreRefused, id="revoked"),
        pytest.param(lambda b: b.cut_link(), StoreUnavailable, id="link down"),
    ],
)
def test_trouble_in_mid_backup_leaves_no_point(
    trouble: Callable[[Bucket], None], error: type[ObjectStoreError]
) -> None:
    place = Place()
    with place.vault.begin("web", "residents") as writer:
        trouble(place.bucket)
        with pytest.raises(error):
            write_and_commit(writer)
        # And none comes of it when it is tried on.
        heal(place.bucket)
        with pytest.raises((ObjectStoreError, ValueError)):
            writer.commit(consistency="crash", details=DETAILS)
    assert place.again().points() == []
    point = back_up(place.again(), DISK)
    assert_reads_as(place.again().read(point, "root"), DISK)


def heal(bucket: Bucket) -> None:
    bucket.empty()
    bucket.grant()
    bucket.restore_link()


def test_a_failed_upload_is_never_hidden_by_later_ones() -> None:
    """Packs go to the store while more comes in; the first that fails ends the writer."""
    place = Place()
    with place.vault.begin("web", "residents") as writer:
        taken = writer.disk("root", 20_000 * CHUNK, chunk_bytes=CHUNK)
        for number in range(5000):
            taken.put(number * CHUNK, noise(number))
        place.bucket.fail(call="put", times=1)
        with contextlib.suppress(StoreUnavailable):
            for number in range(5000, 20_000):
                taken.put(number * CHUNK, noise(number))
        assert number < 15_000
        with pytest.raises(StoreUnavailable):
            taken.put(19_999 * CHUNK, noise(19_999))
        with pytest.raises(StoreUnavailable):
            taken.close()
        with pytest.raises(ValueError, match="still open"):
            writer.commit(consistency="crash", details=DETAILS)
    assert place.keys("points") == []
    assert place.keys("packs")
