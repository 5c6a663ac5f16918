"""What an S3 store does when the other side has trouble, or says no."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backup.objects.places import S3Place
from backup.objects.s3 import S3Store
from backup.objects.s3_asking import Patience
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectFacts,
    ObjectStoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from control_plane.model.units import Seconds
from tests.backup.objects.scripted_gateway import (
    Gateway,
    Request,
    Says,
    error,
    scripted_gateway,
)

SECRET = "wJalrXUtnFEMI"  # noqa: S105
HELD = Says(body=b"0123456789", headers={"Last-Modified": "Wed, 01 Apr 2026 00:00:00 GMT"})


@dataclass
class ManualClock:
    """Time passes only by waiting."""

    waited: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 4, 1, tzinfo=UTC)

    def monotonic(self) -> Seconds:
        return Seconds(sum(self.waited))

    def sleep(self, duration: Seconds) -> None:
        self.waited.append(duration)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with scripted_gateway() as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def place(gateway: Gateway, tmp_path: Path) -> S3Place:
    credentials = tmp_path / "credentials"
    credentials.write_text(f"AKIAOLD:{SECRET}\n")
    return S3Place("backups", "yui/", "kyoto", f"file:{credentials}", gateway.address)


@pytest.fixture
def store(place: S3Place, clock: ManualClock) -> S3Store:
    patience = Patience(tries=4, connect=Seconds(5.0), read=Seconds(0.3))
    return S3Store(place, clock, patience=patience)


TROUBLES = {
    "500": error(500, "InternalError"),
    "503": error(503, "SlowDown"),
    "a proxy's 502": Says(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}),
    "the connection is cut before an answer": Says(cut_after=0),
    "nothing comes in time": Says(silent=True),
    "too slow for the store": error(400, "RequestTimeout"),
    "damaged on the way": error(400, "BadDigest"),
    "too many": error(429, "TooManyRequests"),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_what_is_a_matter_of_moments_is_tried_again(
    store: S3Store, gateway: Gateway, clock: ManualClock, trouble: Says
) -> None:
    gateway.script = [trouble, trouble]
    store.put("k", b"0123456789")
    assert [(r.method, r.target, r.body) for r in gateway.requests] == [
        ("PUT", "/backups/yui/k", b"0123456789")
    ] * 3
    assert len(clock.waited) == 2
    gateway.script = [trouble, HELD]
    assert store.get("k") == b"0123456789"


def test_an_answer_that_breaks_off_is_not_taken_for_the_object(
    store: S3Store, gateway: Gateway
) -> None:
    whole = len(HELD.as_bytes("GET"))
    gateway.script = [replace(HELD, cut_after=cut) for cut in (20, whole - 4, whole - 1)] + [HELD]
    assert store.get("k") == b"0123456789"
    gateway.script = [replace(HELD, cut_after=20), HELD]
    assert store.stat("k").size == 10


def test_a_part_is_a_part_also_where_the_store_gives_the_whole(
    store: S3Store, gateway: Gateway
) -> None:
    gateway.script = [HELD, HELD]
    assert store.get("k", start=3, length=4) == b"3456"
    assert store.get("k", start=8) == b"89"


def test_patience_ends_and_the_waits_between_grow(
    store: S3Store, gateway: Gateway, clock: ManualClock
) -> None:
    gateway.otherwise = lambda _: error(503, "SlowDown")
    with pytest.raises(
        StoreUnavailable, match=r"s3://backups/yui did not give k: 503 SlowDown, after 4 tries"
    ):
        store.get("k")
    assert len(gateway.requests) == 4
    assert all(wait <= 0.2 * 2**turn for turn, wait in enumerate(clock.waited))


def test_a_store_that_asks_to_be_left_alone_for_a_while_is(
    store: S3Store, gateway: Gateway, clock: ManualClock
) -> None:
    gateway.script = [error(503, "SlowDown", **{"Retry-After": "7"})]
    store.put("k", b"")
    assert 7 <= clock.waited[0] <= 7.2


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (error(403, "InvalidAccessKeyId"), StoreRefused, "does not accept the credentials"),
        (error(403, "SignatureDoesNotMatch"), StoreRefused, "403 SignatureDoesNotMatch"),
        (error(401, "Unauthorized"), StoreRefused, "does not accept the credentials"),
        (error(403, "RequestTimeTooSkewed"), StoreRefused, "are too far apart"),
        (error(404, "NoSuchBucket"), StoreRefused, "has no bucket: make it first"),
        (error(403, "QuotaExceeded"), StoreFull, "is full: it did not take k"),
        (Says(507), StoreFull, "is full"),
        (error(501, "NotImplemented"), StoreRefused, "501 NotImplemented"),
    ],
)
def test_a_no_is_told_at_once_and_in_one_sentence(
    store: S3Store, gateway: Gateway, answer: Says, kind: type[ObjectStoreError], why: str
) -> None:
    gateway.script = [answer]
    with pytest.raises(kind, match=why) as told:
        store.put("k", b"")
    assert len(gateway.requests) == 1
    sentence = str(told.value)
    assert SECRET not in sentence
    assert "AKIAOLD" not in sentence
    assert "of theirs" not in sentence
    assert sentence.endswith((".", ")."))
    assert told.value.__suppress_context__


def test_new_credentials_are_taken_up_when_the_old_are_revoked(
    store: S3Store, gateway: Gateway, place: S3Place
) -> None:
    store.put("k", b"")
    Path(place.credentials.removeprefix("file:")).write_text("AKIANEW:another\n")
    store.put("k", b"")
    gateway.script = [error(403, "InvalidAccessKeyId")]
    store.put("k", b"")
    keys = [r.headers["authorization"].split("Credential=")[1][:7] for r in gateway.requests]
    assert keys == ["AKIAOLD", "AKIAOLD", "AKIAOLD", "AKIANEW"]


@pytest.mark.parametrize("credentials", ["onlyone", ":", "a:", "a b:c", "日本:x", ""])
def test_credentials_of_another_form_are_refused_without_being_told(
    store: S3Store, place: S3Place, credentials: str
) -> None:
    Path(place.credentials.removeprefix("file:")).write_text(credentials)
    with pytest.raises(StoreRefused, match="credentials") as told:
        store.get("k")
    assert not credentials or credentials == ":" or credentials not in str(told.value)


def conditions_heeded(request: Request) -> Says:
    if request.method == "PUT" and "if-none-match" in request.headers:
        return error(412, "PreconditionFailed")
    return Says()


@pytest.mark.parametrize(
    ("there", "exists"), [(b"ours", False), (b"theirs", True)], ids=["ours", "another's"]
)
def test_a_put_whose_answer_was_lost_knows_its_own_object(
    store: S3Store, gateway: Gateway, there: bytes, exists: bool
) -> None:
    gateway.otherwise = conditions_heeded
    assert store.heeds_conditions()
    gateway.script = [
        Says(cut_after=0),
        error(412, "PreconditionFailed"),
        Says(body=there, headers=HELD.headers),
    ]
    if exists:
        with pytest.raises(ObjectExists):
            store.put("k", b"ours", only_new=True)
    else:
        store.put("k", b"ours", only_new=True)


def test_a_put_that_was_refused_at_once_is_not_compared_with_what_is_there(
    store: S3Store, gateway: Gateway
) -> None:
    gateway.otherwise = conditions_heeded
    with pytest.raises(ObjectExists):
        store.put("k", b"ours", only_new=True)
    assert "GET" not in {r.method for r in gateway.requests if r.target.endswith("/k")}


def test_a_missing_object_is_told_from_a_missing_bucket(store: S3Store, gateway: Gateway) -> None:
    gateway.script = [Says(404), page()]
    with pytest.raises(NoSuchObject):
        store.stat("k")
    gateway.script = [Says(404), error(404, "NoSuchBucket")]
    with pytest.raises(StoreRefused, match="has no bucket"):
        store.stat("k")


def page(*keys: str, more: str | None = None) -> Says:
    contents = "".join(
        f"<Contents><Key>yui/{key}</Key><Size>1</Size>"
        "<LastModified>2026-04-01T00:00:00.000Z</LastModified></Contents>"
        for key in keys
    )
    truncated = (
        "<IsTruncated>false</IsTruncated>"
        if more is None
        else f"<IsTruncated>true</IsTruncated><NextContinuationToken>{more}</NextContinuationToken>"
    )
    body = f"<ListBucketResult>{truncated}{contents}</ListBucketResult>"
    return Says(body=body.encode(), headers={"Content-Type": "application/xml"})


def test_a_listing_is_whole_although_pages_fail_or_are_empty(
    store: S3Store, gateway: Gateway
) -> None:
    gateway.script = [
        page("a", "b", more="1"),
        error(500, "InternalError"),
        page(more="2"),
        Says(cut_after=0),
        page("c", "bad//key", "d"),
    ]
    assert [o.key for o in store.list("")] == ["a", "b", "c", "d"]


PORTAL = Says(body=b"<html>Please log in.</html>", plainly=True)


def test_what_somebody_else_answers_on_the_way_is_not_the_stores_word(
    store: S3Store, gateway: Gateway
) -> None:
    gateway.otherwise = lambda _: PORTAL
    for call in (
        lambda: list(store.list("")),
        lambda: store.put("k", b""),
        lambda: store.get("k"),
        lambda: store.stat("k"),
    ):
        with pytest.raises(StoreUnavailable, match="no answer of an S3 store"):
            call()


def test_a_listing_that_is_cut_short_within_is_asked_for_again(
    store: S3Store, gateway: Gateway
) -> None:
    whole = page("a", "b")
    gateway.script = [replace(whole, body=whole.body[:150]), whole]
    assert [o.key for o in store.list("")] == ["a", "b"]


def test_a_listing_that_cannot_be_finished_fails(store: S3Store, gateway: Gateway) -> None:
    gateway.script = [page("a", more="1")]
    gateway.otherwise = lambda _: error(503, "SlowDown")
    listing = store.list("")
    assert next(listing).key == "a"
    with pytest.raises(StoreUnavailable):
        next(listing)


def listing(text: str, root: str = "ListBucketResult") -> Says:
    return Says(
        body=f"<{root}>{text}</{root}>".encode(), headers={"Content-Type": "application/xml"}
    )


MORE = "<IsTruncated>true</IsTruncated>"
LAST = "<IsTruncated>false</IsTruncated>"
AT = "<LastModified>2026-04-01T00:00:00.000Z</LastModified>"


@pytest.mark.parametrize(
    "broken",
    [
        MORE,
        f"{LAST}<Contents><Key>yui/a</Key>{AT}</Contents>",
        f"{LAST}<Contents><Key>yui/a</Key><Size>1</Size></Contents>",
        f"{LAST}<Contents><Size>1</Size>{AT}</Contents>",
        f"{LAST}<Contents><Key>yui/a</Key><Size>many</Size>{AT}</Contents>",
        f"{LAST}<Contents><Key>another/a</Key><Size>1</Size>{AT}</Contents>",
    ],
)
def test_a_listing_that_lacks_what_each_has_is_asked_for_again_and_never_believed(
    store: S3Store, gateway: Gateway, broken: str
) -> None:
    gateway.script = [listing(broken), page("a")]
    assert [o.key for o in store.list("")] == ["a"]
    gateway.otherwise = lambda _: listing(broken)
    with pytest.raises(StoreUnavailable, match="no answer of an S3 store"):
        list(store.list(""))
    assert len(gateway.requests) == 2 + 4


@pytest.mark.parametrize(
    "broken",
    [
        MORE,
        f"{MORE}<NextKeyMarker>yui/a</NextKeyMarker>",
        f"{LAST}<Version><Key>yui/a</Key>{AT}</Version>",
        f"{LAST}<Version><VersionId>1</VersionId><IsLatest>true</IsLatest>{AT}</Version>",
        f"{MORE}<NextKeyMarker>yui/a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>",
    ],
)
def test_a_listing_of_versions_that_breaks_off_is_never_believed(
    store: S3Store, gateway: Gateway, broken: str
) -> None:
    gateway.otherwise = lambda _: listing(broken, "ListVersionsResult")
    with pytest.raises(StoreUnavailable, match="no answer of an S3 store"):
        store.uncover("")


@pytest.mark.parametrize("keys", [(), ("a", "b")])
def test_a_listing_that_leads_back_to_where_it_was_ends(
    store: S3Store, gateway: Gateway, keys: tuple[str, ...]
) -> None:
    gateway.script = [page("0", more="first"), page(*keys, more="second")]
    gateway.otherwise = lambda _: page(*keys, more="first")
    with pytest.raises(StoreUnavailable, match="no answer of an S3 store"):
        list(store.list(""))
    assert len(gateway.requests) == 2 + 4


def test_no_more_of_an_answer_is_taken_than_was_asked_for(store: S3Store, gateway: Gateway) -> None:
    # A store that knows no parts gives all of it; one that gives another part was not asked for it.
    large = replace(HELD, body=b"0123456789" * 1000)
    gateway.script = [large]
    assert store.get("k", start=3, length=4) == b"3456"
    gateway.script = [replace(large, status=206), HELD]
    assert store.get("k", start=3, length=4) == b"3456"


def test_the_time_is_the_stores_own(store: S3Store, clock: ManualClock) -> None:
    assert store.now() == datetime(2026, 4, 1, tzinfo=UTC)
    clock.waited.append(3600.0)
    # Its clock stood still for an hour, which clocks do not do by themselves.
    assert store.now() == datetime(2026, 4, 1, 1, tzinfo=UTC)


def test_an_answer_that_breaks_off_anywhere_is_never_taken_for_another(
    store: S3Store, gateway: Gateway
) -> None:
    whole = HELD.as_bytes("GET")
    for cut in range(len(whole)):
        gateway.script = [replace(HELD, cut_after=cut), HELD, replace(HELD, cut_after=cut), HELD]
        assert store.get("k") == b"0123456789"
        assert store.stat("k") == ObjectFacts("k", 10, datetime(2026, 4, 1, tzinfo=UTC))
        gateway.script.clear()


@pytest.mark.parametrize(
    "date", ["", "Wed, 01 Apr 2026 0", "Wed, 01 Apr 2026 00:00:0", "xxx, 99 Apr 2026 00:00:00 GMT"]
)
def test_a_time_that_is_none_is_asked_for_again(
    store: S3Store, gateway: Gateway, date: str
) -> None:
    gateway.script = [Says(headers={"Date": date})]
    assert store.now() == datetime(2026, 4, 1, tzinfo=UTC)
    assert len(gateway.requests) == 2


def test_only_a_store_whose_certificate_is_trusted_is_spoken_to(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    credentials = tmp_path / "credentials"
    credentials.write_text(f"AKIAOLD:{SECRET}\n")
    with scripted_gateway(tls) as gateway:
        place = S3Place("backups", "", "kyoto", f"file:{credentials}", gateway.address)
        with pytest.raises(StoreRefused, match="certificate is not trusted"):
            S3Store(place, ManualClock()).put("k", b"")
        assert gateway.requests == []
        S3Store(replace(place, authorities=certificate), ManualClock()).put("k", b"")
        assert len(gateway.requests) == 1


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key_file
