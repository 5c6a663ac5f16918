"""`yui quota`: a member's capacity in three numbers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import capacity_messages as c
from control_plane.cli import messages as m
from control_plane.cli.client import ApiProblem, segment
from control_plane.cli.options import DryRun, RegionFilter, TenantFilter
from control_plane.cli.output import Column, gib
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.tenant import MunicipalityCode
from tenants.quota_models import Amounts, QuotaOut, QuotaPlan

app = typer.Typer(no_args_is_help=True, help="What members are guaranteed, and may ask for.")

Code = Annotated[
    str, typer.Argument(help="Six-digit municipality code, such as 012220.", metavar="CODE")
]
RegionOption = Annotated[
    str | None, typer.Option(help="The region, where the member has capacity in several.")
]
_NOTHING = {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}


@app.command("list")
def list_(context: typer.Context, region: RegionFilter = None, tenant: TenantFilter = None) -> None:
    """List what each member is guaranteed, may ask for, and uses."""
    session = session_of(context)
    documents = session.api.every("/v1/quotas", region=region, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(QuotaOut, documents)
    if not found:
        session.screen.note(c.NO_QUOTAS)
        return
    session.screen.table(
        [
            Column(m.MEMBER),
            Column(m.REGION),
            *(
                Column(head, "right")
                for head in (
                    c.GUARANTEED,
                    c.QUOTA,
                    c.USED,
                    c.CONTAINER_GROUPS,
                    c.BORROWABLE,
                    c.UNPROVED,
                )
            ),
        ],
        [
            (
                one.tenant,
                one.region,
                *map(
                    _short,
                    (
                        one.guaranteed,
                        one.quota,
                        one.used,
                        one.container_groups,
                        one.borrowable,
                        one.unproved,
                    ),
                ),
            )
            for one in found
        ],
    )
    if any(_some(one.container_groups) for one in found):
        session.screen.note(c.CONTAINER_GROUPS_SAID)
    if any(_some(one.unproved) for one in found):
        session.screen.note(c.UNPROVED_SAID)


@app.command()
def show(context: typer.Context, code: Code, region: RegionOption = None) -> None:
    """Show the capacity of one member."""
    session = session_of(context)
    MunicipalityCode(code)
    document = session.api.get(f"/v1/members/{segment(code)}/quota", region=region)
    if session.screen.json:
        session.screen.data(document)
    else:
        _show(session, read(QuotaOut, document))


@app.command("set")
def set_(
    context: typer.Context,
    code: Code,
    *,
    region: RegionOption = None,
    guaranteed_vcpus: Annotated[
        int | None, typer.Option(help="vCPU that are guaranteed.", min=0)
    ] = None,
    guaranteed_memory: Annotated[
        int | None, typer.Option(help="Memory that is guaranteed, in GiB.", min=0)
    ] = None,
    guaranteed_disk: Annotated[
        int | None, typer.Option(help="Disk that is guaranteed, in GiB.", min=0)
    ] = None,
    quota_vcpus: Annotated[
        int | None, typer.Option(help="vCPU that may be asked for at most.", min=0)
    ] = None,
    quota_memory: Annotated[
        int | None, typer.Option(help="Memory that may be asked for at most, in GiB.", min=0)
    ] = None,
    quota_disk: Annotated[
        int | None, typer.Option(help="Disk that may be asked for at most, in GiB.", min=0)
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Guarantee a member more or less, or let it ask for more or less. What is not named stays."""
    session = session_of(context)
    MunicipalityCode(code)
    path = f"/v1/members/{segment(code)}/quota"
    standing, tag = _standing(session, path, region)
    body: dict[str, Any] = {
        "guaranteed": _changed(
            standing["guaranteed"], guaranteed_vcpus, guaranteed_memory, guaranteed_disk
        ),
        "quota": _changed(standing["quota"], quota_vcpus, quota_memory, quota_disk),
    }
    if region is not None:
        body["region"] = region
    document = session.api.put(path, body, if_match=tag, dry_run=dry_run)
    if session.screen.json:
        session.screen.data(document)
        return
    after = read(QuotaPlan, document).after if dry_run else read(QuotaOut, document)
    said = c.QUOTA_PLAN if dry_run else c.QUOTA_SET
    session.screen.say(said, code=code, region=after.region)
    _show(session, after)


def _standing(session: Session, path: str, region: str | None) -> tuple[dict[str, Any], str | None]:
    query = "" if region is None else f"?region={segment(region)}"
    try:
        return session.api.read(path + query)
    except ApiProblem as problem:
        if region is None or problem.type != "quota-not-set":
            raise
        return {"guaranteed": _NOTHING, "quota": _NOTHING}, None


def _changed(
    standing: dict[str, int], vcpus: int | None, memory: int | None, disk: int | None
) -> dict[str, int]:
    given = {
        "vcpus": vcpus,
        "memory_mib": None if memory is None else 1024 * memory,
        "disk_gib": disk,
    }
    return {**standing, **{name: amount for name, amount in given.items() if amount is not None}}


def _show(session: Session, one: QuotaOut) -> None:
    session.screen.pairs([(m.MEMBER, one.tenant), (m.REGION, one.region)])
    columns = [
        (c.GUARANTEED, one.guaranteed),
        (c.QUOTA, one.quota),
        (c.USED, one.used),
        (c.CONTAINER_GROUPS, one.container_groups),
        (c.BORROWED, one.borrowed),
        (c.BORROWABLE, one.borrowable),
        (c.UNPROVED, one.unproved),
    ]
    shown = [amounts for _, amounts in columns]
    session.screen.table(
        [Column(c.RESOURCE), *(Column(head, "right") for head, _ in columns)],
        [
            (session.screen.text(c.VCPU), *(f"{a.vcpus:,}" for a in shown)),
            (session.screen.text(c.MEMORY), *(gib(a.memory_mib) for a in shown)),
            (session.screen.text(c.DISK), *(f"{a.disk_gib:,}" for a in shown)),
        ],
    )
    if _some(one.container_groups):
        session.screen.note(c.CONTAINER_GROUPS_SAID)
    if _some(one.unproved):
        session.screen.note(c.UNPROVED_SAID)


def _short(a: Amounts) -> str:
    return f"{a.vcpus:,} vCPU, {gib(a.memory_mib)} + {a.disk_gib:,} GiB" if _some(a) else "-"


def _some(a: Amounts) -> bool:
    return bool(a.vcpus or a.memory_mib or a.disk_gib)
