"""Sends HTTP requests at a fixed rate and says how long each took: `python -m benchmarks.load < orders.json`.

The load is open: a request's time counts from the moment at which it was to be sent, whether or not the
one before was answered, so that a server that stalls can't hide it by slowing down whoever asks
(coordinated omission). With no rate, each connection sends its next request once it is answered.

Orders are JSON: `port`, `token`, `connections`, `rate` (requests a second, or null), and `requests`, each
`[method, path, body or null]`; with `openstack` the token is sent as OpenStack's clients send it. What comes out is JSON: `seconds`, `sent`, `statuses`, `late` (requests
that were sent more than 5 ms after their moment for want of this process's own time), and
`milliseconds`, one figure for each request in their order.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

LATE = 0.005


@dataclass
class Load:
    port: int
    token: str
    connections: int
    rate: float | None
    requests: list[tuple[str, str, Any]]
    openstack: bool = False
    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    late: int = 0

    async def run(self) -> dict[str, Any]:
        self.milliseconds = [0.0] * len(self.requests)
        wires = [self._wire(request) for request in self.requests]
        open_connections = [
            await asyncio.open_connection("127.0.0.1", self.port) for _ in range(self.connections)
        ]
        waiting: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()
        began = perf_counter() + 0.05
        senders = [
            asyncio.create_task(self._send_all(reader, writer, wires, waiting))
            for reader, writer in open_connections
        ]
        for number, due in self._schedule(began):
            delay = due - perf_counter()
            if self.rate is not None and delay > 0:
                await asyncio.sleep(delay)
            self.late += self.rate is not None and perf_counter() - due > LATE
            waiting.put_nowait((number, due))
        for _ in senders:
            waiting.put_nowait(None)
        await asyncio.gather(*senders)
        seconds = perf_counter() - began
        for _, writer in open_connections:
            writer.close()
        return {
            "seconds": seconds,
            "sent": len(self.requests),
            "statuses": dict(self.statuses),
            "late": self.late,
            "milliseconds": [round(figure, 3) for figure in self.milliseconds],
        }

    def _schedule(self, began: float) -> Iterator[tuple[int, float]]:
        for number in range(len(self.requests)):
            yield number, began if self.rate is None else began + number / self.rate

    async def _send_all(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wires: list[bytes],
        waiting: asyncio.Queue[tuple[int, float] | None],
    ) -> None:
        while (order := await waiting.get()) is not None:
            number, due = order
            since = perf_counter() if self.rate is None else due
            writer.write(wires[number])
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            self.milliseconds[number] = (perf_counter() - since) * 1000
            self.statuses[int(head[9:12])] += 1

    def _proof(self) -> str:
        name = "X-Auth-Token: " if self.openstack else "Authorization: Bearer "
        return name + self.token

    def _wire(self, request: tuple[str, str, Any]) -> bytes:
        method, path, body = request
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"{self._proof()}\r\nAccept: application/json\r\n"
        )
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return head.encode() + b"\r\n" + content


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without Content-Length can't be counted")


def main() -> None:
    orders = json.load(sys.stdin)
    load = Load(**{**orders, "requests": [tuple(request) for request in orders["requests"]]})
    gc.freeze()
    gc.disable()
    json.dump(asyncio.run(load.run()), sys.stdout)


if __name__ == "__main__":
    main()
