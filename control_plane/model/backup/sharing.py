"""Who gets how much of a link: the earlier tiers first, members alike, and nobody nothing.

A tier may take nine tenths of what those before it have left as long as later ones want something; the
rest goes to the later ones, so that the first copy of a library's server moves on while resident records
are being copied. Within a tier each member gets the same, and each stream of a member. What somebody does
not want goes to those who do: the whole budget is given out, or everything that is wanted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from control_plane.model.backup.ids import LinkId
from control_plane.model.hours import DailyHours
from control_plane.model.ids import Generation, RegionId

COPIES_AT_ONCE = 8
"""To all repositories together."""


@dataclass(frozen=True, slots=True)
class Link:
    """What backups may take of the line between two regions, in either direction: `mbit_per_s` (10**6 bits),
    and during `other_hours` that figure instead. 0 there means none at all."""

    id: LinkId
    regions: frozenset[RegionId]
    mbit_per_s: int
    other_hours: DailyHours | None = None
    other_mbit_per_s: int = 0
    generation: Generation = Generation(1)

    def joins(self, one: RegionId | None, other: RegionId | None) -> bool:
        return self.regions == {one, other}


@dataclass(frozen=True, slots=True)
class Stream:
    """One copy under way: `wanted` bytes are left of it, of which it may send `most` in the interval (None:
    as many as it gets)."""

    id: str
    member: str
    tier: int
    wanted: int
    most: int | None = None

    @property
    def takes(self) -> int:
        return self.wanted if self.most is None else min(self.wanted, self.most)


def share(budget: int, streams: Sequence[Stream]) -> Mapping[str, int]:
    """How many of `budget` bytes each stream gets in an interval, by its id."""
    given = dict.fromkeys((each.id for each in streams), 0)
    left = max(0, budget)
    tiers = sorted({each.tier for each in streams if each.takes > 0})
    # The first round keeps something for later tiers; the second gives out what they did not want.
    for reserve in (True, False):
        for place, tier in enumerate(tiers):
            mine = [each for each in streams if each.tier == tier]
            later = sum(
                each.takes - given[each.id] for each in streams if each.tier in tiers[place + 1 :]
            )
            held_back = min(later, left // 10) if reserve else 0
            want = {each.id: each.takes - given[each.id] for each in mine}
            granted = _among_members(left - held_back, mine, want)
            for id, amount in granted.items():
                given[id] += amount
                left -= amount
    return given


def _among_members(
    budget: int, streams: Sequence[Stream], want: Mapping[str, int]
) -> dict[str, int]:
    of: defaultdict[str, list[str]] = defaultdict(list)
    for each in streams:
        of[each.member].append(each.id)
    by_member = _alike(budget, {member: sum(want[id] for id in ids) for member, ids in of.items()})
    given: dict[str, int] = {}
    for member, ids in of.items():
        given.update(_alike(by_member[member], {id: want[id] for id in ids}))
    return given


def _alike(budget: int, want: Mapping[str, int]) -> dict[str, int]:
    """Max-min fairness in whole bytes: the smallest wishes first, each at most an equal part of what is
    left."""
    given: dict[str, int] = {}
    left, waiting = budget, len(want)
    for id in sorted(want, key=lambda each: (want[each], each)):
        given[id] = min(want[id], left // waiting)
        left -= given[id]
        waiting -= 1
    # Bytes that no equal part could hold go to the first that still want some.
    for id in sorted(given):
        extra = min(left, want[id] - given[id])
        given[id] += extra
        left -= extra
    return given


def link_between(
    links: Iterable[Link], one: RegionId | None, other: RegionId | None
) -> Link | None:
    """The narrowest on record; None where nobody has set a budget, or both are the same region."""
    found = [each for each in links if each.joins(one, other)]
    return min(found, key=lambda each: (each.mbit_per_s, each.id), default=None)
