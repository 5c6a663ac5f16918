"""What a member takes home: its own sealed objects, and what of them its counters need while cut off."""

from backup.member_copy.choice import Choice, Wanted, choose
from backup.member_copy.contents import Contents, CopyObject, contents_of, may_be_read
from backup.member_copy.listings import Listings, Slots

__all__ = [
    "Choice",
    "Contents",
    "CopyObject",
    "Listings",
    "Slots",
    "Wanted",
    "choose",
    "contents_of",
    "may_be_read",
]
