"""A bucket as an object store: Amazon's, Ceph's, MinIO's, or of whoever else speaks S3.

Where the bucket keeps versions, as object lock needs it to, an object is the newest of its versions,
and deleting it deletes them all.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from backup.objects.places import S3Place
from backup.objects.s3_answers import Declined, Verdict
from backup.objects.s3_asking import Asking, Patience
from backup.objects.s3_bucket import S3Bucket
from backup.objects.s3_claims import Claims, Taken
from backup.objects.steady_clock import SteadyClock
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectFacts,
    ObjectLocked,
    check_key,
    is_key,
)
from control_plane.drivers.world import Clock


class S3Store:
    """An ObjectStore (control_plane/drivers/objects.py). Speaks to nobody until it is asked something.
    `threads` bounds its connections, `page` how many objects one request of a listing asks for."""

    def __init__(
        self,
        place: S3Place,
        clock: Clock,
        *,
        patience: Patience | None = None,
        threads: int = 32,
        page: int = 1000,
    ) -> None:
        self._prefix = place.prefix
        self._name = place.name
        asking = Asking(place, clock, patience or Patience(), threads)
        self._bucket = S3Bucket(asking, place.bucket, page)
        self._clock = SteadyClock(self._bucket.date, clock.monotonic)
        self._claims = Claims(self._bucket, place.prefix, self._clock, clock, place.name)
        self._heeds_conditions: bool | None = None

    @property
    def name(self) -> str:
        return self._name

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        full, what = self._full(key), f"take {key}"
        more: dict[str, Any] = {}
        if locked_until is not None:
            more["ObjectLockMode"] = "COMPLIANCE"
            more["ObjectLockRetainUntilDate"] = _whole_second(locked_until)
        try:
            if not only_new:
                self._bucket.put(what, full, data, **more)
            elif self.heeds_conditions():
                self._bucket.put(what, full, data, IfNoneMatch="*", **more)
            else:
                self._claims.put_new(key, lambda: self._bucket.put(what, full, data, **more))
        except Taken:
            raise self._exists(key) from None
        except Declined as no:
            if not only_new or no.answer.verdict is not Verdict.PRESENT:
                raise self._bucket.refusal(no, what, locking=locked_until is not None) from None
            # It may be there because an earlier try landed, and only its answer was lost.
            if not (no.doubtful and self.get(key) == data):
                raise self._exists(key) from None

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        full, what = self._full(key), f"give {key}"
        if length is not None and length <= 0:
            self.stat(key)
            return b""
        end = None if length is None else start + length
        try:
            return self._bucket.get(what, full, start=start, end=end)
        except Declined as no:
            if no.answer.verdict is Verdict.BEYOND:
                return b""
            if no.answer.verdict is Verdict.ABSENT:
                raise self._absent(key) from None
            raise self._bucket.refusal(no, what) from None

    def stat(self, key: str) -> ObjectFacts:
        found = self._head(key)
        modified = found["LastModified"].astimezone(UTC)
        return ObjectFacts(key, int(found["ContentLength"]), modified, _retention(found))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectFacts]:
        before = self._prefix
        try:
            found = self._bucket.below("list", before + prefix, before + after if after else "")
            for each in found:
                key = each["Key"].removeprefix(before)
                if is_key(key):
                    yield ObjectFacts(key, int(each["Size"]), each["LastModified"].astimezone(UTC))
        except Declined as no:
            raise self._bucket.refusal(no, "list") from None

    def delete(self, key: str) -> None:
        full, what = self._full(key), f"delete {key}"
        try:
            if not self._bucket.keeps_versions():
                self._bucket.delete(what, full)
                return
            # The newest goes last, lest an older one take its place for all to see.
            for version in reversed(self._bucket.versions(what, full)):
                self._delete_version(key, what, version)
        except Declined as no:
            raise self._bucket.refusal(no, what) from None

    def lock(self, key: str, until: datetime) -> None:
        what, until = f"lock {key}", _whole_second(until)
        found = self._head(key)
        if _holds(found, until):
            return
        # Of this version, whatever is put meanwhile.
        version = {"VersionId": found["VersionId"]} if "VersionId" in found else {}
        try:
            self._bucket.lock(what, self._full(key), until, **version)
        except Declined as no:
            # Another may have extended it further meanwhile, and shortening is refused.
            if not _holds(self._head(key), until):
                raise self._bucket.refusal(no, what, locking=True) from None

    def now(self) -> datetime:
        """By the Date of its answers."""
        try:
            return self._clock.now()
        except Declined as no:
            raise self._bucket.refusal(no, "tell the time") from None

    def heeds_conditions(self) -> bool:
        """Whether the bucket refuses a second put with `If-None-Match: *`, found out by trying it once."""
        if self._heeds_conditions is None:
            probe, what = f"{self._prefix}.probes/{secrets.token_hex(16)}", "take a probe"
            self._bucket.put(what, probe, b"first")
            try:
                self._bucket.put(what, probe, b"second", IfNoneMatch="*")
                heeds = False
            except Declined as no:
                if no.answer.verdict is not Verdict.PRESENT and no.answer.status != 501:
                    raise
                heeds = no.answer.verdict is Verdict.PRESENT
            finally:
                self._claims.withdraw(probe)
            self._heeds_conditions = heeds
        return self._heeds_conditions

    def keeps_retention(self, key: str) -> bool:
        """Whether the store itself refuses to shorten the retention of what is under it, and to delete
        that. Where it does not, the object is gone afterwards."""
        full, what = self._full(key), f"test the retention of {key}"
        version = {"VersionId": self._head(key)["VersionId"]}
        kept = True
        attempts: Sequence[Callable[[], None]] = (
            lambda: self._bucket.lock(what, full, self.now() + timedelta(seconds=1), **version),
            lambda: self._bucket.delete(what, full, BypassGovernanceRetention=True, **version),
            lambda: self._bucket.delete(what, full, **version),
        )
        for attempt in attempts:
            with contextlib.suppress(Declined):
                attempt()
                kept = False
        return kept

    def uncover(self, prefix: str) -> int:
        """Put on top again what was put under retention first, of every key that begins with `prefix`
        and that somebody has deleted or put anew since; how many that were. For after an attack:
        whoever has the credentials can hide what is under retention, and nobody can destroy it."""
        what, uncovered = "list versions", 0
        try:
            for versions in self._bucket.versions_below(what, self._prefix + prefix):
                uncovered += self._uncover(versions)
        except Declined as no:
            raise self._bucket.refusal(no, what) from None
        return uncovered

    def _uncover(self, versions: Sequence[Mapping[str, Any]]) -> bool:
        full = versions[0]["Key"]
        key = full.removeprefix(self._prefix)
        if len(versions) == 1 or not is_key(key):
            return False
        for found in reversed(versions):
            version = {"VersionId": found["VersionId"]}
            held = self._bucket.head(f"tell of {key}", full, **version) if "Size" in found else None
            until = None if held is None else _retention(held)
            if until is not None and until > self.now():
                data = self._bucket.get(f"give {key}", full, **version)
                if found["IsLatest"] or ("Size" in versions[0] and self.get(key) == data):
                    return False
                self.put(key, data, locked_until=until)
                return True
        return False

    def _full(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _head(self, key: str) -> Mapping[str, Any]:
        what = f"tell of {key}"
        try:
            found = self._bucket.head(what, self._full(key))
        except Declined as no:
            raise self._bucket.refusal(no, what) from None
        if found is None:
            raise self._absent(key)
        return found

    def _delete_version(self, key: str, what: str, version: str) -> None:
        try:
            self._bucket.delete(what, self._full(key), VersionId=version)
        except Declined as no:
            if no.answer.verdict is Verdict.DENIED:
                self._refuse_if_locked(key, version)
            raise

    def _refuse_if_locked(self, key: str, version: str) -> None:
        try:
            held = self._bucket.head(f"tell of {key}", self._full(key), VersionId=version)
        except Declined:
            # A deletion by somebody else has nothing to tell, or these credentials may not ask.
            return
        if held is None:
            return
        if held.get("ObjectLockLegalHoldStatus") == "ON":
            raise ObjectLocked(f"{key} in {self.name} is under a legal hold.")
        until = _retention(held)
        if until is not None and until > self.now():
            raise ObjectLocked(
                f"{key} in {self.name} is under retention until {until:%Y-%m-%d %H:%M:%S} UTC."
            )

    def _exists(self, key: str) -> ObjectExists:
        return ObjectExists(f"{key} is in {self.name} already.")

    def _absent(self, key: str) -> NoSuchObject:
        return NoSuchObject(f"There is no {key} in {self.name}.")


def _retention(found: Mapping[str, Any]) -> datetime | None:
    until = found.get("ObjectLockRetainUntilDate")
    return None if until is None else until.astimezone(UTC)


def _holds(found: Mapping[str, Any], until: datetime) -> bool:
    held = _retention(found)
    return held is not None and held >= until


def _whole_second(until: datetime) -> datetime:
    """Not before `until`: S3 knows no parts of seconds."""
    until = until.astimezone(UTC)
    whole = until.replace(microsecond=0)
    return whole if whole == until else whole + timedelta(seconds=1)
