"""What the API shows, in the shape in which a program wrote it: what is the same must look the same.

A program may leave out what is as usual, write a network in another way, and give things in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

Document = dict[str, Any]

USUAL_OF_POLICY: Document = {
    "rpo_away_hours": None,
    "regions": [],
    "spare_service_hours": False,
    "quiesce": True,
    "test_every_days": 30,
    "most_mbit_per_s": None,
    "dumps": [],
}
USUAL_OF_COPY: Document = dict.fromkeys(("at", "until", "weekday", "day", "month"))
USUAL_OF_DUMP: Document = {"after": None, "timeout_minutes": 20, "required": True}
USUAL_OF_RULE: Document = {
    "protocol": "any",
    "ports": None,
    "remote": None,
    "remote_group": None,
    "offices": False,
}
"""What `PUT …/backup-policy` and `/v1/security-groups` take where a key is left out."""


def members(said: Sequence[str], found: Iterable[str]) -> list[str]:
    """Of which the order means nothing."""
    actual = sorted(found)
    return list(said) if set(said) == set(actual) else actual


def networks(said: Sequence[str], found: Iterable[str]) -> list[str]:
    actual = sorted(found)
    return list(said) if {_network(each) for each in said} == set(actual) else actual


def rules(said: Sequence[Document], found: Sequence[Document]) -> list[Document]:
    """Those that are as a program has them stay as they are written there."""
    written = {_meaning(rule): rule for rule in said}
    actual = [_rule(written.get(_meaning(rule)), rule) for rule in found]
    same = len(written) == len(actual) and all(rule in actual for rule in written.values())
    return list(said) if same else actual


def policy(said: Document, found: Document) -> Document:
    actual = _policy(found)
    return said if _policy(said) == actual else actual


def _rule(said: Document | None, found: Document) -> Document:
    """The description belongs to it where a program gives one."""
    actual = _without_usual(found, USUAL_OF_RULE)
    description = actual.pop("description", "")
    if said is None:
        return {**actual, "description": description} if description else actual
    return (
        said
        if said.get("description") in (None, description)
        else {**said, "description": description}
    )


def _meaning(rule: Document) -> tuple[object, ...]:
    full = {**USUAL_OF_RULE, **{key: each for key, each in rule.items() if each is not None}}
    ports, remote = full["ports"], full["remote"]
    return (
        full.get("direction"),
        full["protocol"],
        None if ports is None else _ports(str(ports)),
        None if remote is None else _network(str(remote)),
        full["remote_group"],
        bool(full["offices"]),
    )


def _ports(text: str) -> tuple[str, str]:
    first, _, last = text.partition("-")
    return first.lstrip("0"), (last or first).lstrip("0")


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        return text


def _policy(policy: Document) -> Document:
    short = _without_usual(policy, USUAL_OF_POLICY)
    short["copies"] = [_without_usual(copy, USUAL_OF_COPY) for copy in policy.get("copies", ())]
    if "dumps" in short:
        short["dumps"] = [_without_usual(dump, USUAL_OF_DUMP) for dump in short["dumps"]]
    return short


def _without_usual(full: Mapping[str, Any], usual: Document) -> Document:
    return {key: each for key, each in full.items() if key not in usual or each != usual[key]}
