"""Runs inside a card's namespace: answers, asks, and sends frames made by hand. Standard library only.

`serve TCP_PORTS UDP_PORTS` says `ready` and answers with its name until it is ended. `ask` takes a
JSON list of [kind, address, port] on standard input and prints whether each was answered. `hear MARK`
says `ready` and prints the frames that hold MARK, in hex, once standard input ends. `send` takes a JSON
list of frames in hex. `talk ADDRESS PORT` says `ready`, then sends each line and prints what comes back.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PATIENCE = float(os.environ.get("PATIENCE", "1.2"))
ALL = 3


def serve(tcp: list[int], udp: list[int]) -> None:
    def answer(listening: socket.socket) -> None:
        while True:
            taken, _ = listening.accept()
            threading.Thread(target=talk, args=(taken,), daemon=True).start()

    def talk(taken: socket.socket) -> None:
        with taken:
            taken.sendall(b"here\n")
            while said := taken.recv(65_536):
                taken.sendall(said)

    def echo(bound: socket.socket) -> None:
        while True:
            said, whom = bound.recvfrom(65_536)
            bound.sendto(said, whom)

    for port in tcp:
        listening = socket.create_server(("", port), backlog=64)
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
    for port in udp:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("", port))
        threading.Thread(target=echo, args=(bound,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def ask(kind: str, address: str, port: int) -> bool:
    try:
        match kind:
            case "tcp":
                with socket.create_connection((address, port), timeout=PATIENCE) as asked:
                    return asked.recv(5) == b"here\n"
            case "udp":
                return echoed(address, port, b"mark")
            case "large-udp":
                return echoed(address, port, b"x" * 4000)
            case _:
                return pinged(address)
    except OSError:
        return False


def echoed(address: str, port: int, what: bytes) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE)
        asking.sendto(what, (address, port))
        return asking.recv(65_536) == what


def pinged(address: str) -> bool:
    number = threading.get_ident() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        head = struct.pack("!BBHHH", 8, 0, 0, number, 1)
        total = sum(struct.unpack("!4H", head))
        sum_ = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        asking.sendto(struct.pack("!BBHHH", 8, 0, sum_, number, 1), (address, 0))
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            if select.select([asking], [], [], left)[0]:
                said, whom = asking.recvfrom(1024)
                kind, _, _, echoed_number, _ = struct.unpack("!BBHHH", said[20:28])
                if (kind, echoed_number, whom[0]) == (0, number, address):
                    return True
    return False


def hear(mark: bytes) -> None:
    heard = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL)) as listening:
        listening.bind(("eth0", ALL))
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if listening in ready:
                frame, whence = listening.recvfrom(65_536)
                if mark in frame and whence[2] != socket.PACKET_OUTGOING:
                    heard.append(frame.hex())
            elif sys.stdin in ready:
                break
    print(json.dumps(heard))


def talk(address: str, port: int) -> None:
    with socket.create_connection((address, port)) as talking:
        talking.settimeout(30)
        answers = talking.makefile("rb")
        answers.readline()
        print("ready", flush=True)
        for word in sys.stdin:
            talking.sendall(word.encode())
            print(answers.readline().decode(), end="", flush=True)


def send(frames: list[str]) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sending:
        sending.bind(("eth0", 0))
        for frame in frames:
            sending.send(bytes.fromhex(frame))


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(*(json.loads(ports) for ports in rest))
    elif what == "ask":
        asked = json.load(sys.stdin)
        with ThreadPoolExecutor(len(asked) or 1) as threads:
            print(json.dumps(list(threads.map(lambda one: ask(*one), asked))))
    elif what == "talk":
        talk(rest[0], int(rest[1]))
    elif what == "hear":
        hear(bytes.fromhex(rest[0]))
    else:
        send(json.load(sys.stdin))


main()
