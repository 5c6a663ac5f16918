"""What is put in comes out again, exactly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.access import AuditEntry, Role, Token
from control_plane.model.fence import FenceEvidence, FenceKind, FenceMethod, FenceWord
from control_plane.model.host_health import Cleaning, Confirmed, Fenced, HostHealth, Suspect, Up
from control_plane.model.ids import GroupId, HostId, OperationId
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.pool import DomainKind, Duty, Policy
from control_plane.model.workload import Moving, Placed, Placement, Power, Seen, Shelved, Stranded
from control_plane.store import IdempotentAnswer, Store
from tests.store import samples
from tests.store.samples import NOON, host_id
from tests.thoroughness import examples

_one_store = settings(
    max_examples=examples(15),
    deadline=None,
    # The same store serves all examples: each writes over the one before.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

_times = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy below adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-5))]),
)
_words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
_hosts = st.sampled_from([host_id(1), host_id(2), host_id(3)])
_evidence = st.builds(
    FenceEvidence, host=_hosts, kind=st.sampled_from(FenceKind), at=_times, by=_words, detail=_words
)
_health: st.SearchStrategy[HostHealth] = st.one_of(
    st.builds(Cleaning, _times),
    st.builds(Up, _times),
    st.builds(Suspect, _times, _words),
    st.builds(Confirmed, _times, st.tuples(_words, _words)),
    st.builds(Fenced, _times, _evidence),
)
_placements: st.SearchStrategy[Placement] = st.one_of(
    st.builds(Placed, _hosts),
    st.builds(Moving, _hosts, _hosts),
    st.builds(Stranded, _evidence),
    st.just(Shelved()),
)


@_one_store
@given(health=_health, duty=st.sampled_from(Duty))
def test_a_hosts_health_and_duty_come_back_as_they_were(
    store: Store, health: HostHealth, duty: Duty
) -> None:
    _furnish_once(store)
    with store.write() as tx:
        saved = tx.save_host(replace(tx.host(host_id(1)), health=health, duty=duty))
    with store.read() as tx:
        found = tx.host(host_id(1))
        assert found == saved
        assert type(found.health) is type(health)
        if isinstance(health, Fenced):
            assert any(
                (kept.host, kept.at, kept.by)
                == (health.evidence.host, health.evidence.at, health.evidence.by)
                for kept in tx.fences()
            )


@_one_store
@given(placement=_placements, seen=st.sampled_from(Seen), power=st.sampled_from(Power))
def test_a_servers_placement_comes_back_as_it_was(
    store: Store, placement: Placement, seen: Seen, power: Power
) -> None:
    _furnish_once(store)
    with store.write() as tx:
        standing = tx.server(samples.server_id(1))
        saved = tx.save_server(replace(standing, placement=placement, seen=seen, power=power))
    with store.read() as tx:
        found = tx.server(samples.server_id(1))
        assert found == saved
        assert type(found.placement) is type(placement)
        for number in (1, 2, 3):
            held = host_id(number) in _holders(placement)
            assert bool(tx.servers(host=host_id(number))) is held


def test_the_pools_description_comes_back_as_it_was(store: Store) -> None:
    described = samples.region(
        policy=Policy.PACK, promised=frozenset({DomainKind.HOST, DomainKind.RACK})
    )
    with store.write() as tx:
        samples.describe(tx)
        tx.put_region(described)
    with store.read() as tx:
        assert tx.regions() == (described,)
        assert tx.sites() == (samples.site(),)
        assert tx.site(samples.SITE) == samples.site()
        assert tx.flavors() == (samples.flavor(),)
        assert tx.image(samples.IMAGE) == samples.image()
        expected = samples.host(2)
        assert tx.host(host_id(2)) == replace(expected, health=Up(NOON), generation=2)


def test_members_systems_and_servers_come_back_as_they_were(store: Store) -> None:
    samples.furnish(store)
    grouped = samples.server(
        2,
        group=GroupId("g"),
        traits=frozenset({"ssd"}),
        sites=frozenset({samples.SITE}),
        deleting=True,
    )
    with store.write() as tx:
        assert tx.add_server(samples.server(1)) == samples.server(1)
        tx.add_server(grouped)
    with store.read() as tx:
        assert tx.tenants() == (samples.tenant(),)
        assert tx.system(samples.SYSTEM) == samples.system()
        assert tx.servers() == (samples.server(1), grouped)


def test_records_of_what_happened_come_back_as_they_were(store: Store) -> None:
    operation = Operation(
        OperationId("op-1"),
        "member.join",
        "member:262013",
        "262013",
        OperationState.FAILED,
        1,
        3,
        NOON,
        samples.later(1),
        {"type": "no-room", "shortfall": 3},
    )
    event = Event("host.up", "host:kyoto-1", NOON, Severity.INFO, "Up.", "復旧。", None, {"n": 1})
    told = replace(event, tenant="262013", member_en="It runs.", member_ja="稼働しています。")
    entry = AuditEntry(
        NOON, "tok", Role.OPERATOR, None, "host.drain", "host:kyoto-1", "done", {"dry_run": False}
    )
    answer = IdempotentAnswer("key", "tok", "digest", 202, {"operation": "op-1"}, NOON)
    token = Token("tok", "$argon2id$…", Role.MEMBER_ADMIN, "262013", "電算係", samples.later(60))
    with store.write() as tx:
        tx.put_operation(replace(operation, state=OperationState.RUNNING, error=None))
        tx.put_operation(operation)
        numbered = tx.add_event(event)
        numbered_too = tx.add_event(told)
        tx.add_audit(entry)
        tx.put_idempotent(answer)
        tx.add_token(token)
    with store.read() as tx:
        assert tx.operation(operation.id) == operation
        assert tx.events(0, 10) == (numbered, numbered_too)
        assert replace(numbered, sequence=0) == event
        assert replace(numbered_too, sequence=0) == told
        (audited,) = tx.audit(0, 10)
        assert replace(audited, sequence=0, position=0, hash="", link="") == entry
        assert tx.find_idempotent("key", "tok") == answer
        assert tx.find_idempotent("key", "another") is None
        assert tx.token_by_id("tok") == token
        assert "argon2" not in repr(token)


def test_an_operators_word_waits_until_it_is_removed_and_the_newest_counts(store: Store) -> None:
    samples.furnish(store)
    word = FenceWord(host_id(1), "sato", "Off.", FenceMethod.WORD, NOON)
    newer = replace(word, by="suzuki", at=samples.later(5))
    other = replace(word, host=host_id(2), method=FenceMethod.POWER_OFF)
    with store.write() as tx:
        tx.add_fence_word(word)
        tx.add_fence_word(newer)
        tx.add_fence_word(other)
    with store.read() as tx:
        assert tx.fence_words() == (other, newer)
    with store.write() as tx:
        tx.remove_fence_word(host_id(1))
        tx.remove_fence_word(host_id(1))
    with store.read() as tx:
        assert tx.fence_words() == (other,)


def test_the_same_evidence_is_kept_once_and_outlives_its_host(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_fence(samples.evidence(3))
        tx.add_fence(samples.evidence(3))
        tx.remove_host(host_id(3))
    with store.read() as tx:
        assert tx.fences() == (samples.evidence(3),)
        assert tx.fences(host=host_id(1)) == ()


def _furnish_once(store: Store) -> None:
    with store.read() as tx:
        if tx.servers():
            return
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))


def _holders(placement: Placement) -> set[HostId]:
    match placement:
        case Placed(host=host):
            return {host}
        case Moving(source=source, target=target):
            return {source, target}
        case Stranded() | Shelved():
            return set()
