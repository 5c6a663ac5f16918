"""What Neutron knows as a thing of its own and is not there."""

from __future__ import annotations

from control_plane.model.errors import YuiError

_CALLED = {
    "subnet": ("Subnet", "サブネット"),
    "port": ("Port", "ポート"),
    "security-group-rule": ("Security group rule", "セキュリティグループのルール"),
    "address-group": ("Address group", "アドレスグループ"),
    "extension": ("Extension", "拡張機能"),
    "project": ("Project", "プロジェクト"),
}


def missing(thing: str, id: str) -> YuiError:
    """`<thing>-not-found` (404)."""
    en, ja = _CALLED[thing]
    shown = "".join(c if c.isprintable() else "?" for c in id[:80])
    return YuiError(
        f"{thing}-not-found",
        en=f"{en} {shown} could not be found.",
        ja=f"{ja}「{shown}」が見つかりません。",
        status=404,
    )
