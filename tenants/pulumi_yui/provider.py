"""What all kinds of things have in common: rehearsed in a preview, made, changed, looked at, removed.

Pulumi keeps a reference to these classes in a stack's state and runs their methods in a process of its own.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown

from tenants.pulumi_yui.connection import Connection, Refused

Inputs = dict[str, Any]


class Kind(ResourceProvider):
    """`inputs` are what a program says of such a thing; where one of `fixed` changes, it is another thing, and
    the old one goes first."""

    serialize_as_secret_always = False

    inputs: ClassVar[tuple[str, ...]]
    fixed: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        """Its id; with `dry_run` nothing is made, and what is answered means nothing. Raises Refused."""

    @abstractmethod
    def look(self, api: Connection, id: str) -> Inputs | None:
        """What is to be known of it: its inputs as they are, and the rest; None where it is gone."""

    @abstractmethod
    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        """Raises Refused; what is gone already is success."""

    def configure(self, req: ConfigureRequest) -> None:  # noqa: ARG002 — nothing of a stack's configuration is read
        # Whoever runs this reads one sentence of what was refused, and no stack of ours.
        sys.tracebacklimit = 0

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Rehearses, unless something isn't known before other things are made."""
        before, wanted = self._said(_olds), self._said(news)
        if _knows_all(wanted):
            try:
                self.rehearse(Connection.at_hand(), before, wanted)
            except Refused as refused:
                return CheckResult(news, [CheckFailure("", str(refused))])
        return CheckResult(news, [])

    def rehearse(self, api: Connection, before: Inputs, wanted: Inputs) -> None:
        """What would be done; `before` is empty where there is none yet. Raises Refused."""
        if not before:
            self.make(api, wanted, dry_run=True)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        before, wanted = self._said(_olds), self._said(_news)
        return DiffResult(
            changes=bool(_differs(before, wanted)),
            replaces=sorted(self._replaces(before, wanted)),
            delete_before_replace=True,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        api, wanted = Connection.at_hand(), self._said(props)
        id = self.make(api, wanted, dry_run=False)
        return CreateResult(id, {**wanted, **self._found(api, id)})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        found = self.look(Connection.at_hand(), id_)
        if found is None:
            # What has no id is gone, to Pulumi.
            return ReadResult("", {})
        said = {**self._said(props), **{k: v for k, v in found.items() if k in self.inputs}}
        return ReadResult(id_, {**said, **found}, said)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        self.remove(Connection.at_hand(), _id, self._said(_props))

    def _found(self, api: Connection, id: str) -> Inputs:
        found = self.look(api, id) or {}
        # What a program said stays as it was said.
        return {key: value for key, value in found.items() if key not in self.inputs}

    def _said(self, props: Mapping[str, Any]) -> Inputs:
        return {key: props[key] for key in self.inputs if props.get(key) is not None}

    def _replaces(self, before: Inputs, wanted: Inputs) -> frozenset[str]:
        return self.fixed & _differs(before, wanted)


class ChangingKind(Kind):
    """Of which not everything is fixed."""

    @abstractmethod
    def change(self, api: Connection, before: Inputs, wanted: Inputs, *, dry_run: bool) -> None:
        """From what a program said before to what it says now, in whatever order is right. Raises
        Refused."""

    def rehearse(self, api: Connection, before: Inputs, wanted: Inputs) -> None:
        super().rehearse(api, before, wanted)
        if before and _differs(before, wanted) and not self._replaces(before, wanted):
            self.change(api, before, wanted, dry_run=True)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        api, wanted = Connection.at_hand(), self._said(_news)
        self.change(api, {**self._said(_olds), "id": _id}, wanted, dry_run=False)
        return UpdateResult({**wanted, **self._found(api, _id)})


def _differs(before: Inputs, wanted: Inputs) -> frozenset[str]:
    return frozenset(
        key for key in before.keys() | wanted.keys() if before.get(key) != wanted.get(key)
    )


def _knows_all(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_knows_all, value.values()))
    if isinstance(value, list):
        return all(map(_knows_all, value))
    return not isinstance(value, Unknown)


def whole(value: Any) -> Any:
    """Numbers as they were said: Pulumi carries every number as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return value


def gone(api: Connection, path: str) -> None:
    """Removes it; where it is gone already, that is well."""
    try:
        api.change("DELETE", path)
    except Refused as refused:
        if refused.status != 404:
            raise
