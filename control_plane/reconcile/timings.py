"""How long the control plane waits before it believes something."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Timings:
    """`suspect_after`: silence on one channel before a host is suspect; `confirm_after`: silence on a
    second one before its death is confirmed. `lease_ttl` is how long a control plane that stopped
    renewing still counts as the leader. `stop_grace` is what a guest gets to shut down. A failed
    errand is tried again after `retry_first`, then twice as long each time up to `retry_most`."""

    tick: Seconds = Seconds(1.0)
    tick_when_busy: Seconds = Seconds(0.2)
    suspect_after: Seconds = Seconds(3.0)
    confirm_after: Seconds = Seconds(5.0)
    lease_ttl: Seconds = Seconds(15.0)
    stop_grace: Seconds = Seconds(60.0)
    retry_first: Seconds = Seconds(2.0)
    retry_most: Seconds = Seconds(60.0)
    migrations_at_once: int = 2
    """Per draining host."""
    attempts: int = 3
    """After so many failures in a row a move is given up, where the target answers that it lacks the
    server, and others no longer wait for a server that can't be started."""
    watch_before_word: Seconds = Seconds(20.0)
    """How long this process itself must have heard nothing of a host before it takes an operator's word
    about it."""
    fence_lasts: Seconds = Seconds(120.0)
    """How long ago a fence may have held when this process comes to look at it. Longer ago, the host may
    have been switched on again since; far longer than a look takes, or no host would ever be fenced."""
    gap: Seconds = Seconds(30.0)
    """Nothing heard for so long means that this process was not listening: it begins anew."""
    errands_at_once: int = 40
    """Fewer than the World's slow workers, which have other things to do as well."""
    servers_per_tick: int = 200
    """How many servers of dead hosts are placed before hosts are listened to again."""
    ask_for_word_after: Seconds = Seconds(60.0)
    """How long a host may be suspect before operators are asked to look at it."""
    one_failure: Seconds = Seconds(600.0)
    """Hosts lost within so long of each other are taken to be lost to one failure, such as their
    rack's."""
