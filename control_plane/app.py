"""Assembles every capability's routes into one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from backup.api.copy_routes import router as member_copy_router
from backup.api.key_routes import router as backup_key_router
from backup.api.point_routes import router as recovery_point_router
from backup.api.repository_routes import router as repository_router
from backup.api.rewrap_routes import router as rewrap_router
from backup.api.rule_routes import router as backup_rule_router
from backup.api.system_routes import router as system_backup_router
from backup.api.upkeep_routes import router as upkeep_router
from backup.keeper.vaults import Vaults
from backup.member_copy import Listings, Slots, contents_of
from backup.metrics import BackupCollector
from control_plane.access.break_glass_routes import router as break_glass_router
from control_plane.access.identity_providers import IdentityProviders
from control_plane.access.routes import router as access_router
from control_plane.access.service_account_routes import router as service_account_router
from control_plane.access.sign_in_routes import router as sign_in_router
from control_plane.access.user_routes import router as user_router
from control_plane.drivers.world import World
from control_plane.http.auth import Authentication
from control_plane.http.body_limit import BodyLimit
from control_plane.http.edge import Edge
from control_plane.http.health import StateCollector
from control_plane.http.health import router as health_router
from control_plane.http.in_flight import InFlight
from control_plane.http.metrics import RequestMetrics
from control_plane.http.misplaced_tokens import TokenPlaces
from control_plane.http.openapi import describe_with_problems
from control_plane.http.plain_paths import PlainPaths
from control_plane.http.problems import answer_with_problems
from control_plane.http.rate_limits import RateLimit, RateLimits, StrangerLimit
from control_plane.http.recognition import LastUsed, Recognition
from control_plane.http.refusals import RefusalRecord
from control_plane.http.request_record import RequestRecord
from control_plane.http.sessions import read_session
from control_plane.http.token_memory import TokenMemory
from control_plane.http.tokens import FULL_COST, HashCost, TokenCheck
from control_plane.http.waiting import Watch
from control_plane.journal.audit_routes import router as audit_router
from control_plane.journal.audit_signing import Signer
from control_plane.journal.routes import router as journal_router
from control_plane.journal.streams import router as streams_router
from control_plane.model.membership import ApprovalRule
from control_plane.model.units import Seconds
from control_plane.pool.routes import router as pool_router
from control_plane.store import Store
from images.capture_routes import router as capture_router
from images.own_image_routes import quota_router as image_quota_router
from images.own_image_routes import router as own_image_router
from images.routes import router as image_router
from images.upload_routes import IMAGE_PARTS
from images.upload_routes import router as upload_router
from tenants.blueprint_routes import router as blueprint_router
from tenants.catalogue import Catalogue
from tenants.container_groups.routes import router as container_group_router
from tenants.creation_routes import router as creation_router
from tenants.first_users import Trusted
from tenants.keypairs.routes import router as keypair_router
from tenants.leaving.export_directory import ExportDirectory
from tenants.leaving.routes import router as leaving_router
from tenants.lifecycle_routes import router as lifecycle_router
from tenants.lists import router as lists_router
from tenants.membership_routes import router as membership_router
from tenants.networks.binding_routes import router as binding_router
from tenants.networks.group_routes import router as group_router
from tenants.networks.host_routes import router as host_network_router
from tenants.networks.network_routes import router as network_router
from tenants.networks.own_network_routes import router as own_network_router
from tenants.networks.plans import HostNetworks
from tenants.openstack_api.edge import BRINGING_TOKENS, OpenStackEdge, is_open
from tenants.openstack_api.image.data_routes import IMAGE_FILES
from tenants.openstack_api.routers import ROUTERS as OPENSTACK_ROUTERS
from tenants.openstack_api.services import PREFIX
from tenants.power_routes import router as power_router
from tenants.quota_routes import router as quota_router
from tenants.reclaim_routes import router as reclaim_router
from tenants.register import MemberRegister
from tenants.resizing_routes import router as resizing_router
from tenants.routes import Membership
from tenants.routes import router as tenants_router
from tenants.server_groups.routes import router as server_group_router
from tenants.server_notes_routes import router as server_notes_router
from tenants.shelving_routes import router as shelving_router
from tenants.system_routes import router as system_router
from tenants.volumes.snapshot_routes import router as snapshot_router
from tenants.volumes.volume_routes import router as volume_router

_DESCRIPTION = (
    "The control plane of a cloud that municipalities own together. Every mutation takes "
    "`Idempotency-Key`; most take `dry_run`. Errors are problem documents, in Japanese with "
    "`Accept-Language: ja`."
)


@dataclass(frozen=True, slots=True)
class Options:
    """`images` is the directory below which image files are added; None adds none. Without `signer` the
    audit trail's heads are not signed here. `body_bytes` is
    the most that a request may carry, within `body_patience`; it waits for its turn to have its token
    proved for `token_patience`; a waiting request sees a change after `look_every`. `providers` are
    those whose users may sign in. `approval` says how many people let a member in. `exports` is where those that leave get theirs. `token_cost` is what hashing a new
    token takes. `public_url` is where clients reach this API, where that is not where they say."""

    catalogue: Catalogue
    register: MemberRegister = field(default_factory=MemberRegister)
    images: Path | None = None
    signer: Signer | None = None
    body_bytes: int = 1024 * 1024
    body_patience: Seconds = Seconds(30)
    token_patience: Seconds = Seconds(5)
    providers: IdentityProviders | None = None
    look_every: Seconds = Seconds(0.5)
    limits: RateLimits | None = None
    approval: ApprovalRule = ApprovalRule.TWO_PERSONS
    exports: Path | None = None
    token_cost: HashCost = FULL_COST
    public_url: str | None = None


def create_app(store: Store, world: World, options: Options) -> FastAPI:
    """One app on one store. It owns neither: whoever made them closes them."""
    watch = Watch(store, options.look_every)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        watch.stop()

    app = FastAPI(
        title="Yui",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    registry = CollectorRegistry()
    registry.register(StateCollector(store))
    registry.register(BackupCollector(store, options.catalogue, world.clock))
    app.state.registry = registry
    app.state.signer = options.signer
    app.state.images = options.images
    app.state.edge = Edge(store, world, watch, InFlight(), token_cost=options.token_cost)
    app.state.last_used = LastUsed()
    app.state.providers = options.providers
    app.state.public_url = options.public_url
    app.state.recognition = Recognition(
        store,
        TokenCheck(world.clock.monotonic),
        TokenMemory(store, world.clock.monotonic, lambda tx, id: tx.token_by_id(id)),
        TokenMemory(store, world.clock.monotonic, read_session),
        world.clock.now,
        options.token_patience,
        app.state.last_used,
        options.providers,
    )
    vaults = Vaults(world)
    app.state.member_copies = Listings(
        lambda choice: contents_of(choice, vaults), world.clock.monotonic
    )
    app.state.copy_slots = Slots()
    app.state.host_networks = HostNetworks()
    exports = None if options.exports is None else ExportDirectory(options.exports)
    app.state.blueprints = options.catalogue
    app.state.membership = Membership(
        options.catalogue, options.register, options.approval, exports, _trusted(options.providers)
    )
    for router in (
        health_router,
        pool_router,
        lists_router,
        membership_router,
        leaving_router,
        tenants_router,
        creation_router,
        power_router,
        lifecycle_router,
        server_notes_router,
        shelving_router,
        resizing_router,
        server_group_router,
        volume_router,
        snapshot_router,
        system_router,
        network_router,
        own_network_router,
        group_router,
        keypair_router,
        binding_router,
        host_network_router,
        blueprint_router,
        quota_router,
        reclaim_router,
        capture_router,
        upload_router,
        image_router,
        own_image_router,
        image_quota_router,
        container_group_router,
        repository_router,
        rewrap_router,
        upkeep_router,
        backup_rule_router,
        system_backup_router,
        recovery_point_router,
        backup_key_router,
        member_copy_router,
        journal_router,
        streams_router,
        audit_router,
        access_router,
        user_router,
        service_account_router,
        break_glass_router,
        sign_in_router,
        *OPENSTACK_ROUTERS,
    ):
        # As they are: `include_router` would build each of them anew for this app, at the first request.
        app.router.routes.extend(router.routes)
    answer_with_problems(app)
    describe_with_problems(app, but=PREFIX)
    # The last one added stands outermost.
    app.add_middleware(
        BodyLimit,
        most_bytes=options.body_bytes,
        patience=options.body_patience,
        streamed=(IMAGE_PARTS, IMAGE_FILES),
        bringing_tokens=BRINGING_TOKENS,
    )
    if options.limits is not None:
        app.add_middleware(RateLimit, limits=options.limits, monotonic=world.clock.monotonic)
    app.add_middleware(
        Authentication,
        recognition=app.state.recognition,
        also_open=is_open,
    )
    if options.limits is not None:
        app.add_middleware(StrangerLimit, limits=options.limits, monotonic=world.clock.monotonic)
    app.add_middleware(RefusalRecord, store=store, clock=world.clock)
    app.add_middleware(PlainPaths)
    app.add_middleware(TokenPlaces)
    app.add_middleware(OpenStackEdge)
    app.add_middleware(RequestRecord, metrics=RequestMetrics(registry))
    return app


def _trusted(providers: IdentityProviders | None) -> Trusted:
    known = () if providers is None else providers.providers
    return Trusted(
        tuple(each.issuer for each in known),
        frozenset(each.issuer for each in known if each.bind_by_email),
    )
