"""How far an export has come is kept as it was told, and access ends with a membership."""

from __future__ import annotations

from dataclasses import replace

from control_plane.model.access import Permission, Role, Token
from control_plane.model.export import ExportedDisk
from control_plane.model.identity import BreakGlass, ServiceAccount, User
from control_plane.model.ids import OperationId, ServerId, VolumeId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Store
from control_plane.store.departures import AccessEnded
from tests.store import samples
from tests.store.samples import NOON

LEAVING = OperationId("op-1")


def test_each_disks_progress_is_kept_until_the_export_is_forgotten(store: Store) -> None:
    code = samples.tenant().code
    root = ExportedDisk(LEAVING, "systems/a/a.qcow2", code, ServerId("a"))
    loose = ExportedDisk(LEAVING, "volumes/v.qcow2", code, None, VolumeId("v"), missing=True)
    other = replace(root, operation=OperationId("op-2"), build=3)
    with store.write() as tx:
        for disk in (loose, root, other):
            tx.put_exported_disk(disk)
        further = replace(root, length=2**40, virtual_size=2**41, done=2**39, trouble="No room.")
        tx.put_exported_disk(further)
    with store.read() as tx:
        assert tx.exported_disks(LEAVING) == (further, loose)
        assert tx.exports() == ((LEAVING, code), (OperationId("op-2"), code))
    with store.write() as tx:
        tx.put_exported_disk(replace(further, done=2**40, sha256="5a" * 32, trouble=None))
        tx.remove_exported_disk(loose)
        tx.forget_export(OperationId("op-2"))
    with store.read() as tx:
        (whole,) = tx.exported_disks(LEAVING)
        assert whole.whole
        assert whole.anew(1) == replace(root, build=1)
        assert tx.exports() == ((LEAVING, code),)


def test_nobody_acts_for_a_member_that_has_left_and_others_are_left_alone(store: Store) -> None:
    ours = samples.tenant()
    theirs = samples.tenant(MunicipalityCode("012289"))
    scopes = frozenset({Permission.SERVERS_READ})
    with store.write() as tx:
        for tenant in (ours, theirs):
            code = tenant.code.text
            tx.add_tenant(tenant)
            tx.add_user(User(f"u{code}", code, "https://id", code, "n", None, Role.MEMBER_ADMIN, False, NOON))  # fmt: skip
            tx.add_service_account(ServiceAccount(f"s{code}", code, "backup", Role.MEMBER_USER, scopes, NOON))  # fmt: skip
            tx.add_token(Token(f"t{code}", "hash", Role.MEMBER_ADMIN, code, "x"))
            tx.add_token(Token(f"p{code}", "hash", Role.MEMBER_USER, code, "x", account=f"s{code}"))
            tx.put_break_glass(BreakGlass(f"g{code}", "token-1", "Sato", code, scopes, "Fire.", NOON, NOON))  # fmt: skip
    with store.write() as tx:
        assert tx.end_access(ours.code, "leaving", NOON) == AccessEnded(2, 1, 1)
        tx.end_tenancy(ours.code)
    with store.read() as tx:
        assert {user.tenant for user in tx.users()} == {theirs.code.text}
        assert {account.tenant for account in tx.service_accounts()} == {theirs.code.text}
        assert {token.tenant for token in tx.tokens()} == {theirs.code.text}
        assert {grant.tenant for grant in tx.break_glasses() if grant.closed_at is None} == {
            theirs.code.text
        }
        assert tx.find_tenant(ours.code) is None
