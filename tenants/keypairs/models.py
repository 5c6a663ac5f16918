"""Key pairs as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import RequestBody, ResponseBody
from control_plane.http.token_shapes import holds_token
from control_plane.pool.plan import Rehearsal


def _no_token(text: str) -> str:
    if holds_token(text.encode()):
        raise PydanticCustomError("token_inside", "holds a token")
    return text


KeyPairName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_@-](?:[A-Za-z0-9_@. -]{0,253}[A-Za-z0-9_@.-])?$", max_length=255
    ),
    AfterValidator(_no_token),
]

PublicKeyText = Annotated[
    str,
    # An RSA key of 16384 bits with a long comment.
    StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]*$"),
    AfterValidator(_no_token),
]


class NewKeyPairIn(RequestBody):
    """`public_key`: the one line of a file such as id_ed25519.pub. Without it a key is made, and its
    private half is in the answer and nowhere else."""

    name: KeyPairName
    public_key: PublicKeyText | None = None


class KeyPairOut(ResponseBody):
    """`fingerprint` is MD5 of the key, as OpenStack's tools show it. `made_by` is the service account, the
    user or the token that added it."""

    id: str
    tenant: str
    name: str
    public_key: str
    fingerprint: str
    made_by: str
    created_at: datetime


class KeyPairMade(KeyPairOut):
    """`private_key` is null unless the key was made here; it is told this once and kept nowhere."""

    private_key: str | None = Field(default=None, repr=False)


class KeyPairPlan(Rehearsal):
    """What a request would do; nothing of it is written, and no room of the pool changes."""
