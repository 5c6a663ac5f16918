"""`python3 -m yui_network_agent --config FILE [--once | --print]`: keeps this host's network as planned.

FILE is JSON: host, source (`https://…`, `unix:PATH` or `file:PATH`), kept (the file that holds the last
good plan, in a directory that outlives a boot), and where needed token_file, authority, bridge (as the
pool file has it, default `s{segment}`), mtu (of servers' cards, default 1450: what an Ethernet of 1500
leaves beside the tunnel's 50 bytes), tunnel_port (default 4789), interval (seconds between looks).

The kept plan is applied first, so that a host which boots needs no control plane for its network. A plan
that can't be read, or is another host's, changes nothing. When the agent ends, everything stays as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass

from .kernel import Kernel, NotApplied, host_mac
from .plan import Plan, read_plan
from .rules import Existing, Settings, compile_rules
from .source import NoAnswer, Source

_LONGEST_PAUSE_S = 15.0
_STOP = {signal.SIGTERM, signal.SIGINT}


class Refused(Exception):
    """A sentence for whoever started the agent."""


@dataclass(frozen=True)
class Config:
    host: str
    source: str
    kept: str
    token_file: str | None = None
    authority: str | None = None
    bridge: str = "s{segment}"
    mtu: int = 1450
    tunnel_port: int = 4789
    interval: float = 10.0

    @staticmethod
    def load(path: str) -> Config:
        try:
            with open(path, encoding="utf-8") as file:
                config = Config(**json.load(file))
            longest = config.bridge.replace("{segment}", "16777215").replace("{zone}", "mynumber")
            sound = (
                "{segment}" in config.bridge
                and len(longest) <= 15
                and not config.bridge.startswith(("yv", "yp"))
                and all(letter.isalnum() or letter in "-_" for letter in longest)
                and 576 <= config.mtu <= 9000
                and 1 <= config.tunnel_port <= 65_535
                and 0 < config.interval <= 600
            )
        except OSError as error:
            raise Refused(f"The configuration {path} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise Refused(f"The configuration {path} is not as expected: {error}.") from None
        if not sound:
            raise Refused(
                f"{path}: bridge must hold {{segment}}, have at most 15 characters then and not begin with"
                " yv or yp; mtu is 576 to 9000, tunnel_port 1 to 65535, interval up to 600."
            )
        return config


def say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"yui-network-agent: {text}\n".encode())


class Agent:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._source = Source(config.source, config.host, config.token_file, config.authority)
        self._kernel = Kernel(config.mtu, config.bridge, config.tunnel_port)
        self._said: dict[str, str] = {}
        self._pause = 1.0
        self._tag: str | None = None
        self._applied: str | None = None
        self._content = b""
        self.plan: Plan | None = None

    def run(self) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        self.read_kept()
        applied = self._apply()
        if applied:
            _tell_service_manager("READY=1")
        while True:
            wait = int(self._config.interval) if applied or self.plan is None else 0
            answered = self._ask(wait)
            before, applied = applied, self._apply()
            if applied and not before:
                _tell_service_manager("READY=1")
            # Where the source waits for news by itself there is no need to wait here.
            quick = answered and applied and self._tag is not None
            self._pause = 1.0 if answered else min(self._pause * 2, _LONGEST_PAUSE_S)
            pause = 0.2 if quick else min(self._pause, self._config.interval)
            if signal.sigtimedwait(_STOP, pause) is not None:
                return 0

    def once(self) -> int:
        """0 where the newest plan is wholly in place."""
        self.read_kept()
        answered = self._ask(0)
        return 0 if self._apply() and answered and not self._said.get("kernel") else 1

    def read_kept(self) -> None:
        try:
            with open(self._config.kept, "rb") as file:
                content = file.read()
            self.plan = read_plan(content, self._config.host)
            self._content = content
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._tell("kept", f"the plan kept in {self._config.kept} can't be used: {error}")

    def _ask(self, wait_s: int) -> bool:
        """False where the source has no good plan to give now."""
        try:
            got = self._source.ask(self._tag, wait_s, self._applied)
            if got is not None and got[0] != self._content:
                self.plan = read_plan(got[0], self._config.host)
                self._content = got[0]
                self._keep(got[0])
            if got is not None:
                self._tag = got[1]
        except (NoAnswer, ValueError) as error:
            self._tell("source", f"no new plan: {error}")
            return False
        self._tell("source", "")
        return True

    def _keep(self, content: bytes) -> None:
        unfinished = self._config.kept + ".new"
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, self._config.kept)
        except OSError as error:
            self._tell("kept", f"the plan can't be kept in {self._config.kept}: {error.strerror}")
        else:
            self._tell("kept", "")

    def _apply(self) -> bool:
        if self.plan is None:
            return False
        try:
            problems = self._kernel.apply(self.plan)
        except NotApplied as error:
            self._tell("kernel", f"the network is not as planned: {error}")
            return False
        self._tell("kernel", "; ".join(problems))
        if not problems:
            self._applied = self._tag
        return True

    def _tell(self, about: str, trouble: str) -> None:
        """Each trouble once, and when it is over."""
        if trouble != self._said.get(about, ""):
            say(trouble or f"{about}: well again")
        self._said[about] = trouble


def _tell_service_manager(word: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(address.replace("@", "\0", 1))
            out.send(word.encode())


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="yui_network_agent",
        description="Keeps this host's network as the control plane plans.",
    )
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.add_argument(
        "--print", action="store_true", help="print the rules of the kept plan, change nothing"
    )
    parser.add_argument("--once", action="store_true", help="ask and apply once, then end")
    options = parser.parse_args()
    try:
        config = Config.load(options.config)
        agent = Agent(config)
        if options.print:
            agent.read_kept()
            if agent.plan is None:
                raise Refused(f"There is no plan in {config.kept} yet.")
            settings = Settings(
                host_mac(agent.plan.tunnel_address), config.bridge, config.tunnel_port
            )
            sys.stdout.write(compile_rules(agent.plan, settings, Existing()))
            return 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as guard:
            try:
                guard.bind("\0yui-network-agent")
            except OSError:
                raise Refused("Another agent keeps this host's network already.") from None
            return agent.once() if options.once else agent.run()
    except Refused as error:
        say(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
