"""What every part of a transaction shares: its connection, and which hosts it has already marked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Row, Select, Table, bindparam, select

from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, HostId, SiteId, StoragePoolId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.at_once import Meanings

TenantName = MunicipalityCode | str
"""A member by its code, checked or as text."""

_THINGS: Mapping[str, tuple[str, str]] = {
    "reclaim": ("notice by which room is asked back", "容量返却の依頼"),
    "region": ("region", "リージョン"),
    "site": ("site", "サイト"),
    "storage-pool": ("storage pool", "ストレージプール"),
    "host": ("host", "ホスト"),
    "flavor": ("flavor", "フレーバー"),
    "image": ("image", "イメージ"),
    "container-group": ("container group", "コンテナーグループ"),
    "image-upload": ("upload", "アップロード"),
    "tenant": ("member", "参加団体"),
    "system": ("system", "システム"),
    "server": ("server", "サーバー"),
    "network": ("network", "ネットワーク"),
    "security-group": ("security group", "セキュリティグループ"),
    "binding": ("binding", "サービス公開"),
    "keypair": ("key pair", "キーペア"),
    "server-group": ("server group", "サーバーグループ"),
    "volume": ("volume", "ボリューム"),
    "volume-type": ("type of volumes", "ボリュームの種類"),
    "snapshot": ("snapshot", "スナップショット"),
    "operation": ("operation", "操作"),
    "token": ("token", "トークン"),
    "user": ("user", "利用者"),
    "service-account": ("service account", "サービスアカウント"),
    "export-file": ("file of an export", "書き出しのファイル"),
    "repository": ("repository", "リポジトリ"),
    "link": ("link between regions", "リージョン間の回線"),
    "location-rule": ("data-location rule", "データ所在地の定め"),
    "recovery-point": ("recovery point", "復元ポイント"),
    "backup-copy-object": ("object of a copy", "コピーのオブジェクト"),
    "backup-run": ("backup run", "バックアップの実行"),
    "restore": ("restore", "復元"),
    "key-task": ("key request", "鍵の依頼"),
    "disaster": ("disaster declaration", "災害宣言"),
    "break-glass": ("break-glass", "非常時アクセス"),
}


def not_found(thing: str, name: object) -> YuiError:
    """404: nothing is called `name`, or the asker may not see it, which sounds the same."""
    en, ja = _THINGS[thing]
    shown = str(name)[:80]
    return YuiError(
        f"{thing}-not-found",
        en=f"There is no {en} '{shown}': list what there is and check the name.",
        ja=f"{ja}「{shown}」は見つかりません。一覧で名前を確認してください。",
        status=404,
        fields={thing: shown},
    )


def already_exists(thing: str, name: object) -> YuiError:
    """409: the name is taken."""
    en, ja = _THINGS[thing]
    shown = str(name)[:80]
    return YuiError(
        f"{thing}-exists",
        en=f"The {en} '{shown}' exists already: nothing was added.",
        ja=f"{ja}「{shown}」はすでに登録されているため、追加しませんでした。",
        status=409,
        fields={thing: shown},
    )


class Rows:
    """One transaction on one connection. `meanings` are those of the store that it is one of."""

    def __init__(self, connection: Connection, meanings: Meanings | None = None) -> None:
        self._connection = connection
        self._meanings = meanings or Meanings()
        # Hosts whose generation this transaction has raised: from what, to what.
        self._marked_hosts: dict[HostId, tuple[Generation, Generation]] = {}
        self._marked_pools: set[StoragePoolId] = set()
        self._given_addresses: dict[SiteId, set[int]] = {}

    @property
    def _on_postgresql(self) -> bool:
        return self._connection.dialect.name == "postgresql"

    def _first(self, statement: Executable, **values: Any) -> Row[Any] | None:
        return self._connection.execute(statement, values).first()

    def _exists(self, table: Table, name: object) -> bool:
        return self._first(_key_of(table), sought=str(name)) is not None

    def _row(self, table: Table, name: object) -> Row[Any] | None:
        """All of the row of that name, by its table's key."""
        return self._first(_whole_row_of(table), sought=str(name))

    def _hold(self, thing: str, table: Table, name: object) -> None:
        """Keep that row as it was read until this transaction ends; a change of it under way makes
        one of the two lose its race. SQLite has one writer at a time and nothing to hold."""
        if self._first(_held_key_of(table), sought=str(name)) is None:
            raise not_found(thing, name)

    def _need(self, thing: str, table: Table, name: object) -> None:
        if not self._exists(table, name):
            raise not_found(thing, name)


# Made once for each table: an admission asks for dozens of rows by their names.
@cache
def _key_of(table: Table) -> Select[Any]:
    (key,) = table.primary_key.columns
    return select(key).where(key == bindparam("sought"))


@cache
def _held_key_of(table: Table) -> Select[Any]:
    return _key_of(table).with_for_update(read=True)


@cache
def _whole_row_of(table: Table) -> Select[Any]:
    (key,) = table.primary_key.columns
    return select(table).where(key == bindparam("sought"))
