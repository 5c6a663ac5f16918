"""Nothing new begins for a member that leaves: what it has is being exported as it stands."""

from __future__ import annotations

from control_plane.model.errors import YuiError
from control_plane.model.membership import MembershipState
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot


def refuse_leaving(tx: Snapshot, tenant: MunicipalityCode) -> None:
    """Raises `member-leaving`."""
    membership = tx.find_membership(tenant)
    if membership is None or membership.state is not MembershipState.LEAVING:
        return
    raise YuiError(
        "member-leaving",
        en=f"Member {tenant} is leaving, and what it has is exported as it stands: nothing can be started or changed, unless it stays after all (`yui member cancel-leave {tenant}`).",
        ja=f"参加団体 {tenant} は脱退手続き中で、現状のまま書き出しています。起動や変更はできません。取りやめる場合は `yui member cancel-leave {tenant}` を実行してください。",
        status=409,
        fields={"tenant": tenant.text},
    )
