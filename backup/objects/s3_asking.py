"""Asks an S3 store: with its credentials, with patience that ends, and without telling secrets."""

from __future__ import annotations

import functools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from backup.objects.places import S3Place
from backup.objects.s3_answers import (
    FAILURES,
    Answer,
    Declined,
    Verdict,
    judge,
)
from control_plane.drivers.fencing.secret_refs import SecretUnavailable, read_secret
from control_plane.drivers.objects import StoreRefused, StoreUnavailable
from control_plane.drivers.world import Clock
from control_plane.model.units import Seconds

T = TypeVar("T")
_AT_LEAST = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """A store is asked `tries` times, but not again once `whole` has passed and it was asked three times.
    An answer of so many bytes may take as long as they do at `slowest` bytes per second. Between two tries lies a
    random time of at most `first`, doubled each time up to `longest`, so that many who were turned
    away do not come back together (full jitter: Brooker, "Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015)."""

    tries: int = 8
    first: Seconds = Seconds(0.2)
    longest: Seconds = Seconds(10.0)
    whole: Seconds = Seconds(120.0)
    connect: Seconds = Seconds(10.0)
    read: Seconds = Seconds(30.0)
    slowest: int = 16 << 10


class Asking:
    """`threads` may ask at once over connections that are kept. Credentials are read when they are first
    needed, and again when the store accepts them no longer."""

    def __init__(self, place: S3Place, clock: Clock, patience: Patience, threads: int) -> None:
        self.name = place.name
        self.clock = clock
        self.patience = patience
        self._place = place
        self._threads = threads
        self._mutex = threading.Lock()
        self._client: Any = None
        self._secret = ""
        self._chance = secrets.SystemRandom()

    def ask(self, what: str, do: Callable[[Any], T]) -> T:
        """What `do` returns, which is given a botocore client of S3. `what` ends the sentence "it did
        not …". Raises StoreUnavailable, StoreRefused where there are no credentials, and Declined."""
        patience = self.patience
        began = self.clock.monotonic()
        renewed = doubtful = False
        tries = 0
        while True:
            client, secret = self._with_credentials()
            tries += 1
            try:
                return do(client)
            except FAILURES as error:
                answer = judge(error)
            if answer.verdict is Verdict.DENIED and not renewed and self._renew(secret):
                renewed = True
                continue
            if answer.verdict is not Verdict.AGAIN:
                raise Declined(answer, doubtful=doubtful)
            doubtful = True
            passed = self.clock.monotonic() - began
            if tries >= patience.tries or (passed >= patience.whole and tries >= _AT_LEAST):
                raise StoreUnavailable(
                    f"{self.name} did not {what}: {answer.says}, after {tries} tries in {passed:.0f} s."
                )
            self.clock.sleep(self._pause(tries, answer))

    def _pause(self, tries: int, answer: Answer) -> Seconds:
        patience = self.patience
        most = min(patience.longest, patience.first * 2 ** (tries - 1))
        asked_for = min(patience.longest, answer.wait)
        return Seconds(asked_for + self._chance.uniform(0, most))

    def _with_credentials(self) -> tuple[Any, str]:
        with self._mutex:
            if self._client is None:
                secret = self._read()
                self._client, self._secret = self._connect(secret), secret
            return self._client, self._secret

    def _renew(self, refused: str) -> bool:
        """Whether there are now others than those which were refused."""
        secret = self._read()
        if secret == refused:
            return False
        with self._mutex:
            if self._secret != secret:
                self._client, self._secret = self._connect(secret), secret
        return True

    def _read(self) -> str:
        try:
            return read_secret(self._place.credentials)
        except SecretUnavailable as error:
            raise StoreRefused(f"{self.name} has no credentials: {error}") from None

    def _connect(self, secret: str) -> Any:
        access_key, colon, secret_key = secret.partition(":")
        if not (access_key and colon and secret_key) or not secret.isascii() or " " in secret:
            raise StoreRefused(
                f"The credentials of {self.name} are not of the form ACCESS_KEY:SECRET_KEY."
            )
        session = botocore.session.Session()
        session.register_component("data_loader", _descriptions())
        # Nothing of this machine's settings of other programs is to change what Yui does.
        session.set_config_variable("config_file", "/dev/null")
        session.set_config_variable("credentials_file", "/dev/null")
        place = self._place
        return session.create_client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            verify=True if place.authorities is None else str(place.authorities),
            config=Config(
                connect_timeout=self.patience.connect,
                read_timeout=self.patience.read,
                # Tries are counted above, where it is known what may be tried again.
                retries={"total_max_attempts": 1},
                max_pool_connections=self._threads,
                s3={"addressing_style": "auto" if place.endpoint is None else "path"},
                # Many stores know no other digest of what they are sent than Content-MD5.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


@functools.cache
def _descriptions() -> Loader:
    """What botocore ships of S3: megabytes that are the same for every store."""
    return create_loader()
