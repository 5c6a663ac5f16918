"""Images, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from control_plane.http.bounds import Name, RequestBody, ResponseBody, Sentence, ShortText
from control_plane.http.language import Language
from control_plane.model.image import Image, ImageFormat, Verdict
from images.judgement import Declared
from images.machine_description import MAX_CHARACTERS
from images.standard import STANDARD

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]
PathText = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
MachineText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS)]


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


class FindingOut(ResponseBody):
    """How the image meets one requirement: `checked` was read in it, `declared` its maker says."""

    requirement: str
    verdict: Verdict
    en: str
    ja: str


class ImageOut(ResponseBody):
    """`location` is shown to operators alone. `report` says how it met the admission standard; it is
    empty for an image that came before there was one."""

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
    report: list[FindingOut]

    @staticmethod
    def of(image: Image, *, show_location: bool) -> ImageOut:
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
            location=image.location if show_location else None,
            report=[
                FindingOut(
                    requirement=each.requirement, verdict=each.verdict, en=each.en, ja=each.ja
                )
                for each in image.report
            ],
        )
