"""Who may speak to the API at all."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from control_plane.access.service import bootstrap_operator_token
from control_plane.app import Options, create_app
from control_plane.http.tokens import TokenCheck, new_token, token_id_of
from control_plane.model.units import Seconds
from tests.api.conftest import MIKASA, Api, problem_of, standard_catalogue
from tests.api.in_process import InProcess


def test_without_a_token_there_is_a_challenge_and_nothing_else(untouched_api: Api) -> None:
    answer = untouched_api.client.get("/v1/hosts")
    problem_of(answer, 401, "token-missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="yui"'


@pytest.mark.parametrize("path", ["/v1/hosts", "/v1/nothing-here", "/nowhere", "/v1/hosts/x/drain"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_stranger_learns_nothing_about_which_paths_exist(
    untouched_api: Api, method: str, path: str
) -> None:
    problem_of(untouched_api.client.request(method, path), 401, "token-missing")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer nonsense",
        "Basic eXVpOnl1aQ==",
        "Bearer yui_aaaaaaaaaaaaaaaa_" + "A" * 43,
        "Bearer yui_" + "a" * 5000,
        "Bearer ' OR 1=1 --",
    ],
)
def test_a_token_that_is_none_of_ours_is_refused(untouched_api: Api, header: str) -> None:
    answer = untouched_api.client.get("/v1/hosts", headers={"Authorization": header})
    problem_of(answer, 401, "token-invalid")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_the_right_id_with_a_wrong_secret_is_refused(untouched_api: Api) -> None:
    token = untouched_api.operator_token
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    problem_of(untouched_api.with_token(wrong).get("/v1/hosts"), 401, "token-invalid")
    assert untouched_api.get("/v1/hosts").status_code == 200


def test_a_revoked_token_is_refused_from_the_next_request_on(api: Api) -> None:
    town = api.tenant(_joined(api))
    assert town.get("/v1/servers").status_code == 200
    token_id = token_id_of(town.operator_token)
    assert api.request("DELETE", f"/v1/tokens/{token_id}").json()["revoked"] is True
    problem_of(town.get("/v1/servers"), 401, "token-invalid")


def test_a_token_that_ran_out_is_refused(api: Api) -> None:
    issued = api.post(
        "/v1/tokens", json={"role": "operator", "label": "guest", "expires_in_days": 1}
    ).json()
    guest = api.with_token(issued["token"])
    assert guest.get("/v1/hosts").status_code == 200
    api.world.clock.sleep(Seconds(timedelta(days=1).total_seconds()))
    problem_of(guest.get("/v1/hosts"), 401, "token-invalid")


def test_the_state_holds_no_secret_of_any_token(api: Api) -> None:
    issued = api.post(
        "/v1/tokens",
        json={"role": "operator", "label": "second"},
        headers={"Idempotency-Key": "a-key-for-a-token"},
    ).json()
    secrets = [text[21:] for text in (api.operator_token, issued["token"])]
    everything = repr(api.contents())
    assert not any(secret in everything for secret in secrets)
    assert everything.count("$argon2id$") == 2


def test_whoever_asks_for_no_other_cost_keeps_tokens_at_the_full_one(api: Api) -> None:
    full = "$argon2id$v=19$m=19456,t=2,p=1$"
    first = bootstrap_operator_token(api.store)
    with InProcess(create_app(api.store, api.world, Options(standard_catalogue()))) as client:
        answer = client.post(
            "/v1/tokens",
            json={"role": "auditor", "label": "second"},
            headers={"Authorization": f"Bearer {first}"},
        )
    assert answer.status_code == 201, answer.text
    with api.store.read() as tx:
        for text in (first, answer.json()["token"]):
            token = tx.token_by_id(token_id_of(text) or "")
            assert token is not None
            assert token.hash.startswith(full)
    assert new_token().hash.startswith(full)


def test_a_forgotten_proof_is_proved_again_and_a_wrong_secret_never_is() -> None:
    time = [0.0]
    check = TokenCheck(lambda: Seconds(time[0]), remember=Seconds(10), most_remembered=1)
    first, second = new_token(), new_token()
    for _ in range(2):
        assert check.proves(first.text, first.hash)
        assert check.proves(second.text, second.hash)
        assert not check.proves(first.text, second.hash)
        time[0] += 11


def test_a_stored_hash_that_is_none_refuses_rather_than_fails() -> None:
    token = new_token()
    assert not TokenCheck(lambda: Seconds(0)).proves(token.text, "not a hash")


def test_tokens_are_not_alike_and_hold_256_bits_of_secret() -> None:
    tokens = [new_token() for _ in range(5)]
    assert len({token.id for token in tokens}) == len({token.text for token in tokens}) == 5
    assert all(len(base64.urlsafe_b64decode(token.text[21:] + "=")) == 32 for token in tokens)
    assert all(token_id_of(token.text) == token.id for token in tokens)


def test_health_needs_no_token(untouched_api: Api) -> None:
    answer = untouched_api.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def _joined(api: Api) -> str:
    api.join(MIKASA)
    return MIKASA


def test_a_label_of_the_token_signs_the_audit_trail(api: Api) -> None:
    api.join(MIKASA)
    entry = next(e for e in api.get("/v1/audit").json()["items"] if e["action"] == "member.join")
    assert entry["principal"] == token_id_of(api.operator_token)
    assert entry["fields"]["label"] == "first operator"
    assert entry["tenant"] == MIKASA
    assert api.operator_token not in repr(entry)
