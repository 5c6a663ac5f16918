"""What a request may ask of a server that can't be had here: each is refused with a sentence of its own."""

from __future__ import annotations

from collections.abc import Mapping

from control_plane.http.bounds import RequestBody
from control_plane.model.errors import YuiError
from tenants.openstack_api.compute.server_models import DeviceIn, HintsIn, ServerIn
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version

_REASONS: Mapping[str, tuple[str, str]] = {
    "access_ipv4": (
        "accessIPv4 can't be set: a server's address is the one that its network gave it",
        "accessIPv4 は設定できません。サーバーのアドレスはネットワークから割り当てられます",
    ),
    "access_ipv6": ("accessIPv6 can't be set: there is IPv4 alone", "accessIPv6 は使えません。IPv4 のみです"),
    "admin_password": (
        "adminPass can't be set, and none is made: name a key pair with key_name",
        "adminPass は設定できません。key_name でキーペアを指定してください",
    ),
    "personality": (
        "personality can't be had: write files with user_data",
        "personality は使えません。user_data でファイルを書き込んでください",
    ),
    "block_device_mapping": (
        "block_device_mapping is not known: attach volumes once the server is made",
        "block_device_mapping は使えません。サーバーの作成後にボリュームを接続してください",
    ),
    "return_reservation_id": (
        "return_reservation_id can't be had: find the servers by their names",
        "return_reservation_id は使えません。名前で検索してください",
    ),
    "trusted_image_certificates": (
        "trusted_image_certificates can't be had: images are checked against their SHA-256",
        "trusted_image_certificates は使えません。イメージは SHA-256 で検証されます",
    ),
    "host": ("host is the consortium's to choose", "host は指定できません"),
    "hypervisor_hostname": (
        "hypervisor_hostname is the consortium's to choose",
        "hypervisor_hostname は指定できません",
    ),
    "config_drive": (
        "there is no config drive: every server has a NoCloud disk, from which cloud-init reads user_data and the key; leave config_drive out",
        "config_drive はありません。cloud-init は NoCloud ディスクから user_data と鍵を読みます。config_drive を省略してください",
    ),
}  # fmt: skip
_HINTS = (
    "different_host", "same_host", "query", "build_near_host_ip", "cidr", "different_cell", "target_cell",
)  # fmt: skip
_CAME_WITH = {
    "description": 19,
    "tags": 52,
    "trusted_image_certificates": 63,
    "host": 74,
    "hypervisor_hostname": 74,
    "hostname": 90,
}


def refuse_unsupported(body: RequestBody) -> None:
    """Raises `field-unsupported` (400) for the first that asks for anything."""
    for name, (en, ja) in _REASONS.items():
        if getattr(body, name, None) not in (None, "", False, []):
            raise unsupported(name, en, ja)


def refuse_later(
    body: RequestBody, version: Version, came_with: Mapping[str, int] = _CAME_WITH
) -> None:
    """Raises `field-unknown` (400) for what came with a later microversion than is asked for."""
    for name, minor in came_with.items():
        if name in body.model_fields_set and not since(version, minor):
            raise YuiError(
                "field-unknown",
                en=f"Additional properties are not allowed ('{name}' was unexpected): it came with microversion 2.{minor}.",
                ja=f"「{name}」はマイクロバージョン 2.{minor} からの項目です。そのバージョンを指定するか、省略してください。",
                status=400,
            )


def refuse_hostname(hostname: str | None, name: str) -> None:
    """A guest is told the server's name."""
    if hostname is not None and hostname != name:
        raise unsupported(
            "hostname",
            "hostname can't be another than the server's name, which is what its guest is told",
            "hostname にサーバー名と異なる値は指定できません。ゲストにはサーバー名が伝えられます",
        )


def refuse_hints(hints: HintsIn) -> None:
    for name in _HINTS:
        if getattr(hints, name) is not None:
            raise unsupported(
                name,
                f"the scheduler hint {name} can't be followed: put servers that are to be apart into one server group",
                f"スケジューラーヒント {name} は使えません。離して配置するサーバーは同じサーバーグループに入れてください",
            )


def refuse_devices(server: ServerIn) -> str:
    """The image that the root disk is made from."""
    devices = server.devices or []
    if not devices and server.image:
        return server.image
    if len(devices) == 1 and _is_root(devices[0], server.image):
        return devices[0].uuid or server.image
    raise unsupported(
        "block_device_mapping_v2",
        "a server starts from a disk of its own that is made from an image (imageRef): booting from a volume, and further disks at its making, can't be had; attach volumes once it is made",
        "サーバーはイメージ(imageRef)から作られたディスクで起動します。ボリュームからの起動や作成時の追加ディスクはできません。作成後にボリュームを接続してください",
    )


def _is_root(device: DeviceIn, image: str) -> bool:
    more = device.model_dump(
        exclude={"uuid", "boot_index", "source_type", "destination_type", "delete_on_termination"},
        exclude_none=True,
    )
    return (
        not more
        and device.source_type == "image"
        and device.destination_type == "local"
        and device.boot_index == 0
        and device.delete_on_termination is not False
        and (not image or device.uuid == image)
        and bool(device.uuid)
    )


def unsupported(field: str, en: str, ja: str) -> YuiError:
    return YuiError(
        "field-unsupported",
        en=f"{en[0].upper()}{en[1:]}.",
        ja=f"{ja}。",
        status=400,
        fields={"field": field},
    )
