"""A repository's key where its record says that it is: read when it is needed, and kept nowhere."""

from __future__ import annotations

from backup.repository import RepositoryKey
from control_plane.drivers.fencing.secret_refs import SecretUnavailable, read_secret
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.errors import YuiError


def key_at(ref: str, repository: RepositoryId, *, status: int = 503) -> RepositoryKey:
    """`ref` as in `Repository.key_ref`. Raises YuiError (`repository-key-unavailable` with that status,
    `backup-key-malformed`)."""
    try:
        return RepositoryKey.parse(read_secret(ref))
    except SecretUnavailable as error:
        raise YuiError(
            "repository-key-unavailable",
            en=f"The key of repository '{repository}' is not where it should be: {error}",
            ja=f"リポジトリ「{repository}」の鍵を、指定された場所({ref})から読み取れません。",
            status=status,
            fields={"repository": repository},
        ) from None
