"""The requests that an S3 store is made of, to one bucket, by the bucket's own keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from typing import Any, TypeVar

from botocore.exceptions import ReadTimeoutError

from backup.objects.s3_answers import Declined, NotAnAnswer, Verdict
from backup.objects.s3_asking import Asking
from control_plane.drivers.objects import (
    ObjectStoreError,
    StoreFull,
    StoreRefused,
)

T = TypeVar("T")
_Found = Mapping[str, Any]
_Page = tuple[Sequence[_Found], Mapping[str, str] | None]
"""And how to ask for the next one; None: there is none."""
_PIECE = 256 << 10
_MOST_EMPTY = 10_000
"""Pages of a listing, one after another."""
_WITHOUT_LOCK = {"InvalidRequest", "InvalidBucketState", "ObjectLockConfigurationNotFoundError"}


class S3Bucket:
    """`page` is how many objects one request of a listing asks for. `what` of each method ends the
    sentence "it did not …". All raise StoreUnavailable, and Declined with what the store said no to."""

    def __init__(self, asking: Asking, name: str, page: int) -> None:
        self._asking = asking
        self._bucket = name
        self._page = page
        self._versions: bool | None = None

    def put(self, what: str, key: str, data: bytes, **more: object) -> None:
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        self._asking.ask(
            what,
            lambda client: _with(
                {"ETag"},
                client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    ContentMD5=digest,
                    ContentType="application/octet-stream",
                    **more,
                ),
            ),
        )

    def get(
        self,
        what: str,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        **more: object,
    ) -> bytes:
        """From `start` to before `end`."""
        part = dict(more)
        if start or end is not None:
            part["Range"] = f"bytes={start}-{'' if end is None else end - 1}"

        def read(client: Any) -> bytes:
            answer = client.get_object(Bucket=self._bucket, Key=key, **part)
            _with({"ContentLength", "ETag"}, answer)
            # Who does not know of parts gives the whole.
            if answer["ResponseMetadata"]["HTTPStatusCode"] != 206 and "Range" in part:
                return self._body(answer, end)[start:end]
            if end is not None and answer["ContentLength"] > end - start:
                raise NotAnAnswer
            return self._body(answer)

        return self._asking.ask(what, read)

    def head(self, what: str, key: str, **more: object) -> _Found | None:
        """None: there is no such object. Declined, too, where there is no such bucket."""

        def look(client: Any) -> _Found:
            found = client.head_object(Bucket=self._bucket, Key=key, **more)
            _time_in(found, "last-modified")
            return _with({"ContentLength", "ETag", "LastModified"}, found)

        try:
            return self._asking.ask(what, look)
        except Declined as no:
            if no.answer.status != 404:
                raise
            # Such an answer has no body that could say whether the bucket is there.
            self._page_of(what, self._list_page, key, {})
            return None

    def below(self, what: str, prefix: str, after: str = "") -> Iterator[_Found]:
        """Objects whose keys begin with `prefix` and sort after `after`, with Key, Size, LastModified."""
        first = {"StartAfter": after} if after else {}
        for page in self._pages(what, self._list_page, prefix, first):
            yield from page

    def lock(self, what: str, key: str, until: datetime, **more: object) -> None:
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        self._asking.ask(
            what,
            lambda client: client.put_object_retention(
                Bucket=self._bucket, Key=key, Retention=retention, **more
            ),
        )

    def keeps_versions(self) -> bool:
        if self._versions is None:
            answer = self._asking.ask(
                "tell whether its bucket keeps versions",
                lambda client: client.get_bucket_versioning(Bucket=self._bucket),
            )
            self._versions = "Status" in answer
        return self._versions

    def versions(self, what: str, key: str) -> Sequence[str]:
        """The newest first, deletions by others among them."""
        # Others whose keys begin with this one sort after it.
        of_first_key = next(self.versions_below(what, key), ())
        return [found["VersionId"] for found in of_first_key if found["Key"] == key]

    def versions_below(self, what: str, prefix: str) -> Iterator[Sequence[_Found]]:
        """By key, the newest first, with Key, VersionId, LastModified, and no Size where somebody
        deleted."""
        of_key: list[_Found] = []
        for page in self._pages(what, self._version_page, prefix, {}):
            # Versions and deletions come apart, and a page may end between the two of one key.
            for found in sorted(page, key=lambda version: version["Key"].encode()):
                if of_key and found["Key"] != of_key[0]["Key"]:
                    yield _newest_first(of_key)
                    of_key = []
                of_key.append(found)
        if of_key:
            yield _newest_first(of_key)

    def delete(self, what: str, key: str, **more: object) -> None:
        """Without a `VersionId` only where the bucket keeps none: it would hide the object."""
        self._asking.ask(
            what, lambda client: client.delete_object(Bucket=self._bucket, Key=key, **more)
        )

    def date(self) -> datetime:
        """Of its answer to a small question."""
        return self._asking.ask(
            "tell the time",
            lambda client: _time_in(client.head_bucket(Bucket=self._bucket), "date"),
        )

    def refusal(self, no: Declined, what: str, *, locking: bool = False) -> ObjectStoreError:
        """What `no` is for whoever does not know S3."""
        name, answer = self._asking.name, no.answer
        if answer.code == "NoSuchBucket" or (answer.status == 404 and what == "tell the time"):
            return StoreRefused(f"{name} has no bucket: make it first.")
        if answer.verdict is Verdict.FULL:
            return StoreFull(f"{name} is full: it did not {what} ({answer.says}).")
        if answer.code == "RequestTimeTooSkewed":
            why = "its clock and this machine's are too far apart"
        elif locking and answer.code in _WITHOUT_LOCK:
            why = "its bucket was made without object lock"
        elif answer.verdict is Verdict.DENIED:
            why = "it does not accept the credentials, or they do not suffice"
        else:
            return StoreRefused(f"{name} did not {what}: {answer.says}.")
        return StoreRefused(f"{name} did not {what}: {why} ({answer.says}).")

    def _body(self, answer: _Found, most: int | None = None) -> bytes:
        """The first `most` bytes, however slowly they come, unless no end can be hoped for."""
        size = answer["ContentLength"] if most is None else min(answer["ContentLength"], most)
        patience = self._asking.patience
        until = self._asking.clock.monotonic() + patience.whole + size / patience.slowest
        pieces = []
        left = size
        with answer["Body"] as body:
            while left and (piece := body.read(min(left, _PIECE))):
                pieces.append(piece)
                left -= len(piece)
                if self._asking.clock.monotonic() > until:
                    raise ReadTimeoutError(endpoint_url=self._asking.name)
        data = b"".join(pieces)
        if len(data) != size:
            raise IncompleteRead(data)
        return data

    def _pages(
        self,
        what: str,
        ask: Callable[[Any, str, Mapping[str, str]], _Page],
        prefix: str,
        first: Mapping[str, str],
    ) -> Iterator[Sequence[_Found]]:
        """Until the last: one that leads back to where it was already is none, nor is the one after ever so
        many that hold nothing."""
        asked: set[tuple[str, ...]] = set()
        which: Mapping[str, str] | None = first
        empty = 0

        def look(client: Any, prefix: str, which: Mapping[str, str]) -> _Page:
            page, further = ask(client, prefix, which)
            if further is not None and (tuple(further.values()) in asked or empty > _MOST_EMPTY):
                raise NotAnAnswer
            return page, further

        while which is not None:
            page, which = self._page_of(what, look, prefix, which)
            asked.add(tuple((which or {}).values()))
            empty = 0 if page else empty + 1
            yield page

    def _page_of(
        self,
        what: str,
        ask: Callable[[Any, str, Mapping[str, str]], T],
        key: str,
        which: Mapping[str, str],
    ) -> T:
        return self._asking.ask(what, lambda client: ask(client, key, which))

    def _list_page(self, client: Any, prefix: str, which: Mapping[str, str]) -> _Page:
        page = client.list_objects_v2(
            Bucket=self._bucket, Prefix=prefix, MaxKeys=self._page, **which
        )
        _with({"IsTruncated"}, page)
        found = _whole(page.get("Contents", ()), {"Key", "Size", "LastModified"}, prefix)
        # A page may be empty and yet not the last: what is hidden takes its room.
        if not page["IsTruncated"]:
            return found, None
        _with({"NextContinuationToken"}, page)
        return found, {"ContinuationToken": page["NextContinuationToken"]}

    def _version_page(self, client: Any, prefix: str, which: Mapping[str, str]) -> _Page:
        page = client.list_object_versions(
            Bucket=self._bucket, Prefix=prefix, MaxKeys=self._page, **which
        )
        _with({"IsTruncated"}, page)
        found = _whole(
            [*page.get("Versions", ()), *page.get("DeleteMarkers", ())],
            {"Key", "VersionId", "IsLatest", "LastModified"},
            prefix,
        )
        if not page["IsTruncated"]:
            return found, None
        _with({"NextKeyMarker", "NextVersionIdMarker"}, page)
        return found, {
            "KeyMarker": page["NextKeyMarker"],
            "VersionIdMarker": page["NextVersionIdMarker"],
        }


def _with(parts: Set[str], answer: _Found) -> _Found:
    """`answer`, which has all of these parts. What lacks them would pass for an empty listing, or for
    an object that was kept."""
    if not parts <= answer.keys():
        raise NotAnAnswer
    return answer


def _whole(listed: Sequence[_Found], parts: Set[str], prefix: str) -> Sequence[_Found]:
    if not all(_with(parts, each)["Key"].startswith(prefix) for each in listed):
        raise NotAnAnswer
    return listed


def _time_in(answer: _Found, header: str) -> datetime:
    text = answer["ResponseMetadata"]["HTTPHeaders"].get(header, "")
    # RFC 9110, 5.6.7: of fixed length, so that one which broke off is no other time.
    if len(text) != len("Sun, 06 Nov 1994 08:49:37 GMT") or not text.endswith(" GMT"):
        raise NotAnAnswer
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        raise NotAnAnswer from None


def _newest_first(versions: Sequence[_Found]) -> Sequence[_Found]:
    return sorted(versions, key=lambda v: (not v["IsLatest"], -v["LastModified"].timestamp()))
