"""Puts something new, and only that, in buckets that do not heed the condition of a put.

The gateway of Ceph 16 looks, in a bucket that keeps versions, for the new version under the
condition, which is never there; older stores know no condition at all. What all have is that a listing
shows what was put before it began. So whoever wants to put lays down a claim of its own beside the key
first, and looks who else has: only who sees no other claim goes on to look for the object, and puts it
where there is none. Of two, the one whose claim came to lie later sees the other's; both may, and then
both withdraw and come again. A claim is taken up only after its object lies there, so that whoever comes
later sees one of the two.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from backup.objects.s3_answers import Declined
from backup.objects.s3_bucket import S3Bucket
from backup.objects.steady_clock import SteadyClock
from control_plane.drivers.objects import StoreUnavailable
from control_plane.drivers.world import Clock
from control_plane.model.units import Seconds

STALE = timedelta(hours=2)
"""By the store's clock: whoever laid it down has died. Far above what a put may take over
the slowest link."""
IN_TIME = Seconds(120.0)
"""From one's claim to the beginning of one's put."""
_TURNS = 10


class Taken(Exception):
    """The object is there."""


class Claims:
    def __init__(
        self, bucket: S3Bucket, prefix: str, store_clock: SteadyClock, clock: Clock, name: str
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._store_clock = store_clock
        self._clock = clock
        self._name = name
        self._chance = secrets.SystemRandom()

    def put_new(self, key: str, put: Callable[[], None]) -> None:
        """`put` the object that lies under the place's `key`, if none is there. Raises Taken,
        StoreUnavailable, Declined, and what `put` raises."""
        for turn in range(_TURNS):
            claim = f"{self._prefix}.claims/{key}/{secrets.token_hex(16)}"
            laid = self._clock.monotonic()
            self._bucket.put(f"take a claim to {key}", claim, b"")
            alone = self._is_alone(key, claim)
            if self._bucket.head(f"tell of {key}", self._prefix + key) is not None:
                self.withdraw(claim)
                raise Taken
            if alone:
                if self._clock.monotonic() - laid > IN_TIME:
                    self.withdraw(claim)
                    raise StoreUnavailable(f"{self._name} took too long to let {key} be claimed.")
                try:
                    put()
                except StoreUnavailable:
                    # The put may land yet: until that is out of the question nobody else may.
                    raise
                except BaseException:
                    self.withdraw(claim)
                    raise
                self.withdraw(claim)
                return
            self.withdraw(claim)
            self._clock.sleep(Seconds(self._chance.uniform(0, 0.1 * 2 ** min(turn, 6))))
        raise StoreUnavailable(f"Others have been putting {key} into {self._name} all along.")

    def _is_alone(self, key: str, claim: str) -> bool:
        alone = True
        oldest = None
        for found in self._bucket.below(
            f"list the claims to {key}", f"{self._prefix}.claims/{key}/"
        ):
            if found["Key"] == claim:
                continue
            if oldest is None:
                oldest = self._store_clock.now() - STALE
            if found["LastModified"] < oldest:
                self.withdraw(found["Key"])
            else:
                alone = False
        return alone

    def withdraw(self, claim: str) -> None:
        """As far as possible: it goes stale by itself."""
        what = "forget a claim"
        try:
            if not self._bucket.keeps_versions():
                self._bucket.delete(what, claim)
                return
            for version in self._bucket.versions(what, claim):
                self._bucket.delete(what, claim, VersionId=version)
        except (Declined, StoreUnavailable):
            return
