"""A municipality with its systems, as one thing of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import ComponentResource, ResourceOptions

from tenants.pulumi_yui.backup_policies import BackupPolicy
from tenants.pulumi_yui.offices import Offices
from tenants.pulumi_yui.systems import System


class Town(ComponentResource):
    """`blueprints` are systems of the catalogue; `offices` says for each zone from where it is reached;
    `backup_policies` for each blueprint how it is backed up where that is not the blueprint's way.
    `systems` holds what was made, by blueprint."""

    def __init__(
        self,
        name: str,
        *,
        blueprints: Sequence[str],
        offices: Mapping[str, Sequence[str]] | None = None,
        backup_policies: Mapping[str, Mapping[str, Any]] | None = None,
        region: str | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("yui:index:Town", name, {}, opts)
        within = ResourceOptions(parent=self)
        self.systems = {
            blueprint: System(
                f"{name}-{blueprint}", blueprint=blueprint, region=region, opts=within
            )
            for blueprint in blueprints
        }
        # A zone's network comes with its first server.
        after = ResourceOptions(parent=self, depends_on=list(self.systems.values()))
        self.offices = {
            zone: Offices(
                f"{name}-{zone}", zone=zone, offices=sorted(given), region=region, opts=after
            )
            for zone, given in (offices or {}).items()
        }
        self.backup_policies = {
            blueprint: BackupPolicy(
                f"{name}-{blueprint}-backups",
                system=self.systems[blueprint].id,
                policy=policy,
                opts=within,
            )
            for blueprint, policy in (backup_policies or {}).items()
        }
        self.register_outputs({"systems": {b: s.id for b, s in self.systems.items()}})
