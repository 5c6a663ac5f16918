"""One transaction as its user sees it: what can be read in a snapshot, and what can be written."""

from __future__ import annotations

from control_plane.store.addresses import AddressWrites
from control_plane.store.anti_affinity import AntiAffinityReads, AntiAffinityWrites
from control_plane.store.audit import AuditReads, AuditWrites
from control_plane.store.backup_places import BackupPlaceReads, BackupPlaceWrites
from control_plane.store.backup_work import BackupWorkReads, BackupWorkWrites
from control_plane.store.certificate import CertificateReads, CertificateWrites
from control_plane.store.container_groups import ContainerGroupReads, ContainerGroupWrites
from control_plane.store.departures import DepartureWrites
from control_plane.store.disasters import DisasterReads, DisasterWrites
from control_plane.store.exports import ExportReads, ExportWrites
from control_plane.store.fences import FenceReads
from control_plane.store.growths import GrowthReads, GrowthWrites
from control_plane.store.hosts import HostReads
from control_plane.store.idempotency import IdempotencyReads, IdempotencyWrites
from control_plane.store.identity import IdentityReads, IdentityWrites
from control_plane.store.image_captures import ImageCaptureReads, ImageCaptureWrites
from control_plane.store.image_uploads import ImageUploadReads, ImageUploadWrites
from control_plane.store.journal import JournalReads, JournalWrites
from control_plane.store.keypairs import KeyPairReads, KeyPairWrites
from control_plane.store.leases import LeaseReads
from control_plane.store.ledger import LedgerReads
from control_plane.store.listing import ListingReads
from control_plane.store.member_copies import MemberCopyReads, MemberCopyWrites
from control_plane.store.memberships import MembershipReads, MembershipWrites
from control_plane.store.networks import NetworkReads
from control_plane.store.operations import OperationReads, OperationWrites
from control_plane.store.reclaims import ReclaimReads, ReclaimWrites
from control_plane.store.recovery_points import RecoveryPointReads, RecoveryPointWrites
from control_plane.store.regions import RegionReads
from control_plane.store.reserved_networks import ReservedNetworkWrites
from control_plane.store.server_cards import ServerCardReads
from control_plane.store.server_notes import ServerNoteReads, ServerNoteWrites
from control_plane.store.servers import ServerReads, ServerWrites
from control_plane.store.sessions import SessionReads, SessionWrites
from control_plane.store.tenancy import TenancyReads, TenancyWrites
from control_plane.store.tokens import TokenReads, TokenWrites
from control_plane.store.unconfirmed_resizes import (
    UnconfirmedResizeReads,
    UnconfirmedResizeWrites,
)
from control_plane.store.upkeep import UpkeepReads, UpkeepWrites


class Snapshot(
    NetworkReads,
    LedgerReads,
    ListingReads,
    RegionReads,
    HostReads,
    FenceReads,
    CertificateReads,
    ServerReads,
    ServerNoteReads,
    ServerCardReads,
    TenancyReads,
    MembershipReads,
    ExportReads,
    ImageUploadReads,
    ImageCaptureReads,
    ContainerGroupReads,
    KeyPairReads,
    AntiAffinityReads,
    UnconfirmedResizeReads,
    OperationReads,
    ReclaimReads,
    JournalReads,
    AuditReads,
    SessionReads,
    TokenReads,
    IdentityReads,
    IdempotencyReads,
    LeaseReads,
    GrowthReads,
    BackupPlaceReads,
    RecoveryPointReads,
    BackupWorkReads,
    DisasterReads,
    MemberCopyReads,
    UpkeepReads,
):
    """Everything as it was at one moment. Unknown names raise `<thing>-not-found`, status 404."""


class Transaction(
    GrowthWrites,
    ServerWrites,
    ServerNoteWrites,
    CertificateWrites,
    ReservedNetworkWrites,
    AddressWrites,
    TenancyWrites,
    MembershipWrites,
    ExportWrites,
    DepartureWrites,
    ImageUploadWrites,
    ImageCaptureWrites,
    ContainerGroupWrites,
    KeyPairWrites,
    AntiAffinityWrites,
    UnconfirmedResizeWrites,
    OperationWrites,
    ReclaimWrites,
    JournalWrites,
    AuditWrites,
    SessionWrites,
    TokenWrites,
    IdentityWrites,
    IdempotencyWrites,
    BackupPlaceWrites,
    RecoveryPointWrites,
    BackupWorkWrites,
    DisasterWrites,
    MemberCopyWrites,
    UpkeepWrites,
    Snapshot,
):
    """Reads and writes that take effect together, or not at all."""
