"""Which copies run, where more are wanted than may run at once: an earlier tier is let in at once, those of
one tier take turns, and no tier waits for ever.

* A copy that waits while one of a later tier has its place is let in: that one gives way before its next
  pack. A place is one of `slots`, or the member's own in that repository, where one runs at a time.
* What has had its turn gives way to another of its tier, and what can't go on at this hour to any.
* Whatever has waited for nine turns is favoured, one copy at a time: it gets the next place, and keeps it
  for a whole turn. So later tiers have about a tenth of a place that earlier ones always want, as they
  have of a line.

So an earlier tier waits for one pack as a rule, and for one turn where the favoured copy is in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from control_plane.model.units import Seconds

TURNS_WAITED = 9


@dataclass(frozen=True, slots=True)
class InLine:
    """A copy that waits. `key` is its system's in its repository, `place` its member's there. `since`: when
    it last had a turn, or began to wait."""

    key: str
    place: str
    tier: int
    since: Seconds


@dataclass(frozen=True, slots=True)
class Running:
    """`sending` is how long it has been sending; None: it still looks for what is lacking. `leaving`: it
    was told to give way already; `idle`: its line has nothing for it at this hour."""

    key: str
    place: str
    tier: int
    sending: Seconds | None = None
    favoured: bool = False
    leaving: bool = False
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Turns:
    """Keys, of which `favoured` is among those that begin."""

    begin: tuple[str, ...]
    give_way: tuple[str, ...]
    favoured: str | None = None


def order(waiting: Iterable[InLine]) -> list[InLine]:
    """Earlier tiers first, then who has waited longer; else as they come."""
    return sorted(waiting, key=lambda each: (each.tier, each.since))


def turns(
    running: Sequence[Running], waiting: Sequence[InLine], slots: int, turn: Seconds, now: Seconds
) -> Turns:
    """One of each key waits at most; keys that run are left out."""
    here = {each.key for each in running}
    at = {each.place: each for each in running}
    first = _favoured(running, waiting, turn, now)
    line = order(each for each in waiting if each is not first and each.key not in here)
    if first is not None:
        line.insert(0, first)
    left = slots - len(running)
    # Those that were told to go already make room for the first in line.
    coming = sum(1 for each in running if each.leaving)
    given: set[str] = set()
    begin: list[str] = []
    give_way: list[Running] = []
    for each in line:
        if each.place in given:
            continue
        holder = at.get(each.place)
        if holder is not None:
            if holder.leaving:
                given.add(each.place)
                coming -= 1
            elif _yields(holder, each, turn, favoured=each is first) and holder not in give_way:
                given.add(each.place)
                give_way.append(holder)
            continue
        if left > 0:
            given.add(each.place)
            begin.append(each.key)
            left -= 1
            continue
        given.add(each.place)
        if coming > 0:
            coming -= 1
            continue
        ready = [
            one
            for one in running
            if one not in give_way
            and not one.leaving
            and one.place not in given
            and _yields(one, each, turn, favoured=each is first)
        ]
        if ready:
            give_way.append(max(ready, key=lambda one: (one.tier, one.sending or 0.0, one.key)))
    return Turns(
        tuple(begin),
        tuple(each.key for each in give_way),
        first.key if first is not None and first.key in begin else None,
    )


def _favoured(
    running: Sequence[Running], waiting: Sequence[InLine], turn: Seconds, now: Seconds
) -> InLine | None:
    if any(each.favoured and not _had_its_turn(each, turn) for each in running):
        return None
    here = {each.key for each in running}
    long = [
        each for each in waiting if each.key not in here and now - each.since >= TURNS_WAITED * turn
    ]
    return min(long, key=lambda each: (each.since, each.tier, each.key), default=None)


def _yields(holder: Running, to: InLine, turn: Seconds, *, favoured: bool) -> bool:
    if holder.idle:
        return True
    over = _had_its_turn(holder, turn)
    if holder.favoured and not over:
        return False
    if favoured:
        return over or to.tier < holder.tier
    return to.tier < holder.tier or (to.tier == holder.tier and over)


def _had_its_turn(copy: Running, turn: Seconds) -> bool:
    return copy.sending is not None and copy.sending >= turn
