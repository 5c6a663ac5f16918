"""What every platform's volumes do, real or simulated (control_plane/drivers/container_volumes.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.container_volumes import (
    ClaimBusy,
    ContainerVolumes,
    FileEntry,
    FileKind,
    HookFailed,
    VolumeClaim,
)
from control_plane.model.ids import ContainerGroupId
from control_plane.model.tenant import MunicipalityCode

# A member of its own: others on the same Kubernetes have a claim of that name too.
TENANT = MunicipalityCode("012289")
GROUP = ContainerGroupId("cg-aaaabbbbccccdddd")
NOBODY = ContainerGroupId("cg-0000000000000000")
CLAIM = VolumeClaim("data", 1 << 28, "manual")


class Stage(Protocol):
    """A group with one claim, `CLAIM`, at the hands of a test."""

    @property
    def volumes(self) -> ContainerVolumes: ...

    def fill(self, files: Mapping[bytes, bytes]) -> None:
        """Its files, from now on; no others are there."""
        ...

    def run(self, wants: Consistency, *, hook_fails: bool = False) -> None:
        """Let it run, wanting that while it is read."""
        ...

    def stop(self) -> None: ...

    def runs(self) -> bool: ...


class VolumesContract:
    def test_a_stopped_groups_files_are_read_as_they_are(self, stage: Stage) -> None:
        big = bytes(range(256)) * 8192
        stage.stop()
        stage.fill({b"big": big, b"small": b"x", b"empty": b""})
        assert [each.name for each in stage.volumes.claims(TENANT, GROUP)] == ["data"]
        with stage.volumes.reading(TENANT, GROUP) as reading:
            assert reading.consistency is Consistency.STOPPED
            (volume,) = reading.volumes
            assert volume.claim.size_bytes >= CLAIM.size_bytes
            entries = list(volume.walk())
            assert [each.path for each in entries] == [b"", b"big", b"empty", b"small"]
            found = {each.path: each for each in entries}
            assert found[b""].kind is FileKind.DIRECTORY
            asked = [(found[b"big"], 0, 1 << 20), (found[b"big"], 1 << 20, 1 << 20)]
            asked += [(found[b"small"], 0, 100)]
            pieces = list(volume.read(asked))
        assert b"".join(each.data for each in pieces) == big + b"x"
        assert all(each.same for each in pieces)

    def test_a_file_that_goes_or_grows_while_it_is_read_is_told(self, stage: Stage) -> None:
        stage.stop()
        stage.fill({b"goes": b"1", b"grows": b"22"})
        with stage.volumes.reading(TENANT, GROUP) as reading:
            (volume,) = reading.volumes
            found = {each.path: each for each in volume.walk()}
            stage.fill({b"grows": b"2222"})
            pieces = list(volume.read([(found[b"goes"], 0, 1), (found[b"grows"], 0, 2)]))
        assert [(each.data, each.same) for each in pieces] == [(b"", False), (b"22", False)]

    def test_a_group_that_does_not_run_here_keeps_nothing(self, stage: Stage) -> None:
        assert list(stage.volumes.claims(TENANT, NOBODY)) == []

    def test_what_a_group_wants_while_it_is_read_is_done(self, stage: Stage) -> None:
        stage.fill({b"a": b"1"})
        for wants in (Consistency.CRASH, Consistency.QUIESCED, Consistency.STOPPED):
            stage.run(wants)
            with stage.volumes.reading(TENANT, GROUP) as reading:
                assert reading.consistency is wants
                assert stage.runs() is (wants is not Consistency.STOPPED)
            assert stage.runs()

    def test_what_was_stopped_to_be_read_runs_again_where_nobody_is_left_to_end_it(
        self, stage: Stage
    ) -> None:
        stage.run(Consistency.STOPPED)
        left = stage.volumes.reading(TENANT, GROUP)
        left.__enter__()
        assert not stage.runs()
        stage.volumes.end_reading(TENANT, GROUP)
        assert stage.runs()
        stage.volumes.end_reading(TENANT, GROUP)
        assert stage.runs()
        left.__exit__(None, None, None)

    def test_a_group_whose_command_fails_is_not_read(self, stage: Stage) -> None:
        stage.run(Consistency.QUIESCED, hook_fails=True)
        with pytest.raises(HookFailed), stage.volumes.reading(TENANT, GROUP):
            pass
        with stage.volumes.reading(TENANT, GROUP, quiesce=False) as reading:
            assert reading.consistency is Consistency.CRASH

    def test_nothing_is_written_under_a_group_that_runs_or_over_files_unasked(
        self, stage: Stage
    ) -> None:
        stage.fill({b"old": b"1"})
        stage.run(Consistency.CRASH)
        with (
            pytest.raises(ClaimBusy),
            stage.volumes.writing(TENANT, GROUP, CLAIM, replace=True),
        ):
            pass
        stage.stop()
        with (
            pytest.raises(ClaimBusy),
            stage.volumes.writing(TENANT, GROUP, CLAIM, replace=False),
        ):
            pass
        with stage.volumes.writing(TENANT, GROUP, CLAIM, replace=True) as into:
            into.put(FileEntry(b"", FileKind.DIRECTORY, 0o755, 0, 0, 10**18))
            into.put(FileEntry(b"new", FileKind.FILE, 0o640, 7, 8, 10**18, size=5))
            into.write(2, b"abc")
            assert list(into.finish()) == []
        with stage.volumes.reading(TENANT, GROUP) as reading:
            (volume,) = reading.volumes
            _, new = volume.walk()
            (piece,) = volume.read([(new, 0, 5)])
        assert (new.path, new.mode, new.uid, new.gid) == (b"new", 0o640, 7, 8)
        assert (new.modified_ns, piece.data) == (10**18, b"\0\0abc")
