"""How to sign in, for those who have not yet."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request

from control_plane.access.identity_providers import IdentityProviders
from control_plane.access.models import SignIn, SignInProvider

router = APIRouter(prefix="/v1", tags=["access"])


@router.get("/sign-in")
def read_sign_in(request: Request) -> SignIn:
    """The identity providers with which `yui login` works. Needs no token, and tells what each of them
    tells the world itself."""
    trusted = cast(IdentityProviders | None, request.app.state.providers)
    return SignIn(
        providers=[
            SignInProvider(
                issuer=provider.issuer,
                client_id=provider.client_id,
                scopes=list(provider.scopes),
                bearer=provider.bearer,
            )
            for provider in (() if trusted is None else trusted.providers)
            if provider.client_id is not None
        ]
    )
