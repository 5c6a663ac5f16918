"""The one directory on the control plane whose files may become images over HTTP."""

from __future__ import annotations

from pathlib import Path

from control_plane.model.errors import YuiError


def file_below(directory: Path | None, text: str) -> Path:
    """The file that `text` names, symbolic links followed, which must lie below `directory`.

    Raises "image-directory-unset" and "image-path-outside", which say nothing about what else is on
    the machine."""
    if directory is None:
        raise directory_unset()
    outside = YuiError(
        "image-path-outside",
        en="An image must be a file below the control plane's image directory: copy it there and name it relative to that.",
        ja="イメージはコントロールプレーンのイメージ用ディレクトリーの中のファイルでなければなりません。そこへ複写し、そこからの相対パスで指定してください。",
    )
    root = directory.resolve()
    try:
        wanted = (root / text).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise outside from None
    if not wanted.is_relative_to(root) or not wanted.is_file():
        raise outside
    return wanted


def directory_unset() -> YuiError:
    return YuiError(
        "image-directory-unset",
        en="This control plane has no image directory, so it takes no images over HTTP: start it with one.",
        ja="このコントロールプレーンにはイメージ用ディレクトリーが設定されていないため、HTTP では登録できません。設定して起動し直してください。",
        status=409,
    )
