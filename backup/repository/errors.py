"""What can be wrong with a repository, each in one sentence that names the object."""

from __future__ import annotations

from collections.abc import Iterable

from control_plane.model.errors import YuiError

WRONG_KEY = "backup-wrong-key"


class Damaged(YuiError):
    """An object's bytes are not what they should be, or it is not there.

    `object` is its key, `what` says in English what is wrong, `points` are the recovery points known
    to need it (empty: not known)."""

    _is = ("is damaged", "が壊れています")
    _advice = ("Heal it from another copy of the repository.", "別の写しから修復してください。")

    def __init__(self, object: str, what: str, *, ja: str, points: Iterable[str] = ()) -> None:
        self.object = object
        self.what = what
        self.what_ja = ja
        self.points = tuple(points)
        needed = f" Recovery point {', '.join(self.points)} needs it." if self.points else ""
        needed_ja = f"復元ポイント {'、'.join(self.points)} に必要です。" if self.points else ""
        super().__init__(
            "backup-damaged",
            en=f"{object} {self._is[0]}: {what}.{needed} {self._advice[0]}",
            ja=f"{object} {self._is[1]}({ja})。{needed_ja}{self._advice[1]}",
            status=500,
            fields={"object": object, "what": what, "points": list(self.points)},
        )

    def needed_by(self, point: str) -> Damaged:
        return Damaged(
            self.object, self.what, ja=self.what_ja, points=dict.fromkeys((*self.points, point))
        )


class Stray(Damaged):
    """Nothing that was ever written as a part of the repository: no such name is given, or what agrees
    with its name is not of the form. No recovery point needs it, and it is to stop nothing."""

    _is = ("is no part of the repository", "はリポジトリの一部ではありません")
    _advice = (
        "Find out who put it there, and delete it.",
        "誰が置いたかを確認し、削除してください。",
    )

    def needed_by(self, point: str) -> Damaged:  # noqa: ARG002
        return self


def stray(key: str) -> Stray:
    return Stray(
        key,
        "nothing that is written has such a name",
        ja="このような名前のオブジェクトは書き込まれません",
    )


def formless(key: str, part: str) -> Stray:
    return Stray(
        key,
        f"it agrees with its name, and is not {part}",
        ja=f"オブジェクト名とは一致しますが、書式に合いません: {part}",
    )


def oversized(key: str) -> Damaged:
    return Damaged(
        key,
        "it is larger than anything that is written there",
        ja="書き込まれる最大の大きさを超えています",
    )


def altered(key: str) -> Damaged:
    return Damaged(
        key, "its bytes do not agree with its name", ja="内容がオブジェクト名と一致しません"
    )


def unsealed_wrongly(key: str, part: str) -> Damaged:
    return Damaged(
        key,
        f"{part} does not open with the tenant's keys",
        ja=f"団体の鍵で開けない部分があります: {part}",
    )


def malformed(key: str, part: str) -> Damaged:
    return Damaged(
        key, f"{part} is not what the format says", ja=f"書式に合わない部分があります: {part}"
    )


def missing(key: str) -> Damaged:
    return Damaged(key, "it is not there", ja="オブジェクトがありません")


def wrong_key(store: str, tenant: str, wrapped_by: str, given: str) -> YuiError:
    return YuiError(
        WRONG_KEY,
        en=f"The repository key {given} does not open the keyring of tenant {tenant} in {store}, which key {wrapped_by} has closed: give that key.",
        ja=f"{store} にある団体 {tenant} の鍵束は鍵 {wrapped_by} で封じられており、指定された鍵 {given} では開けません。鍵 {wrapped_by} を指定してください。",
        fields={"tenant": tenant, "wrapped_by": wrapped_by, "given": given},
    )


def malformed_key() -> YuiError:
    return YuiError(
        "backup-key-malformed",
        en="A repository key is 32 bytes, written as 64 hexadecimal digits or as base64: correct the secret that holds it.",
        ja="リポジトリ鍵は32バイトで、16進数64桁または base64 で表します。鍵を入れたシークレットを直してください。",
    )


def not_a_repository(store: str) -> YuiError:
    return YuiError(
        "backup-repository-absent",
        en=f"There is no backup repository in {store}: create one there, or give its right place.",
        ja=f"{store} にはバックアップのリポジトリがありません。作成するか、正しい場所を指定してください。",
        status=404,
        fields={"store": store},
    )


def unknown_version(store: str, version: object) -> YuiError:
    return YuiError(
        "backup-version-unknown",
        en=f"The repository in {store} is of format version {str(version)[:20]}, and this program knows version 1 only: use a newer one.",
        ja=f"{store} のリポジトリは書式バージョン {str(version)[:20]} です。このプログラムはバージョン 1 だけを扱えます。新しい版を使ってください。",
        fields={"store": store},
    )


def repository_exists(store: str) -> YuiError:
    return YuiError(
        "backup-repository-exists",
        en=f"There is a backup repository in {store} already: open it, or create the new one elsewhere.",
        ja=f"{store} にはすでにリポジトリがあります。それを開くか、別の場所に作成してください。",
        status=409,
        fields={"store": store},
    )


def no_vault(store: str, tenant: str) -> YuiError:
    return YuiError(
        "backup-vault-absent",
        en=f"Tenant {tenant} has no keyring in {store}: nothing was ever backed up there, or its keys were destroyed.",
        ja=f"{store} に団体 {tenant} の鍵束がありません。バックアップがまだないか、鍵が破棄されています。",
        status=404,
        fields={"store": store, "tenant": tenant},
    )


def no_point(tenant: str, point: str) -> YuiError:
    return YuiError(
        "recovery-point-not-found",
        en=f"Tenant {tenant} has no recovery point {point[:40]}: look at the list of its points.",
        ja=f"団体 {tenant} に復元ポイント {point[:40]} はありません。一覧を確認してください。",
        status=404,
        fields={"tenant": tenant, "point": point[:40]},
    )


def no_disk(point: str, disk: str) -> YuiError:
    return YuiError(
        "recovery-point-disk-not-found",
        en=f"Recovery point {point} holds no disk {disk[:63]}: look at the point's disks.",
        ja=f"復元ポイント {point} にディスク {disk[:63]} はありません。ディスクの一覧を確認してください。",
        status=404,
        fields={"point": point, "disk": disk[:63]},
    )


def overtaken(point: str) -> YuiError:
    return YuiError(
        "backup-overtaken",
        en=f"Recovery point {point} was not finished: what it relied on was collected meanwhile. Begin it again.",
        ja=f"復元ポイント {point} は、参照していたデータが作成中に回収されたため完成できませんでした。やり直してください。",
        status=409,
        fields={"point": point},
    )


def point_too_large(point: str) -> YuiError:
    return YuiError(
        "backup-point-too-large",
        en=f"Recovery point {point} holds more that is new than one may: spread what lies on the server's disks over several servers.",
        ja=f"復元ポイント {point} の新しいデータが、1つの復元ポイントの上限を超えています。ディスクのデータを複数のサーバーに分けてください。",
        status=409,
        fields={"point": point},
    )


def vault_destroyed(tenant: str) -> YuiError:
    return YuiError(
        "backup-vault-destroyed",
        en=f"The keys of tenant {tenant} were destroyed: its backups here can no longer be read or written.",
        ja=f"団体 {tenant} の鍵は破棄されました。ここにあるバックアップは読み書きできません。",
        status=410,
        fields={"tenant": tenant},
    )
