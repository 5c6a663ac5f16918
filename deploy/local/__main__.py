"""`python -m deploy.local up|down`: a pool and its API on this machine, to try things out on."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from control_plane.cli.language import Language, Message, choose
from control_plane.model.errors import YuiError
from deploy.local.cloud import LocalCloud

_CHECKOUT = Path(__file__).resolve().parents[2]
_ROOT = _CHECKOUT / "var" / "up"
_KEPT_IMAGES = _CHECKOUT / "var" / "images"
_MEMBERS = _CHECKOUT / "examples" / "trial" / "members.csv"

_UP = Message(
    "The pool is up on {hypervisor}. Speak to it with:\n"
    "  export YUI_URL={url} YUI_TOKEN_FILE={token}\n"
    "  .venv/bin/yui host list\n"
    "Two people let a member in. The second one's token is {approver}:\n"
    "  .venv/bin/yui member join 012220 --blueprint facility-booking\n"
    "  YUI_TOKEN_FILE={approver} .venv/bin/yui member approve 012220\n"
    "Servers answer nobody but their own member's networks and offices. This machine can be an office, as {office}:\n"
    "  .venv/bin/yui token create --label office --tenant 012220 --out {clerk}\n"
    "  export YUI_TOKEN_FILE={clerk}\n"
    "  .venv/bin/yui network list\n"
    "  .venv/bin/yui network offices NETWORK {office}/32\n"
    "  curl --interface {office} http://ADDRESS/health",
    "プールが {hypervisor} で起動しました。次のように操作できます:\n"
    "  export YUI_URL={url} YUI_TOKEN_FILE={token}\n"
    "  .venv/bin/yui host list\n"
    "団体の参加には2人が必要です。承認者のトークンは {approver} です:\n"
    "  .venv/bin/yui member join 012220 --blueprint facility-booking\n"
    "  YUI_TOKEN_FILE={approver} .venv/bin/yui member approve 012220\n"
    "サーバーは、同じ団体のネットワークと庁内ネットワークからの通信にだけ応答します。このマシンを {office} として庁内に見立てるには:\n"
    "  .venv/bin/yui token create --label office --tenant 012220 --out {clerk}\n"
    "  export YUI_TOKEN_FILE={clerk}\n"
    "  .venv/bin/yui network list\n"
    "  .venv/bin/yui network offices ネットワーク {office}/32\n"
    "  curl --interface {office} http://アドレス/health",
)
_MAKING = Message("Making: {what}", "作成中: {what}")
_THERE = Message(
    "A pool is up already in {root}; take it down first with 'make down'.",
    "{root} にはすでにプールがあります。先に「make down」で停止してください。",
)
_UNUSABLE = Message(
    "{path} can't be used ({why}): name a folder of yours with --root.",
    "{path} を使えません({why})。書き込めるフォルダーを --root で指定してください。",
)
_DOWN = Message("Everything is gone.", "すべて取り除きました。")
_NOTHING = Message("There was nothing to take down.", "停止するものはありません。")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--root", type=Path, default=_ROOT)
    arguments = parser.parse_args()
    language = choose([], os.environ)
    try:
        if arguments.what == "up":
            return _up(arguments.root, language)
        removed = LocalCloud.remove(arguments.root)
        print((_DOWN if removed else _NOTHING).text(language))
    except YuiError as error:
        print(error.ja if language is Language.JA else error.en, file=sys.stderr)
        return 1
    except OSError as error:
        print(_UNUSABLE.text(language, path=error.filename, why=error.strerror), file=sys.stderr)
        return 1
    return 0


def _up(root: Path, language: Language) -> int:
    if root.exists():
        print(_THERE.text(language, root=root), file=sys.stderr)
        return 1
    cloud = LocalCloud.create(
        root,
        _MEMBERS,
        images=_KEPT_IMAGES if _KEPT_IMAGES.exists() else None,
        segments=True,
        tell=lambda what: print(_MAKING.text(language, what=what), flush=True),
    )
    said = _UP.text(
        language,
        hypervisor=cloud.hypervisor,
        url=cloud.url,
        token=cloud.token_file,
        approver=cloud.approver_token_file,
        office=cloud.pool.office(0),
        clerk=cloud.token_file.with_name("clerk-token"),
    )
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
