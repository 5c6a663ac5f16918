"""What a client sends to be let in (Identity API v3, `POST /v3/auth/tokens`)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Lenient(BaseModel):
    """Clients of different ages send more than is read here."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True)


class DomainIn(Lenient):
    id: Text | None = None
    name: Text | None = None


class PasswordUserIn(Lenient):
    """`password` is a token of the service account that `name` or `id` names."""

    id: Text | None = None
    name: Text | None = None
    domain: DomainIn | None = None
    password: Secret = Field(repr=False)


class PasswordIn(Lenient):
    user: PasswordUserIn


class TokenIn(Lenient):
    """Any token that Yui gave: its own, a session, or an identity provider's."""

    id: Secret = Field(repr=False)


class CredentialUserIn(Lenient):
    id: Text | None = None
    name: Text | None = None
    domain: DomainIn | None = None


class ApplicationCredentialIn(Lenient):
    """A token of a service account by its id, or by its label and the account; `secret` is its text, or
    the part of it that follows the id."""

    id: Text | None = None
    name: Text | None = None
    secret: Secret = Field(repr=False)
    user: CredentialUserIn | None = None


class IdentityIn(Lenient):
    methods: Annotated[list[Text], Field(min_length=1, max_length=8)]
    password: PasswordIn | None = None
    token: TokenIn | None = None
    application_credential: ApplicationCredentialIn | None = None


class ProjectIn(Lenient):
    id: Text | None = None
    name: Text | None = None
    domain: DomainIn | None = None


class ScopeIn(Lenient):
    """`unscoped` is what the word alone stands for, whatever it holds."""

    project: ProjectIn | None = None
    domain: DomainIn | None = None
    system: dict[str, bool] | None = None
    unscoped: Any = None

    @model_validator(mode="before")
    @classmethod
    def _word(cls, given: Any) -> Any:
        return {"unscoped": {}} if given == "unscoped" else given


class AuthIn(Lenient):
    identity: IdentityIn
    scope: ScopeIn | None = None


class SignIn(Lenient):
    auth: AuthIn
