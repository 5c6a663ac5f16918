"""What members may say of their images: names, formats, and properties of their own.

In OpenStack an image's `hw_*` properties describe the machine that it wants. Here every server is the
same machine, so they are judged like any other description of one, and those that ask for another are
refused. `yui_declares` says what can't be read in an image from outside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from control_plane.model.errors import YuiError
from control_plane.model.image import ImageFormat, Properties
from images.judgement import Declared
from images.models import PropertiesIn
from tenants.openstack_api.image.schemas import OWN_NAMES

DECLARES = "yui_declares"
CLAIMED_SHA256 = ("owner_specified.openstack.sha256", "owner_specified.shade.sha256")
"""What openstacksdk says of the file that it is about to send."""

_DECLARABLE = frozenset({"virtio", "cloud-init", "serial-console", "no-host-pinning"})
_HARDWARE = {
    "hw_disk_bus": ("disk_bus", "virtio"),
    "hw_vif_model": ("network_model", "virtio"),
    "hw_firmware_type": ("firmware", "bios"),
}
"""Of the machine: the word for it in a machine's description, and what it may be."""
_OF_A_MACHINE = re.compile(r"hw_|trait:|img_|vmware_|xenapi_|os_secure_boot|os_command_line|kernel_id|ramdisk_id|vm_mode|cinder_encryption")  # fmt: skip
_PROPERTIES: TypeAdapter[dict[str, str]] = TypeAdapter(PropertiesIn)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def properties_of(said: Mapping[str, Any]) -> Properties:
    """Raises `image-property-invalid`, `image-property-reserved` and `image-wants-a-machine`."""
    try:
        properties = _PROPERTIES.validate_python(dict(said), strict=True)
    except ValidationError as wrong:
        named = ", ".join(
            sorted({str(each["loc"][0])[:60] for each in wrong.errors() if each["loc"]})
        )
        raise _invalid(named) from None
    for name, text in properties.items():
        if name in OWN_NAMES:
            raise reserved(name)
        if name in _HARDWARE and text.lower() == _HARDWARE[name][1]:
            continue
        if _OF_A_MACHINE.match(name):
            raise _wants_a_machine(name)
    declared_in(properties)
    return tuple(sorted(properties.items()))


def declared_in(properties: Mapping[str, str]) -> Declared:
    """Raises `image-property-invalid`."""
    words = {word for word in re.split(r"[,\s]+", properties.get(DECLARES, "")) if word}
    if not words <= _DECLARABLE:
        raise _invalid(DECLARES)
    virtio = {"hw_disk_bus", "hw_vif_model"} <= properties.keys()
    return Declared(
        virtio=virtio or "virtio" in words,
        no_cloud="cloud-init" in words,
        serial_console="serial-console" in words,
        no_host_pinning="no-host-pinning" in words,
    )


def machine_in(properties: Mapping[str, str]) -> str:
    """The machine that the image wants, as the admission standard reads it."""
    wants = {word: properties[name] for name, (word, _) in _HARDWARE.items() if name in properties}
    return json.dumps(wants)


def claimed_sha256(properties: Mapping[str, str]) -> str | None:
    said = (properties.get(name, "") for name in CLAIMED_SHA256)
    return next((text.lower() for text in said if _SHA256.fullmatch(text)), None)


def disk_format(said: str | None) -> ImageFormat | None:
    """Raises `image-format-unknown`."""
    if said is None:
        return None
    try:
        return ImageFormat(said)
    except ValueError:
        raise YuiError(
            "image-format-unknown",
            en="An image's disk_format is qcow2 or raw here: convert it with 'qemu-img convert -O qcow2'.",
            ja="disk_format は qcow2 か raw です。「qemu-img convert -O qcow2」で変換してください。",
            status=400,
        ) from None


def refuse(name: str, en: str, ja: str, *, status: int = 400) -> YuiError:
    """Something that an image can't be here."""
    return YuiError(
        "image-cannot-be-so",
        en=f"{name} {en}.",
        ja=f"{name} {ja}。",
        status=status,
        fields={"attribute": name},
    )


def reserved(name: str) -> YuiError:
    """As Glance says it, with 403."""
    return YuiError(
        "image-property-reserved",
        en=f"Attribute '{name}' is read-only: leave it out.",
        ja=f"属性「{name}」は読み取り専用です。指定しないでください。",
        status=403,
        fields={"attribute": name},
    )


def _invalid(named: str) -> YuiError:
    return YuiError(
        "image-property-invalid",
        en=f"These properties can't be kept ({named or 'all of them'}): text of one line each, 128 of them and 16 KiB in all; {DECLARES} holds {', '.join(sorted(_DECLARABLE))}.",
        ja=f"保存できないプロパティーがあります({named or '全体'})。値は 1 行の文字列、128 個・合計 16 KiB までです。{DECLARES} には {'、'.join(sorted(_DECLARABLE))} を指定できます。",
        status=400,
    )


def _wants_a_machine(name: str) -> YuiError:
    known = ", ".join(f"{each}={value}" for each, (_, value) in _HARDWARE.items())
    return YuiError(
        "image-wants-a-machine",
        en=f"Every server is the same machine here, so an image can't ask for one ({name[:60]}): leave that property out. What may stand: {known}.",
        ja=f"ここではどのサーバーも同じ構成なので、イメージからハードウェアを指定できません({name[:60]})。このプロパティーを除いてください。指定できるのは {known} だけです。",
        status=400,
        fields={"attribute": name[:255]},
    )
