"""How fast the OpenStack-compatible API answers: `python -m benchmarks.openstack_api` writes
`var/bench/openstack_api.json`.

As `benchmarks.api`: `yui serve` with its reconciler, one process, simulated hosts, 2,000 servers in the pool,
100 of which are the member's who asks; and a load generator beside it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.api import CHECKOUT, load, percentile, until_all_run
from benchmarks.served_pool import (
    FLAVOR,
    IMAGE,
    REGION,
    Served,
    describe,
    fill,
    first_token,
    member_of,
    serving,
    vcpus_for,
)
from control_plane.model.allotment import Capacity
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.store import Store

HOSTS, SERVERS, EACH = 100, 2000, 100
TOKENS, DETAIL_RATE, DETAILS, CREATES, CLIENTS = 200, 50, 750, 150, 8
_COMPUTE = f"/openstack/regions/{REGION}/compute/v2.1"
_MEMBER = member_of(0)


def measure(folder: Path) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'state.db'}"
    store = Store.open(url)
    try:
        describe(store, HOSTS, vcpus_for(SERVERS + 2 * CREATES, HOSTS))
        fill(store, SERVERS, EACH)
        token = first_token(store)
        with store.write() as tx:
            for allotment in tx.allotments(_MEMBER.text):
                much = Capacity(VCpu(4000), MiB(16 << 20), GiB(100_000))
                tx.put_allotment(replace(allotment, quota=much))
    finally:
        store.close()
    with serving(url, folder, token) as served:
        until_all_run(served)
        proof = _account(served)
        session = _session(served, proof)
        return {
            **_tokens(served, proof),
            **_details(served, session),
            **_creates(served, session),
        }


def _account(served: Served) -> dict[str, Any]:
    """What a vendor signs in with."""
    wanted = {"name": "vendor", "role": "member-admin", "tenant": _MEMBER.text}
    account = served.send("POST", "/v1/service-accounts", wanted)[1]["id"]
    issued = served.send("POST", f"/v1/service-accounts/{account}/tokens", {"label": "bench"})[1]
    user = {"id": account, "password": issued["token"]}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}


def _session(served: Served, proof: dict[str, Any]) -> str:
    request = Request(
        f"http://127.0.0.1:{served.port}/openstack/identity/v3/auth/tokens",
        json.dumps(proof).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as answer:  # noqa: S310 — as above
        return str(answer.headers["X-Subject-Token"])


def _tokens(served: Served, proof: dict[str, Any]) -> dict[str, Any]:
    asked = [("POST", "/openstack/identity/v3/auth/tokens", proof)] * TOKENS
    found = load(served, asked, rate=None, connections=1, session="none")
    _only(found, "201")
    return {
        "token_p50_ms": round(percentile(found["milliseconds"], 0.50), 2),
        "token_p99_ms": round(percentile(found["milliseconds"], 0.99), 2),
    }


def _details(served: Served, session: str) -> dict[str, Any]:
    asked = ("GET", f"{_COMPUTE}/servers/detail?limit=100", None)
    load(served, [asked] * 100, rate=DETAIL_RATE, session=session)
    found = load(served, [asked] * DETAILS, rate=DETAIL_RATE, session=session)
    most = load(served, [asked] * 500, rate=None, connections=4, session=session)
    _only(found, "200")
    return {
        "detail_p50_ms": round(percentile(found["milliseconds"], 0.50), 2),
        "detail_p99_ms": round(percentile(found["milliseconds"], 0.99), 2),
        "detail_rps": round(most["sent"] / most["seconds"], 1),
        "detail_rate": DETAIL_RATE,
    }


def _creates(served: Served, session: str) -> dict[str, Any]:
    """Single servers from eight clients, until the last of them runs."""
    network = next(
        each["id"]
        for each in served.get(f"/v1/networks?tenant={_MEMBER}")["items"]
        if each["tenant"] == _MEMBER.text
    )

    def asked(prefix: str, count: int) -> list[tuple[str, str, Any]]:
        return [
            (
                "POST",
                f"{_COMPUTE}/servers",
                {
                    "server": {
                        "name": f"{prefix}-{number}",
                        "imageRef": IMAGE,
                        "flavorRef": FLAVOR,
                        "networks": [{"uuid": network}],
                    }
                },
            )
            for number in range(count)
        ]

    _only(load(served, asked("warm", 5), rate=None, connections=1, session=session), "202")
    until_all_run(served)
    began = time.monotonic()
    found = load(served, asked("made", CREATES), rate=None, connections=CLIENTS, session=session)
    _only(found, "202")
    until_all_run(served, look_every=0.1)
    return {
        "creates_per_s": round(CREATES / (time.monotonic() - began), 1),
        "create_p50_ms": round(percentile(found["milliseconds"], 0.50), 2),
    }


def _only(found: dict[str, Any], status: str) -> None:
    if set(found["statuses"]) != {status}:
        raise RuntimeError(f"not everything was answered with {status}: {found['statuses']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=CHECKOUT / "var" / "bench" / "openstack_api.json"
    )
    asked = parser.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.out.parent) as folder:
        figures = measure(Path(folder))
    text = json.dumps(figures, indent=2)
    print(text)
    asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
