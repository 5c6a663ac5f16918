"""Sentences that say what a client of OpenStack is to do, where those of `/v1` speak to clients of `/v1`."""

from __future__ import annotations

from control_plane.model.errors import YuiError


def fitting(error: YuiError, path: str, identity: str) -> YuiError:
    """The same error in words for whoever asked for `path`; `identity` is where one signs in."""
    told = _words(error.type, path[:100], identity)
    if told is None:
        return error
    en, ja = told
    return YuiError(error.type, en=en, ja=ja, status=error.status, fields=error.fields)


def _words(type: str, path: str, identity: str) -> tuple[str, str] | None:
    match type:
        case "token-missing":
            return (
                f"The request you have made requires authentication: sign in at {identity}/auth/tokens, and send what it answers in the header X-Auth-Token.",
                f"認証が必要です。{identity}/auth/tokens でサインインし、発行されたトークンを X-Auth-Token ヘッダーに付けてください。",
            )
        case "token-invalid":
            return (
                f"The token in X-Auth-Token is unknown, ended or expired: sign in at {identity}/auth/tokens again.",
                f"X-Auth-Token のトークンは登録されていないか、終了または期限切れです。{identity}/auth/tokens で再度サインインしてください。",
            )
        case "token-unscoped":
            return (
                f"The token in X-Auth-Token is for no project, and so for nothing here: exchange it at {identity}/auth/tokens for one that is scoped to your project.",
                f"X-Auth-Token のトークンはプロジェクトを指定せずに発行されたため、ここでは使えません。{identity}/auth/tokens で、自団体のプロジェクトを指定したトークンに交換してください。",
            )
        case "token-misplaced":
            return (
                "A token stands where others may read it: send it in the header X-Auth-Token alone, and have this one revoked.",
                "トークンが、ほかの人の目に触れる場所に入っています。トークンは X-Auth-Token ヘッダーだけに入れ、このトークンは取り消してください。",
            )
        case "no-such-path":
            return (
                f"There is nothing at {path}: docs/openstack-api.md lists what there is, and what stands in place of the rest.",
                f"{path} には何もありません。使えるものと、ないものの代わりは docs/openstack-api.md をご覧ください。",
            )
        case _:
            return None
