"""Files that hold a secret: made new, for their owner alone, and gone again when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from control_plane.model.errors import YuiError


def write_private(path: Path, content: Callable[[], str]) -> None:
    """Write what `content` returns to the new file `path` (mode 600). The file is opened first, so
    that no secret is made that can't be kept. Raises YuiError `token-file-unwritable`."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise YuiError(
            "token-file-unwritable",
            en=f"{path} can't be made ({error.strerror}): name a new file in a folder of yours.",
            ja=f"{path} を作れません({error.strerror})。書き込めるフォルダーの新しいファイル名を指定してください。",
        ) from None
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
