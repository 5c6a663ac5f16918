"""Actions of Nova's that can't be had here: each is refused with a sentence of its own."""

from __future__ import annotations

from collections.abc import Mapping

from control_plane.model.errors import YuiError

_CONSORTIUMS = (
    "is the consortium's to do, who see to where servers run",
    "は運用担当者だけが実行できます",
)
_NO_PAUSE = (
    "can't be had: stop the server, or shelve it",
    "には対応していません。サーバーを停止するか、休止(shelve)してください",
)
_NO_RESCUE = (
    "can't be had: attach the server's volumes to another one, or restore it from a recovery point",
    "には対応していません。ボリュームを別のサーバーに接続するか、復元ポイントから復元してください",
)
_NO_ADDRESS = (
    "can't be had: a server has the one address that its network gave it",
    "には対応していません。サーバーのアドレスはネットワークから割り当てられた一つだけです",
)
_NO_SCREEN = (
    "can't be had: what the serial console says is told by os-getConsoleOutput",
    "には対応していません。シリアルコンソールの出力は os-getConsoleOutput で取得できます",
)

REFUSED: Mapping[str, tuple[int, tuple[str, str]]] = {
    "migrate": (403, _CONSORTIUMS),
    "os-migrateLive": (403, _CONSORTIUMS),
    "evacuate": (403, _CONSORTIUMS),
    "os-resetState": (403, _CONSORTIUMS),
    "injectNetworkInfo": (403, _CONSORTIUMS),
    "resetNetwork": (403, _CONSORTIUMS),
    "pause": (501, _NO_PAUSE),
    "unpause": (501, _NO_PAUSE),
    "suspend": (501, _NO_PAUSE),
    "resume": (501, _NO_PAUSE),
    "rescue": (501, _NO_RESCUE),
    "unrescue": (501, _NO_RESCUE),
    "restore": (
        501,
        (
            "can't be had: what is deleted is gone; restore it from a recovery point",
            "には対応していません。削除したサーバーは復元ポイントから復元してください",
        ),
    ),
    "changePassword": (
        501,
        (
            "can't be had: use the key that the server was made with",
            "には対応していません。サーバーの作成時に指定した鍵を使ってください",
        ),
    ),
    "createBackup": (
        501,
        (
            "can't be had: systems are backed up as their backup policies say",
            "には対応していません。バックアップはシステムのバックアップポリシーに従って取得されます",
        ),
    ),
    "trigger_crash_dump": (
        501,
        (
            "can't be had: restart the server with reboot, type HARD",
            "には対応していません。reboot(type は HARD)で再起動してください",
        ),
    ),
    "addFloatingIp": (501, _NO_ADDRESS),
    "removeFloatingIp": (501, _NO_ADDRESS),
    "addFixedIp": (501, _NO_ADDRESS),
    "removeFixedIp": (501, _NO_ADDRESS),
    "os-getVNCConsole": (400, _NO_SCREEN),
    "os-getSPICEConsole": (400, _NO_SCREEN),
    "os-getRDPConsole": (400, _NO_SCREEN),
    "os-getSerialConsole": (400, _NO_SCREEN),
    "os-getMKSConsole": (400, _NO_SCREEN),
}
"""By status: what only those who look after the pool may do is forbidden, the rest is not there."""


def refuse(action: str) -> YuiError:
    """`action-unsupported`, or `action-unknown` (400) for what Nova doesn't know either."""
    known = REFUSED.get(action)
    if known is None:
        shown = "".join(c if c.isprintable() else "?" for c in action[:80])
        return YuiError(
            "action-unknown",
            en=f"There is no such action: {shown}.",
            ja=f"「{shown}」という操作はありません。",
            status=400,
        )
    status, (en, ja) = known
    return YuiError(
        "action-unsupported",
        en=f"The action {action} {en}.",
        ja=f"操作 {action} {ja}。",
        status=status,
        fields={"action": action},
    )


def no_remote_console() -> YuiError:
    return YuiError(
        "console-type-unsupported",
        en="Unavailable console type: there are no remote consoles; what the serial console says is told by the action os-getConsoleOutput.",
        ja="リモートコンソールはありません。シリアルコンソールの出力は、操作 os-getConsoleOutput で取得できます。",
        status=400,
    )
