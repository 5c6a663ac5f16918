"""Tokens of an identity provider: who is let in, and who is not."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.access.conftest import SignedIn
from tests.access.issuer import AUDIENCE, Issuer, new_key
from tests.api.conftest import MIKASA, problem_of


def refused(signed_in: SignedIn, token: str) -> None:
    answer = signed_in.me(token)
    problem_of(answer, 401, "token-invalid")
    assert "invalid_token" in answer.headers["www-authenticate"]
    assert token not in answer.text


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_user_whom_the_provider_knows_is_let_in(signed_in: SignedIn, algorithm: str) -> None:
    signed_in.issuer.keys.append(new_key("other", algorithm))
    user = signed_in.add_user()
    me = signed_in.me(signed_in.issuer.token()).json()
    assert (me["id"], me["name"], me["kind"]) == (user["id"], "佐藤 花子", "user")
    assert (me["role"], me["tenant"]) == ("member-admin", MIKASA)
    assert "servers.write" in me["permissions"]
    assert "pool.read" not in me["permissions"]
    assert me["expires_at"]


def test_an_unknown_person_is_told_how_to_be_let_in(signed_in: SignedIn) -> None:
    answer = signed_in.me(signed_in.issuer.token(sub="suzuki"))
    problem = problem_of(answer, 403, "user-unknown")
    assert "'suzuki'" in problem["detail"]
    assert problem["fields"] == {"issuer": signed_in.issuer.url, "subject": "suzuki"}


def test_a_user_who_was_switched_off_is_refused_from_the_next_request_on(
    signed_in: SignedIn,
) -> None:
    user = signed_in.add_user(role="auditor", tenant=None)
    token = signed_in.issuer.token()
    assert signed_in.me(token).status_code == 200
    off = signed_in.api.request("PATCH", f"/v1/users/{user['id']}", json={"disabled": True})
    assert off.status_code == 200, off.text
    problem_of(signed_in.me(token), 403, "user-disabled")
    signed_in.api.request("DELETE", f"/v1/users/{user['id']}")
    problem_of(signed_in.me(token), 403, "user-unknown")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1_700_000_000},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"iss": "http://127.0.0.1:9/elsewhere"},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": True},
        {"sub": ""},
        {"sub": 12},
        {"sub": "a\nb"},
    ],
)
def test_what_the_token_claims_must_be_meant_for_us_and_hold_now(
    signed_in: SignedIn, claims: dict[str, Any]
) -> None:
    signed_in.add_user()
    refused(signed_in, signed_in.issuer.token(**claims))


@pytest.mark.parametrize("missing", ["exp", "aud", "iss", "sub"])
def test_a_token_without_what_it_must_claim_is_refused(signed_in: SignedIn, missing: str) -> None:
    signed_in.add_user()
    refused(signed_in, signed_in.issuer.token(without=(missing,)))


def test_clocks_may_be_a_minute_apart_and_no_more(signed_in: SignedIn) -> None:
    signed_in.add_user()
    token = signed_in.issuer.token()
    for ahead, let_in in ((330, True), (400, False), (-45, True), (-90, False)):
        signed_in.clock.ahead = timedelta(seconds=ahead)
        assert (signed_in.me(token).status_code == 200) is let_in, ahead


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_a_token_that_nobody_signed_is_refused(signed_in: SignedIn) -> None:
    signed_in.add_user()
    _, claims, signature = signed_in.issuer.token().split(".")
    for algorithm in ("none", "None", "NONE", ""):
        header = _part({"alg": algorithm, "kid": "first"})
        refused(signed_in, f"{header}.{claims}.")
        refused(signed_in, f"{header}.{claims}.{signature}")


def test_a_public_key_is_no_shared_secret(signed_in: SignedIn, issuer: Issuer) -> None:
    issuer.keys.append(new_key("rsa", "RS256"))
    signed_in.add_user()
    assert signed_in.me(issuer.token()).status_code == 200
    claims = issuer.token().split(".")[1]
    for public in (issuer.keys[-1].as_pem(private=False), issuer.keys[-1].as_der(private=False)):
        signed = f"{_part({'alg': 'HS256', 'kid': 'rsa'})}.{claims}"
        mac = hmac.digest(public, signed.encode(), "sha256")
        forged = base64.urlsafe_b64encode(mac).decode().rstrip("=")
        refused(signed_in, f"{signed}.{forged}")


def test_a_signature_by_another_key_of_the_same_name_is_refused(signed_in: SignedIn) -> None:
    signed_in.add_user()
    refused(signed_in, signed_in.issuer.token(new_key("first")))


def test_a_key_that_the_token_brings_itself_is_not_looked_at(signed_in: SignedIn) -> None:
    signed_in.add_user()
    own = new_key("mine")
    header = {"jwk": own.as_dict(private=False), "kid": "mine"}
    refused(signed_in, signed_in.issuer.token(own, header=header))
    elsewhere = {"jku": "http://127.0.0.1:9/keys", "kid": "mine"}
    refused(signed_in, signed_in.issuer.token(own, header=elsewhere))


def test_the_provider_may_rotate_its_keys(signed_in: SignedIn, issuer: Issuer) -> None:
    signed_in.add_user()
    old = issuer.token()
    assert signed_in.me(old).status_code == 200
    issuer.keys[:] = [new_key("second")]
    signed_in.clock.monotonic_seconds += 11
    assert signed_in.me(issuer.token()).status_code == 200
    refused(signed_in, old)
    assert issuer.asked == 2


def test_a_flood_of_made_up_keys_makes_us_ask_the_provider_once(
    signed_in: SignedIn, issuer: Issuer
) -> None:
    signed_in.add_user()
    good = issuer.token()
    for number in range(30):
        refused(signed_in, issuer.token(new_key(f"made-up-{number}")))
        assert signed_in.me(good).status_code == 200
    assert issuer.asked == 1
    signed_in.clock.monotonic_seconds += 11
    for number in range(30):
        refused(signed_in, issuer.token(new_key(f"made-up-{number}")))
    assert issuer.asked == 2


def test_a_token_without_a_key_id_will_do_where_there_is_one_key(
    signed_in: SignedIn, issuer: Issuer
) -> None:
    signed_in.add_user()
    assert signed_in.me(issuer.token(header={"kid": None})).status_code == 200
    issuer.keys.append(new_key("second"))
    signed_in.clock.monotonic_seconds += 700
    refused(signed_in, issuer.token(header={"kid": None}))


def test_while_the_provider_is_away_its_last_keys_hold_for_a_day(
    signed_in: SignedIn, issuer: Issuer
) -> None:
    signed_in.add_user()
    assert signed_in.me(issuer.token()).status_code == 200
    issuer.stop()
    signed_in.clock.monotonic_seconds += 3600
    assert signed_in.me(issuer.token()).status_code == 200
    signed_in.clock.monotonic_seconds += 86_400
    away = signed_in.me(issuer.token())
    problem = problem_of(away, 503, "provider-unreachable")
    assert issuer.url in problem["detail"]
    assert away.headers["retry-after"]
    assert signed_in.api.get("/v1/me").status_code == 200
    issuer.start()
    signed_in.clock.monotonic_seconds += 11
    assert signed_in.me(issuer.token()).status_code == 200


def test_a_provider_that_was_never_there_is_a_sentence_and_no_fault(
    signed_in: SignedIn, issuer: Issuer
) -> None:
    signed_in.add_user()
    issuer.stop()
    problem_of(signed_in.me(issuer.token()), 503, "provider-unreachable")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"keys": 3}', b"{" * 10_000, b" " * 600_000, b'{"keys": [1, {}]}'],
)
def test_a_provider_that_answers_nonsense_lets_nobody_in(
    signed_in: SignedIn, issuer: Issuer, body: bytes
) -> None:
    signed_in.add_user()
    issuer.jwks_body = body
    assert signed_in.me(issuer.token()).status_code in (401, 503)


def test_a_description_of_another_issuer_is_not_believed(
    signed_in: SignedIn, issuer: Issuer
) -> None:
    signed_in.add_user()
    issuer.described_as = "https://id.example.jp"
    problem_of(signed_in.me(issuer.token()), 503, "provider-unreachable")
    assert issuer.asked == 0


@pytest.mark.parametrize(
    "token",
    ["a.b.c", "..", "é.é.é", "a" * 20_000 + ".b.c", f"{_part({})}.{_part({})}.x", "eyJ.eyJ.x" * 9],
)
def test_anything_else_is_refused_without_asking_anybody(
    signed_in: SignedIn, issuer: Issuer, token: str
) -> None:
    answer = signed_in.api.client.get(
        "/v1/me", headers={"Authorization": b"Bearer " + token.encode()}
    )
    problem_of(answer, 401, "token-invalid")
    assert issuer.asked == 0


class TestInvitations:
    @pytest.fixture
    def provider_settings(self) -> dict[str, Any]:
        return {"bind_by_email": True}

    def test_the_first_login_with_the_verified_address_takes_the_invitation(
        self, signed_in: SignedIn
    ) -> None:
        user = signed_in.add_user(subject=None, email="Sato@town.example.jp")
        assert user["subject"] is None
        claims = {"email": "sato@town.example.jp", "email_verified": True}
        for unproved in ({"email_verified": False}, {"email_verified": "true"}, {"email": "x@y"}):
            answer = signed_in.me(signed_in.issuer.token(**{**claims, **unproved}))
            problem_of(answer, 403, "user-unknown")
        assert signed_in.me(signed_in.issuer.token(**claims)).json()["id"] == user["id"]
        second = signed_in.me(signed_in.issuer.token(sub="thief", **claims))
        problem_of(second, 403, "user-unknown")
        assert signed_in.me(signed_in.issuer.token()).json()["id"] == user["id"]
        trail = signed_in.api.get("/v1/audit?limit=1000").json()["items"]
        assert "user.bind" in {entry["action"] for entry in trail}


def test_an_address_alone_invites_nobody_unless_the_operators_trust_it(
    signed_in: SignedIn,
) -> None:
    answer = signed_in.api.post(
        "/v1/users",
        json={
            "issuer": signed_in.issuer.url,
            "email": "sato@town.example.jp",
            "name": "佐藤",
            "role": "member-admin",
            "tenant": MIKASA,
        },
    )
    problem_of(answer, 422, "subject-needed")


def test_the_way_to_sign_in_is_told_to_everybody(signed_in: SignedIn) -> None:
    (provider,) = signed_in.api.client.get("/v1/sign-in").json()["providers"]
    assert provider["issuer"] == signed_in.issuer.url
    assert provider["client_id"] == "yui-cli"
    assert provider["client_id"] != AUDIENCE


def test_no_token_is_ever_in_a_log_or_an_answer(
    signed_in: SignedIn, capsys: pytest.CaptureFixture[str]
) -> None:
    api, issuer = signed_in.api, signed_in.issuer
    own = api.post("/v1/tokens", json={"label": "x", "role": "auditor"}).json()["token"]
    sent = [own, own[:-1] + "x", issuer.token(), issuer.token(aud="x"), issuer.token(sub="x")]
    answers = []
    for token in sent:
        headers = {"Authorization": f"Bearer {token}"}
        for method, path in (("GET", "/v1/me"), ("POST", "/v1/hosts/kyoto-1/drain"), ("GET", "/x")):
            answers.append(api.client.request(method, path, headers=headers).text)
    issuer.stop()
    signed_in.clock.monotonic_seconds += 90_000
    answers.append(signed_in.me(sent[2]).text)
    told = "".join(answers) + "".join(capsys.readouterr()) + str(api.contents())
    for token in sent:
        assert token not in told
        assert token.rpartition("_" if token.startswith("yui_") else ".")[2] not in told
    assert "request" in told
