"""Mistakes and refusals that a person reads: one sentence in English, one in Japanese."""

from __future__ import annotations

from collections.abc import Mapping


class YuiError(Exception):
    """Says what is wrong, with what, and what to do.

    `type` is a stable slug (kebab-case) that programs may match on and that the HTTP edge turns
    into an RFC 9457 problem type. `en` and `ja` are whole sentences without secrets. `fields`
    holds the figures behind the sentences, as JSON values. `status` is the HTTP status that fits.
    """

    type: str
    status: int

    def __init__(
        self,
        type: str,
        *,
        en: str,
        ja: str,
        status: int = 422,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(en)
        self.type = type
        self.en = en
        self.ja = ja
        self.status = status
        self.fields: dict[str, object] = dict(fields or {})
