"""What people are told of a region's promise."""

from __future__ import annotations

from datetime import datetime

from control_plane.model.ids import RegionId
from control_plane.model.operation import Event, Severity
from control_plane.placement import UnderWay


def certified(region: RegionId, at: datetime) -> Event:
    return Event(
        "certificate.valid",
        f"region:{region}",
        at,
        Severity.INFO,
        f"Region {region} survives its next failure: its certificate is complete.",
        f"リージョン {region} は次の障害に耐えられます。証明書は完全です。",
    )


def uncovered(region: RegionId, count: int, first_en: str, first_ja: str, at: datetime) -> Event:
    return Event(
        "certificate.incomplete",
        f"region:{region}",
        at,
        Severity.CRITICAL,
        f"Region {region} would not survive every failure: {count} refuge(s) are missing, first: "
        f"{first_en}",
        f"リージョン {region} は一部の障害に耐えられません。退避先が {count} 件不足しています。{first_ja}",
        fields={"missing": count},
    )


def homeless(region: RegionId, count: int, first: str, at: datetime) -> Event:
    return Event(
        "certificate.incomplete",
        f"region:{region}",
        at,
        Severity.CRITICAL,
        f"Region {region} has {count} server(s) without any place, first: {first}. They start as soon as "
        "there is room.",
        f"リージョン {region} には配置先のないサーバーが {count} 台あります(例: {first})。空きができ次第起動します。",
        fields={"stranded": count},
    )


def nothing_promised_meanwhile(region: RegionId, failure: UnderWay, at: datetime) -> Event:
    """One failure is under way, and that the next one is survived is not proved. It is worse where
    this one leaves servers without a place already."""
    names = ", ".join(failure.hosts)
    placeless = any(refusal.failure is None for refusal in failure.uncovered)
    return Event(
        "certificate.incomplete",
        f"region:{region}",
        at,
        Severity.CRITICAL if placeless else Severity.WARNING,
        f"One failure is under way in region {region} ({names}), and nothing is promised for the next one "
        f"until it is over: {failure.explain_en()}",
        f"リージョン {region} では障害に対応中です({names})。対応が終わるまで、次の障害に耐えられる保証はありません。{failure.explain_ja()}",
        fields={"under_way": list(failure.hosts), "missing": len(failure.uncovered)},
    )
