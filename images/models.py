"""Images, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import (
    Name,
    RequestBody,
    ResponseBody,
    Sentence,
    ShortText,
    Words,
)
from control_plane.http.language import Language
from control_plane.http.principal import Principal
from control_plane.model.image import Image, ImageCapture, ImageFormat, ImageUpload, Verdict
from images.judgement import Declared
from images.machine_description import MAX_CHARACTERS
from images.standard import STANDARD

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]
PathText = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
MachineText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS)]


MOST_PROPERTIES, MOST_PROPERTY_BYTES = 128, 16 * 1024
"""How many words of its own an image may bear, and how long they may be in all."""

PropertyName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$", max_length=255)
]


def _not_too_long(properties: dict[str, str]) -> dict[str, str]:
    length = sum(len(f"{name}{text}".encode()) for name, text in properties.items())
    if length > MOST_PROPERTY_BYTES:
        raise PydanticCustomError(
            "too_many_bytes", "has more than {most} bytes in all", {"most": MOST_PROPERTY_BYTES}
        )
    return properties


PropertiesIn = Annotated[
    dict[PropertyName, Words],
    Field(max_length=MOST_PROPERTIES),
    AfterValidator(_not_too_long),
]


class DeclaresIn(RequestBody):
    """What the image's maker says of it where it can't be read from outside. Leave out what you
    can't say."""

    virtio: bool = False
    cloud_init: Literal["nocloud"] | None = None
    serial_console: Literal["ttyS0"] | None = None
    no_host_pinning: bool = False

    def declared(self) -> Declared:
        return Declared(
            virtio=self.virtio,
            no_cloud=self.cloud_init is not None,
            serial_console=self.serial_console is not None,
            no_host_pinning=self.no_host_pinning,
        )


class ImageIn(RequestBody):
    """`path` is a file below the control plane's image directory, absolute or relative to it.
    `sha256` is the digest that its maker published: with it, a file that was changed on its way is
    refused. `id` is taken from `name` where it is left out. `requirements` is the text of a vendor's
    description of the machine, which is judged and not used: an OVF, a libvirt domain, or JSON."""

    path: PathText
    name: Name
    id: Name | None = None
    version: ShortText
    provenance: Sentence
    sha256: Sha256 | None = None
    declares: DeclaresIn = DeclaresIn()
    requirements: MachineText | None = None


class RequirementOut(ResponseBody):
    """One requirement of the admission standard."""

    id: str
    title: str
    why: str


class Standard(ResponseBody):
    """What an image must satisfy to join the pool, in the reader's language."""

    items: list[RequirementOut]

    @staticmethod
    def told_in(language: Language) -> Standard:
        ja = language is Language.JA
        return Standard(
            items=[
                RequirementOut(
                    id=each.id,
                    title=each.title_ja if ja else each.title_en,
                    why=each.why_ja if ja else each.why_en,
                )
                for each in STANDARD
            ]
        )


class UploadIn(RequestBody):
    """An image that is to come: its whole length and digest, as they will be compared. Leave out both
    where you know neither: the digest is then taken of what comes."""

    name: Name
    version: ShortText
    provenance: Sentence
    size_bytes: Annotated[int, Field(ge=1, le=2**50)] | None = None
    sha256: Sha256 | None = None
    properties: PropertiesIn = Field(default_factory=dict)

    @model_validator(mode="after")
    def _both_or_neither(self) -> UploadIn:
        if (self.size_bytes is None) is not (self.sha256 is None):
            raise PydanticCustomError(
                "one_without_the_other",
                "gives one of {these} without the other",
                {"these": "size_bytes, sha256"},
            )
        return self


class UploadOut(ResponseBody):
    """`size_bytes` and `sha256` are null where its sender said neither; `server` is the one whose disk it
    is made from, where nobody sends it. `id` will be the image's. The next part begins at `received_bytes`; it is given up where nothing
    comes until `kept_until`."""

    id: str
    tenant: str | None
    name: str
    version: str
    provenance: str
    size_bytes: int | None
    sha256: str | None
    received_bytes: int
    begun_at: datetime
    kept_until: datetime
    properties: dict[str, str]
    server: str | None

    @staticmethod
    def of(
        upload: ImageUpload,
        received: int,
        kept_until: datetime,
        capture: ImageCapture | None = None,
    ) -> UploadOut:
        return UploadOut(
            id=upload.id,
            tenant=upload.tenant,
            name=upload.name,
            version=upload.version,
            provenance=upload.provenance,
            size_bytes=None if upload.sha256 is None else upload.size_bytes,
            sha256=upload.sha256,
            received_bytes=received,
            begun_at=upload.begun_at,
            kept_until=kept_until,
            properties=dict(upload.properties),
            server=None if capture is None else capture.server,
        )


class Completed(RequestBody):
    """As of an image that is added."""

    declares: DeclaresIn = DeclaresIn()
    requirements: MachineText | None = None


class DescriptionIn(RequestBody):
    """All of it: what is left out of `properties` is no longer said."""

    name: ShortText
    properties: PropertiesIn = Field(default_factory=dict)


class CaptureIn(RequestBody):
    """What the image is to be called; `version` is the day where it is left out."""

    name: ShortText
    version: ShortText | None = None
    properties: PropertiesIn = Field(default_factory=dict)


class SharedIn(RequestBody):
    shared: bool


class ImageQuotaIn(RequestBody):
    gib: Annotated[int, Field(ge=0, le=2**30)]


class ImageQuotaOut(ResponseBody):
    """`used_bytes` holds uploads under way at their whole length."""

    tenant: str
    quota_gib: int
    used_bytes: int


class FindingOut(ResponseBody):
    """How the image meets one requirement: `checked` was read in it, `declared` its maker says."""

    requirement: str
    verdict: Verdict
    en: str
    ja: str


class ImageOut(ResponseBody):
    """`location` is shown to operators alone. `report` says how it met the admission standard; it is
    empty for an image that came before there was one. `owner` is the member that brought it, shown to
    that member and the consortium; nobody else sees one that is `private`."""

    id: str
    name: str
    version: str
    format: ImageFormat
    sha256: str
    size_bytes: int
    virtual_size_gib: int
    provenance: str
    added_at: datetime
    location: str | None = Field(default=None)
    owner: str | None = None
    private: bool = False
    properties: dict[str, str] = Field(default_factory=dict)
    report: list[FindingOut]

    @staticmethod
    def of(image: Image, who: Principal) -> ImageOut:
        """What `who` may see of it."""
        own = who.tenant is None or who.tenant.text == image.owner
        return ImageOut(
            id=image.id,
            name=image.name,
            version=image.version,
            format=image.format,
            sha256=image.sha256,
            size_bytes=image.size_bytes,
            virtual_size_gib=image.virtual_size,
            provenance=image.provenance,
            added_at=image.added_at,
            location=image.location if who.sees_hardware else None,
            owner=image.owner if own else None,
            private=image.private,
            properties=dict(image.properties),
            report=[
                FindingOut(
                    requirement=each.requirement, verdict=each.verdict, en=each.en, ja=each.ja
                )
                for each in image.report
            ],
        )
