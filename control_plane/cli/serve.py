"""`yui serve`: one control-plane process, that is the API and the reconciler on one state."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from control_plane.cli import messages as m
from control_plane.cli.log_lines import LogLines, log_lines
from control_plane.cli.private_file import write_private
from control_plane.cli.session import Session, session_of
from control_plane.model.access import Role
from control_plane.model.errors import YuiError
from control_plane.model.membership import ApprovalRule

if TYPE_CHECKING:
    from control_plane.drivers.world import World
    from control_plane.journal.audit_signing import Signer
    from control_plane.store import Store
    from tenants.catalogue import Catalogue
    from tenants.leaving.export_directory import ExportDirectory


def serve(
    context: typer.Context,
    *,
    database: Annotated[
        str | None,
        typer.Option(
            help="The state: sqlite:////PATH, or postgresql+psycopg://USER@HOST/NAME. With a password in it, give it as YUI_DATABASE instead."
        ),
    ] = None,
    address: Annotated[str, typer.Option(help="The IP address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 8443,
    certificate: Annotated[Path | None, typer.Option(help="The API's certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="No encryption; on a loopback address only.")
    ] = False,
    local_socket: Annotated[
        Path | None,
        typer.Option(
            "--socket",
            help="Also answer at this path, for programs of the same user on this machine (mode 600).",
        ),
    ] = None,
    simulated: Annotated[
        bool,
        typer.Option("--simulated", help="Hosts exist in this process alone, for trying out."),
    ] = False,
    pace: Annotated[
        float,
        typer.Option(
            help="With --simulated: how many seconds go by there in one of ours, for who can't wait.",
            min=1,
            max=100,
        ),
    ] = 1.0,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            help="ADDRESS:PORT of something outside the pool that answers while our own network works; repeatable."
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(help="Post events to the address kept there: file:/PATH or env:NAME."),
    ] = None,
    kubernetes: Annotated[
        list[str] | None,
        typer.Option(
            help="REGION=KUBECONFIG of what runs a region's container groups, so that their volumes are backed up; repeatable."
        ),
    ] = None,
    volume_agent_image: Annotated[
        str | None,
        typer.Option(
            help="The image, with a python3, of the pods that read and write volumes; with --kubernetes."
        ),
    ] = None,
    disk_address: Annotated[
        str | None,
        typer.Option(
            help="Where hosts read disks from this control plane, so that servers start before they are restored: nbds://HOST:PORT?certificates=/FOLDER, or nbd+unix:///PATH on one machine."
        ),
    ] = None,
    register: Annotated[
        Path | None,
        typer.Option(
            help="The register of municipalities (CSV: code,name,kana,prefecture,population)."
        ),
    ] = None,
    blueprints: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of blueprints beside the standard ones; repeatable."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The folder below which image files may be added.")
    ] = None,
    export_dir: Annotated[
        Path | None,
        typer.Option(
            help="The folder for what members take along when they leave; every control plane of the pool must see the same one. Without it nobody can leave."
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            help="Where clients reach this API (https://NAME), for the links and the catalogue of the OpenStack-compatible one; without it, where each request says that it was sent."
        ),
    ] = None,
    identity_providers: Annotated[
        Path | None,
        typer.Option(help="The identity providers whose users may sign in (TOML)."),
    ] = None,
    first_token: Annotated[
        Path | None,
        typer.Option(
            help="Where nobody has a token yet: write an operator's to this new file (mode 600)."
        ),
    ] = None,
    first_approver_token: Annotated[
        Path | None,
        typer.Option(
            help="Where no approver has a token yet: write one to this new file (mode 600), for another person than the operator."
        ),
    ] = None,
    approval: Annotated[
        ApprovalRule, typer.Option(help="How many people it takes to let a member in.")
    ] = ApprovalRule.TWO_PERSONS,
    member_requests: Annotated[
        int,
        typer.Option(
            help="How many requests a second one member may send in the long run; 0 for any number.",
            min=0,
            max=10_000,
        ),
    ] = 100,
    audit_key: Annotated[
        Path | None,
        typer.Option(
            help="The file of the key that signs the audit trail (mode 600), made where there is none yet. Without it: YUI_AUDIT_KEY, or beside a SQLite state, with .audit-key behind its name."
        ),
    ] = None,
    previous_audit_key: Annotated[
        Path | None, typer.Option(help="The file of a key in use, to vouch for a new one.")
    ] = None,
    audit_key_lost: Annotated[
        str | None,
        typer.Option(
            help="How all earlier keys were lost, in one sentence; a new key is made, which nobody vouches for."
        ),
    ] = None,
) -> None:
    """Run the API and the reconciler until told to stop (SIGTERM, Ctrl-C)."""
    # The parts of a server are loaded as they are needed: no other command needs them, and what is
    # refused is refused without them.
    from control_plane.http.listening import Listening  # noqa: PLC0415

    session = session_of(context)
    listening = Listening(address, port, certificate, key, plain_http)
    listening.check()
    _check_public(public_url)
    state = _database(database)
    with ExitStack() as opening:
        with _loading():
            _log_to(opening.enter_context(log_lines(sys.stderr)))
            from tenants.catalogue import STANDARD_BLUEPRINTS, load_catalogue  # noqa: PLC0415
            from tenants.register import MemberRegister, load_register  # noqa: PLC0415

            catalogue = load_catalogue(STANDARD_BLUEPRINTS, *(blueprints or []))
            members = MemberRegister() if register is None else load_register(register)
            from control_plane.access.provider_settings import read_providers  # noqa: PLC0415

            trusted = () if identity_providers is None else read_providers(identity_providers)
            # What may be refused comes before what leaves something behind: a state, a token.
            bound = opening.enter_context(listening.bind())
            local = opening.enter_context(_local(local_socket))
            from control_plane.cli.worlds import platforms, real_world, world_for_trying_out  # noqa: PLC0415

            world = (
                None
                if simulated
                else opening.enter_context(
                    real_world(
                        witness or [],
                        webhook,
                        platforms(kubernetes or [], volume_agent_image),
                        disk_address,
                    )
                )
            )
            from control_plane.store import Store  # noqa: PLC0415

            store = Store.open(state)
            opening.callback(store.close)
            world = world or opening.enter_context(world_for_trying_out(store, pace))
            from control_plane.app import Options, create_app  # noqa: PLC0415
            from control_plane.http.rate_limits import RateLimits  # noqa: PLC0415
            from control_plane.http.serve import serve as serve_app  # noqa: PLC0415
            from control_plane.journal.progress import keep_settled  # noqa: PLC0415

            if first_token is not None:
                _issue_first(session, store, first_token, Role.OPERATOR)
            if first_approver_token is not None:
                _issue_first(session, store, first_approver_token, Role.APPROVER)
            from control_plane.cli.audit_signer import audit_signer  # noqa: PLC0415
            from control_plane.journal.audit_signing import keep_signed  # noqa: PLC0415

            signer = audit_signer(
                session, store, world.clock, audit_key, previous_audit_key, lost=audit_key_lost
            )
            from control_plane.access.break_glass import keep_told  # noqa: PLC0415
            from control_plane.access.identity_providers import IdentityProviders  # noqa: PLC0415

            options = Options(
                catalogue,
                members,
                images,
                signer,
                exports=export_dir,
                public_url=public_url,
                approval=approval,
                limits=RateLimits.for_members(member_requests) if member_requests else None,
                providers=IdentityProviders.of(trusted, world.clock.now, world.clock.monotonic),
            )
            app = create_app(store, world, options)
            from tenants.membership import keep_memberships  # noqa: PLC0415

            work = [
                _reconcile(store, world),
                keep_settled(store, world.clock),
                keep_memberships(store, world.clock),
                keep_told(store, world.clock, app.state.last_used),
                _lead_out(store, world, app.state.membership.exports, signer, images),
                _capture_images(store, world, images),
                _keep_backups(store, world, catalogue, export_dir),
            ]
            if signer is not None:
                work.append(keep_signed(signer, _holder()))
        serve_app(
            app,
            listening,
            work,
            bound=bound,
            local=local,
            ready=lambda: session.screen.note(m.SERVING, url=listening.url),
        )


def _local(path: Path | None) -> AbstractContextManager[socket.socket | None]:
    if path is None:
        return nullcontext()
    from control_plane.http.local_socket import local_socket  # noqa: PLC0415

    return local_socket(path)


@contextmanager
def _loading() -> Iterator[None]:
    """What is loaded here stays to the end, so no search for garbage needs to look through it."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _check_public(url: str | None) -> None:
    """Raises YuiError `public-url-invalid` for what no client could follow."""
    if url is None:
        return
    with suppress(ValueError):
        parts = urlsplit(url)
        more = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
        if parts.scheme in ("http", "https") and parts.hostname and not more and url.isprintable():
            return
    raise YuiError(
        "public-url-invalid",
        en=f"'{url[:60]}' can't be where clients reach the API: give scheme and name alone, such as https://yui.example.jp.",
        ja=f"「{url[:60]}」は API の公開アドレスにできません。https://yui.example.jp のように、スキームとホスト名だけを指定してください。",
    )


def _database(named: str | None) -> str:
    """Raises `database-missing`, `database-password-exposed`."""
    if named is None:
        found = os.environ.get("YUI_DATABASE")
        if not found:
            raise YuiError("database-missing", en=m.DATABASE_MISSING.en, ja=m.DATABASE_MISSING.ja)
        return found
    parts = urlsplit(named)
    if parts.password is not None or "password" in parts.query:
        raise YuiError(
            "database-password-exposed", en=m.DATABASE_EXPOSED.en, ja=m.DATABASE_EXPOSED.ja
        )
    return named


def _reconcile(store: Store, world: World) -> Callable[[threading.Event], None]:
    from control_plane.reconcile import Controller  # noqa: PLC0415

    return lambda stopping: Controller(store, world, _holder()).run(stopping)


def _lead_out(
    store: Store,
    world: World,
    exports: ExportDirectory | None,
    signer: Signer | None,
    images: Path | None,
) -> Callable[[threading.Event], None]:
    from images.uploads import UploadFolder  # noqa: PLC0415
    from tenants.leaving.removal import keep_files  # noqa: PLC0415
    from tenants.leaving.worker import Leaver, keep_leaving  # noqa: PLC0415

    drop = keep_files if images is None else UploadFolder(images).remove
    return keep_leaving(Leaver(store, world, exports, signer, _holder(), drop_image=drop))


def _capture_images(
    store: Store, world: World, images: Path | None
) -> Callable[[threading.Event], None]:
    from images.capturing import Capturer, keep_capturing  # noqa: PLC0415
    from images.uploads import UploadFolder  # noqa: PLC0415

    return keep_capturing(Capturer(store, world, UploadFolder(images), _holder()))


def _keep_backups(
    store: Store, world: World, catalogue: Catalogue, exports: Path | None
) -> Callable[[threading.Event], None]:
    from backup.keeper import Keeper, keep_backups  # noqa: PLC0415

    # What repositories hold is looked up beside the state, where it is a file.
    cache = None if store.file is None else store.file.parent / f"{store.file.name}.backup-cache"
    return keep_backups(Keeper(store, world, catalogue, _holder(), cache, exports=exports))


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _issue_first(session: Session, store: Store, path: Path, role: Role) -> None:
    """An operator's where nobody has a token, an approver's where no approver has one: a state from
    before there were approvers gets its first one so."""
    from control_plane.access.service import bootstrap_token  # noqa: PLC0415

    with store.read() as tx:
        known = tx.tokens()
    if role is Role.APPROVER:
        known = tuple(token for token in known if token.role is role)
    if known:
        session.screen.note(m.FIRST_TOKEN_KNOWN)
        return
    write_private(path, lambda: bootstrap_token(store, role, label=f"first {role}") + "\n")
    session.screen.note(m.TOKEN_WRITTEN, path=path)


def _log_to(lines: LogLines) -> None:
    """One JSON document a line, for whatever keeps the log."""
    import structlog  # noqa: PLC0415

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=lines,
    )
