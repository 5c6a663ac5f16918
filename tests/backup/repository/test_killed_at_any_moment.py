"""Processes that back up and collect are killed, really and at random moments: whatever was completed by
then restores byte for byte, and the next process goes on.
"""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from backup.objects.directory import DirectoryStore
from backup.repository import RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.collector import Collector, CollectorTimes
from control_plane.model.tenant import MunicipalityCode

TENANT = MunicipalityCode("434311")
CHUNK = 4096
CHUNKS = 400
KEPT = 3
# Of seconds, so that packs are condemned and deleted within the test; a writer's last look is followed by
# its manifest much sooner, or it is dead.
TIMES = CollectorTimes(grace=timedelta(seconds=2), young=timedelta(seconds=1))
KILLS = 200
_MEAN_LIFE_S, _LONGEST_LIFE_S = 0.08, 1.0


def disk_of(seed: int) -> dict[int, bytes]:
    """What a disk holds at one time: much as it was before, some of it new, some of it nowhere else."""
    draw = random.Random(seed)  # noqa: S311
    steady = {number: bytes([number % 7 + 1]) * CHUNK for number in range(0, CHUNKS, 9)}
    return steady | {draw.randrange(CHUNKS): draw.randbytes(CHUNK) for _ in range(12)}


@dataclass(frozen=True)
class Municipality:
    folder: Path
    key: RepositoryKey

    def vault(self) -> Vault:
        return Repository.open(DirectoryStore(self.folder), self.key).vault(TENANT)

    def live(self, first_seed: int) -> None:
        """Back up and collect, on and on, until killed."""
        vault = self.vault()
        for seed in count(first_seed):
            points = vault.points()
            base = vault.point(points[-1]) if points and seed % 3 else None
            self._back_up(vault, seed, base)
            expired = [facts.id for facts in vault.points()[:-KEPT]]
            Collector(vault.objects, vault.index, still_mine=lambda: True, times=TIMES).run(expired)

    @staticmethod
    def _back_up(vault: Vault, seed: int, base: RecoveryPoint | None) -> None:
        content = disk_of(seed)
        before = disk_of(int(str(vault.details(base)["seed"]))) if base else {}
        with vault.begin("web", "records", base=base) as writer:
            disk = writer.disk(
                "root",
                CHUNK * CHUNKS,
                base_disk="root" if base else None,
                chunk_bytes=None if base else CHUNK,
            )
            for number in sorted(content.keys() | before.keys()):
                if content.get(number) != before.get(number):
                    disk.put(number * CHUNK, content.get(number, bytes(CHUNK)))
            disk.close()
            writer.commit(consistency="crash", details={"seed": seed})

    def check(self) -> int:
        """How many points there are; every one of them restores, byte for byte."""
        with self.vault() as vault:
            points = vault.points()
            for facts in points:
                point = vault.point(facts)
                restored = bytearray(CHUNK * CHUNKS)
                for offset, data in vault.read(point, "root").stream():
                    restored[offset : offset + len(data)] = data
                expected = bytearray(CHUNK * CHUNKS)
                for number, data in disk_of(int(str(vault.details(point)["seed"]))).items():
                    expected[number * CHUNK : (number + 1) * CHUNK] = data
                assert restored == expected, facts.id
            return len(points)


def lives(municipality: Municipality, times: int) -> Iterator[bool]:
    """One process after another, each killed at a random moment. Whether it was still alive then."""
    draw = random.Random(11)  # noqa: S311
    for life in range(times):
        child = os.fork()
        if child == 0:
            try:
                municipality.live(life * 1000)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        # Most die within their first point, some after many.
        time.sleep(min(draw.expovariate(1 / _MEAN_LIFE_S), _LONGEST_LIFE_S))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        yield os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.long
def test_whatever_was_completed_before_a_kill_restores(tmp_path: Path) -> None:
    municipality = Municipality(tmp_path / "store", RepositoryKey.generate())
    municipality.folder.mkdir()
    Repository.create(DirectoryStore(municipality.folder), municipality.key).vault(
        TENANT, create=True
    ).close()
    completed: list[int] = []
    for killed in lives(municipality, KILLS):
        assert killed, "it ended by itself: something failed that should not"
        completed.append(municipality.check())
    assert sum(there > 0 for there in completed) > KILLS // 4, "hardly any life came to a point"
