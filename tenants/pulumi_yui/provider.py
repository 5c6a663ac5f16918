"""What all kinds of things have in common: rehearsed in a preview, made, changed, looked at, removed.

Pulumi keeps a reference to these classes in a stack's state and runs their methods in a process of its own:
a state that an earlier version wrote names them by module and class.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

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


class Begun(NamedTuple):
    """What is to have `id`, which is there from now on; `answer` is the API's, an operation perhaps."""

    id: str
    answer: Any = None


class Kind(ResourceProvider):
    """`inputs` are what a program says of such a thing; where one of `fixed` changes, it is another thing, and
    the old one goes first. What is `repeatable` can be made again where it stands already."""

    serialize_as_secret_always = False

    inputs: ClassVar[tuple[str, ...]]
    fixed: ClassVar[frozenset[str]] = frozenset()
    repeatable: ClassVar[bool] = False

    @abstractmethod
    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        """One request; with `dry_run` nothing is made, and what is answered means nothing. Raises Refused."""

    def finish(self, api: Connection, id: str, wanted: Inputs) -> None:
        """What its making takes besides, once it is made. Raises Refused."""

    @abstractmethod
    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        """What is to be known of it: its inputs as they are, and the rest; None where it is gone. What is as
        `said` has it is answered as it is written there; None is an input that it does not have."""

    @abstractmethod
    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        """Raises Refused; what is gone already is success."""

    def take_back(self, api: Connection, id: str, wanted: Inputs) -> None:
        """Removes what was made a moment ago and is in no state. Raises Refused."""
        self.remove(api, id, wanted)

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
        elif self._replaces(before, wanted):
            self.rehearse_anew(api, before, wanted)

    def rehearse_anew(self, api: Connection, before: Inputs, wanted: Inputs) -> None:
        """What has a name is made under another one beside the old one, which is removed for good before its
        successor is asked for. Only what is wrong with the request itself tells: the old one's name and room
        will be free. Raises Refused."""
        del before
        if "name" not in wanted:
            return
        try:
            self.make(api, {**wanted, "name": f"{wanted['name'][:40]}-anew"}, dry_run=True)
        except Refused as refused:
            if refused.status != 409:
                raise

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        before, wanted = self._said(_olds), self._said(_news)
        return DiffResult(
            changes=bool(_differs(before, wanted)),
            replaces=sorted(self._replaces(before, wanted)),
            delete_before_replace=True,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        api, wanted = Connection.at_hand(), self._said(props)
        id, answer = self.make(api, wanted, dry_run=False)
        try:
            api.ended(answer)
            self.finish(api, id, wanted)
            found = self._found(api, id, wanted)
        except Exception as why:
            if not self.repeatable:
                self._take_back(api, id, wanted, why)
            raise
        return CreateResult(id, {**wanted, **found})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        before = self._said(props)
        found = self.look(Connection.at_hand(), id_, before)
        if found is None:
            # What has no id is gone, to Pulumi.
            return ReadResult("", {})
        said = {**before, **{k: v for k, v in found.items() if k in self.inputs}}
        said = {key: value for key, value in said.items() if value is not None}
        rest = {key: value for key, value in found.items() if key not in self.inputs}
        return ReadResult(id_, {**said, **rest}, said)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        self.remove(Connection.at_hand(), _id, self._said(_props))

    def _take_back(self, api: Connection, id: str, wanted: Inputs, why: Exception) -> None:
        """A dynamic provider can't give Pulumi half of a thing: what is in no state would be in the way of
        every later run."""
        try:
            self.take_back(api, id, wanted)
        except Refused as still:
            reason = str(still).rstrip(".。")
            raise api.refused(
                f"{why} What was made of it could not be taken back, and stands as {id} ({reason}). Remove it before the next run.",
                f"{why}途中まで作成した {id} を取り消せず、残っています({reason})。次に実行する前に削除してください。",
            ) from None

    def _found(self, api: Connection, id: str, wanted: Inputs) -> Inputs:
        found = self.look(api, id, wanted) or {}
        # What a program said stays as it was said.
        return {key: value for key, value in found.items() if key not in self.inputs}

    def _said(self, props: Mapping[str, Any]) -> Inputs:
        return {key: props[key] for key in self.inputs if props.get(key) is not None}

    def _replaces(self, before: Inputs, wanted: Inputs) -> frozenset[str]:
        return self.fixed & _differs(before, wanted)


class ChangingKind(Kind):
    """Of which not everything is fixed."""

    @abstractmethod
    def known_as(self, api: Connection, said: Inputs) -> str:
        """Its id, or what else the API finds it by: a preview is told what was said of it alone."""

    @abstractmethod
    def change(
        self, api: Connection, id: str, before: Inputs, wanted: Inputs, *, dry_run: bool
    ) -> None:
        """From what a program said before to what it says now, in whatever order is right. Raises
        Refused."""

    def rehearse(self, api: Connection, before: Inputs, wanted: Inputs) -> None:
        super().rehearse(api, before, wanted)
        if before and _differs(before, wanted) and not self._replaces(before, wanted):
            id = self.known_as(api, before)
            self.change(api, id, self._left(api, id, before, wanted), wanted, dry_run=True)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        api, before, wanted = Connection.at_hand(), self._said(_olds), self._said(_news)
        left = self._left(api, _id, before, wanted)
        self.change(api, _id, left, wanted, dry_run=False)
        return UpdateResult({**wanted, **self._found(api, _id, wanted)})

    def _left(self, api: Connection, id: str, before: Inputs, wanted: Inputs) -> Inputs:
        """`before`, without what is as it is wanted already: a run that broke off, or somebody else, did
        that. What the preview did not show is left alone."""
        found = self.look(api, id, wanted)
        if found is None:
            raise api.refused(
                f"{id} is not there any more, or is called something else: run `pulumi refresh`, and look at the preview again.",
                f"{id} が見つかりません。削除されたか、名前が変更されています。`pulumi refresh` を実行し、もう一度 preview を確認してください。",
            )
        done = {key for key in found.keys() & set(self.inputs) if found[key] == wanted.get(key)}
        kept = {key: value for key, value in before.items() if key not in done}
        return kept | {key: wanted[key] for key in done & wanted.keys()}


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


def subject(operation: Any) -> str:
    """The id of what an operation is about."""
    return str(operation["subject"]).partition(":")[2]


def gone(api: Connection, path: str) -> None:
    """Removes it; where it is gone already, that is well."""
    try:
        api.change("DELETE", path)
    except Refused as refused:
        if refused.status != 404:
            raise
