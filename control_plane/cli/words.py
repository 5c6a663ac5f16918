"""The words of states as tables show them. JSON always keeps the API's own."""

from __future__ import annotations

from control_plane.cli.language import Message

STATES = {
    "up": Message("up", "正常"),
    "suspect": Message("suspect", "疑いあり"),
    "confirmed": Message("confirmed", "停止確認"),
    "fenced": Message("fenced", "隔離済み"),
    "cleaning": Message("cleaning", "清掃中"),
    "in-service": Message("in service", "稼働"),
    "draining": Message("draining", "ドレイン中"),
    "maintenance": Message("maintenance", "保守中"),
    "open": Message("open", "受入可"),
    "closed": Message("closed", "受入停止"),
    "gone": Message("gone", "対象外"),
    "building": Message("building", "構築中"),
    "active": Message("active", "稼働中"),
    "running": Message("running", "稼働中"),
    "degraded": Message("degraded", "一部停止"),
    "stopping": Message("stopping", "停止処理中"),
    "stopped": Message("stopped", "停止"),
    "migrating": Message("migrating", "移動中"),
    "stranded": Message("stranded", "収容先なし"),
    "deleting": Message("deleting", "削除中"),
    "unknown": Message("unknown", "不明"),
    "done": Message("done", "完了"),
    "failed": Message("failed", "失敗"),
    "info": Message("info", "情報"),
    "warning": Message("warning", "警告"),
    "critical": Message("critical", "重大"),
    "added": Message("added", "追加"),
    "changed": Message("changed", "変更"),
    "removed": Message("removed", "削除"),
    "valid": Message("valid", "有効"),
    "invalid": Message("invalid", "無効"),
    "yes": Message("yes", "はい"),
    "no": Message("no", "いいえ"),
}
