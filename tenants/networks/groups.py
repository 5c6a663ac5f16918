"""Security groups: which conversations may begin with a member's servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from control_plane.journal.operations import draw
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, SecurityGroupId
from control_plane.model.network import (
    DEFAULT_GROUP,
    PortRange,
    SecurityGroup,
    SecurityRule,
)
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.networks.models import MOST_RULES, RuleIn, RuleOut, SecurityGroupOut

MOST_GROUPS = 100
"""Of one member."""


def group_out(group: SecurityGroup) -> SecurityGroupOut:
    return SecurityGroupOut(
        id=group.id,
        tenant=group.tenant.text,
        name=group.name,
        description=group.description,
        rules=[_rule_out(rule) for rule in group.rules],
        generation=group.generation,
    )


def add_group(
    tx: Transaction,
    tenant: MunicipalityCode,
    name: str,
    rules: Sequence[RuleIn],
    asker: Asker,
    *,
    description: str = "",
) -> SecurityGroup:
    """Raises `security-group-exists`, `security-groups-too-many`, and `security-group-not-found` for a
    group that a rule names."""
    if len(tx.security_groups(tenant, limit=MOST_GROUPS)) >= MOST_GROUPS:
        raise YuiError(
            "security-groups-too-many",
            en=f"There are {MOST_GROUPS} security groups already: remove one that no server is in.",
            ja=f"セキュリティグループはすでに {MOST_GROUPS} 個あります。使っていないものを削除してください。",
            status=409,
        )
    id = SecurityGroupId(f"sg-{draw(10)}")
    made = tx.add_security_group(
        SecurityGroup(
            id, tenant, name, _rules(tx, tenant, rules, itself=id), description=description
        )
    )
    _tell(tx, "add", made, asker, ("was made", "を作成しました"))
    return made


def change_group(
    tx: Transaction,
    group: SecurityGroup,
    name: str | None,
    rules: Sequence[RuleIn],
    asker: Asker,
    *,
    description: str | None = None,
) -> SecurityGroup:
    """Raises `security-group-exists`, `security-group-default` for a new name of the default one, and
    `security-group-not-found` for a group that a rule names."""
    wanted = replace(
        group,
        name=group.name if name is None else name,
        description=group.description if description is None else description,
        rules=_rules(tx, group.tenant, rules, itself=group.id, known=group.rules),
    )
    return _changed(tx, group, wanted, asker)


def _changed(
    tx: Transaction, group: SecurityGroup, wanted: SecurityGroup, asker: Asker
) -> SecurityGroup:
    if wanted == group:
        return group
    if group.name == DEFAULT_GROUP != wanted.name:
        raise _default_stays(group, "keeps its name", "の名前は変更できません")
    saved = tx.save_security_group(wanted)
    sentences = (
        ("is described anew", "の名前または説明を変更しました")
        if wanted.rules == group.rules
        else ("has new rules", "のルールを変更しました")
    )
    _tell(tx, "change", saved, asker, sentences)
    return saved


def revise_group(
    tx: Transaction,
    group: SecurityGroup,
    name: str | None,
    description: str | None,
    asker: Asker,
) -> SecurityGroup:
    """Another name or description, where one is given; its rules stay. Raises `security-group-exists`,
    `security-group-default`."""
    wanted = replace(
        group,
        name=group.name if name is None else name,
        description=group.description if description is None else description,
    )
    return _changed(tx, group, wanted, asker)


def add_rule(
    tx: Transaction, group: SecurityGroup, rule: RuleIn, asker: Asker
) -> tuple[SecurityGroup, SecurityRule]:
    """One more. Raises `security-group-rules-too-many`, and `security-group-not-found` for the group that
    it names; a rule that is there already stays as it is."""
    (new,) = _rules(tx, group.tenant, [rule], itself=group.id)
    bare = replace(new, description="")
    for known in group.rules:
        if replace(known, description="") == bare:
            return group, known
    if len(group.rules) >= MOST_RULES:
        raise YuiError(
            "security-group-rules-too-many",
            en=f"Security group '{group.name}' has {MOST_RULES} rules already: remove one, or make another group.",
            ja=f"セキュリティグループ「{group.name}」のルールはすでに {MOST_RULES} 個あります。不要なものを削除するか、別のグループを作成してください。",
            status=409,
            fields={"security-group": group.id},
        )
    return _changed(tx, group, replace(group, rules=(*group.rules, new)), asker), new


def remove_rule(
    tx: Transaction, group: SecurityGroup, rule: SecurityRule, asker: Asker
) -> SecurityGroup:
    rules = tuple(one for one in group.rules if one != rule)
    return _changed(tx, group, replace(group, rules=rules), asker)


def remove_group(tx: Transaction, group: SecurityGroup, asker: Asker) -> None:
    """Raises `security-group-default`, and `security-group-in-use` while servers are in it or rules
    of other groups name it."""
    if group.name == DEFAULT_GROUP:
        raise _default_stays(group, "can't be removed", "は削除できません")
    servers = tx.servers_in_group(group.id)
    others = [
        other.name
        for other in tx.security_groups(group.tenant)
        if other.id != group.id and any(rule.remote_group == group.id for rule in other.rules)
    ]
    if servers or others:
        by = [*servers, *others]
        raise YuiError(
            "security-group-in-use",
            en=f"Security group '{group.name}' is in use by {', '.join(by[:5])}: take it out there first.",
            ja=f"セキュリティグループ「{group.name}」は {'、'.join(by[:5])} で使用中です。先にそちらから外してください。",
            status=409,
            fields={
                "security-group": group.id,
                "servers": list(servers[:50]),
                "groups": others[:50],
            },
        )
    tx.remove_security_group(group)
    _tell(tx, "remove", group, asker, ("was removed", "を削除しました"))


def groups_of(tx: Snapshot, server: Server) -> tuple[SecurityGroup, ...]:
    """By name: those it was put into, or its member's default one."""
    named = tx.groups_of_servers({server.id}).get(server.id)
    own = tx.security_groups(server.tenant)
    found = [g for g in own if (g.id in named if named else g.name == DEFAULT_GROUP)]
    return tuple(sorted(found, key=lambda group: group.name))


def put_into_groups(
    tx: Transaction, server: Server, groups: Sequence[str], asker: Asker
) -> tuple[SecurityGroup, ...]:
    """Have the server in these of its member's groups and in no other. Raises `security-group-not-found`."""
    before = groups_of(tx, server)
    wanted = [
        tx.security_group(SecurityGroupId(name), server.tenant) for name in sorted(set(groups))
    ]
    alone = [g.name for g in wanted] == [DEFAULT_GROUP]
    tx.set_groups_of(server.id, set() if alone else {g.id for g in wanted})
    after = groups_of(tx, server)
    if after != before:
        names = ", ".join(group.name for group in after)
        tx.add_event(
            Event(
                "server.security-groups-set",
                f"server:{server.id}",
                asker.at,
                Severity.INFO,
                f"Server {server.name} is now in the security groups {names}, {asker.who.label} asks.",
                f"{asker.who.label} さんの指示により、サーバー {server.name} のセキュリティグループを {names} にしました。",
                tenant=server.tenant.text,
            )
        )
        tx.add_audit(
            asker.who.did(
                "server.security-groups",
                f"server:{server.id}",
                asker.at,
                tenant=server.tenant,
                fields={"security_groups": [group.id for group in after]},
            )
        )
    return after


def expect(group: SecurityGroup, expected: Generation | None) -> SecurityGroup:
    """Raises `security-group-changed` (412) when the caller has read another generation."""
    if expected is not None and group.generation != expected:
        raise YuiError(
            "security-group-changed",
            en=f"Security group '{group.name}' has changed since you read it: read it again.",
            ja=f"セキュリティグループ「{group.name}」は読み取り後に変更されています。読み直してください。",
            status=412,
            fields={"security-group": group.id, "generation": group.generation},
        )
    return group


def _rules(
    tx: Transaction,
    tenant: MunicipalityCode,
    rules: Sequence[RuleIn],
    *,
    itself: SecurityGroupId,
    known: Sequence[SecurityRule] = (),
) -> tuple[SecurityRule, ...]:
    """Each once, with the description that it is given or had. The groups that they name stay until the
    transaction ends."""
    described = {replace(rule, description=""): rule.description for rule in known}
    found: dict[SecurityRule, str] = {}
    for rule in rules:
        group = None if rule.remote_group is None else SecurityGroupId(rule.remote_group)
        if group is not None and group != itself:
            tx.hold_security_group(tx.security_group(group, tenant).id)
        bare = SecurityRule(
            rule.direction,
            rule.protocol,
            None if rule.ports is None else _range(rule.ports),
            None if rule.remote is None else IPv4Network(rule.remote),
            group,
            rule.offices,
        )
        had = described.get(bare, "")
        found[bare] = had if rule.description is None else rule.description
    return tuple(replace(bare, description=text) for bare, text in found.items())


def _range(text: str) -> PortRange:
    first, _, last = text.partition("-")
    return PortRange(int(first), int(last or first))


def _rule_out(rule: SecurityRule) -> RuleOut:
    ports = rule.ports
    return RuleOut(
        direction=rule.direction,
        protocol=rule.protocol,
        ports=None
        if ports is None
        else f"{ports.first}"
        if ports.first == ports.last
        else f"{ports.first}-{ports.last}",
        remote=None if rule.remote is None else str(rule.remote),
        remote_group=rule.remote_group,
        offices=rule.offices,
        description=rule.description,
    )


def _tell(
    tx: Transaction, did: str, group: SecurityGroup, asker: Asker, sentences: tuple[str, str]
) -> None:
    asker.tell_of(
        tx,
        f"security-group.{did}",
        f"security-group:{group.id}",
        group.tenant,
        what=(f"Security group {group.name}", f"セキュリティグループ {group.name}"),
        did=sentences,
        fields={"name": group.name, "rules": len(group.rules)},
    )


def _default_stays(group: SecurityGroup, en: str, ja: str) -> YuiError:
    return YuiError(
        "security-group-default",
        en=f"Security group '{group.name}' is for the servers that are in no other, so it {en}.",
        ja=f"セキュリティグループ「{group.name}」{ja}。ほかのグループに属さないサーバーのためのものです。",
        status=409,
        fields={"security-group": group.id},
    )
