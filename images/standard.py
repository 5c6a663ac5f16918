"""The admission standard: what an image must satisfy to join the pool, and why.

Vendors build for it, so an id keeps its meaning for good; a requirement that is dropped leaves its id
unused. `docs/image-standard.md` publishes the same list, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = "IMG-01"
ONE_FILE = "IMG-02"
NOT_ENCRYPTED = "IMG-03"
NO_SNAPSHOTS = "IMG-04"
UNDAMAGED = "IMG-05"
SIZE = "IMG-06"
PARTITIONS = "IMG-07"
BIOS = "IMG-08"
VIRTIO = "IMG-09"
CLOUD_INIT = "IMG-10"
SERIAL_CONSOLE = "IMG-11"
NO_HOST_PINNING = "IMG-12"


@dataclass(frozen=True, slots=True)
class Requirement:
    """`title` says what is required, `why` what would go wrong without it."""

    id: str
    title_en: str
    title_ja: str
    why_en: str
    why_ja: str


STANDARD = (
    Requirement(
        FORMAT,
        "The image is a qcow2 or raw disk.",
        "イメージは qcow2 または raw のディスクです。",
        "Every host starts the same two formats, so a server can restart on any of them.",
        "どのホストも同じ2つの形式を起動できるため、サーバーはどこでも再起動できます。",
    ),
    Requirement(
        ONE_FILE,
        "It is one file: no backing file and no external data file.",
        "1つのファイルで完結し、バッキングファイルも外部データファイルも持ちません。",
        "A file that names others would make the host read what its sender chose, and is useless without them.",
        "他のファイルを指すイメージは、送り手が選んだものをホストに読ませ、それがなければ使えません。",
    ),
    Requirement(
        NOT_ENCRYPTED,
        "It is not encrypted.",
        "暗号化されていません。",
        "A host that takes a server over at night has nobody to type a password.",
        "夜間にサーバーを引き継ぐホストには、パスワードを入力する人がいません。",
    ),
    Requirement(
        NO_SNAPSHOTS,
        "It holds no internal snapshots.",
        "内部スナップショットを含みません。",
        "They take room on every host, and bring back data that was thought to be gone.",
        "すべてのホストで容量を使い、消したはずのデータが残ります。",
    ),
    Requirement(
        UNDAMAGED,
        "It is whole: closed cleanly and readable from end to end.",
        "正しく閉じられ、最後まで読める完全なファイルです。",
        "Damage that is found at admission hurts nobody; found at a restart it costs the service.",
        "登録時に見つかる破損は害になりませんが、再起動時ではサービスが止まります。",
    ),
    Requirement(
        SIZE,
        "The file and the disk in it are within the pool's limits: 64 GiB and 2,048 GiB unless the operator set others.",
        "ファイルとディスクの大きさが上限以内です(特に定めがなければ 64 GiB と 2,048 GiB)。",
        "Hosts copy images over the network they share, and keep them on disks they share.",
        "ホストは共有のネットワークでイメージを複写し、共有のディスクに保存します。",
    ),
    Requirement(
        PARTITIONS,
        "The disk has an MBR or GPT partition table whose partitions lie within it.",
        "ディスクに MBR または GPT のパーティション表があり、区画がその中に収まっています。",
        "The firmware of a server finds what to start by it.",
        "サーバーのファームウェアは、これを見て起動するものを探します。",
    ),
    Requirement(
        BIOS,
        "It starts by BIOS; it may start by EFI too.",
        "BIOS で起動します(EFI でも起動できてかまいません)。",
        "Yui's servers have a BIOS. One that only EFI can start would never come up.",
        "Yui のサーバーは BIOS を使います。EFI でしか起動しないものは立ち上がりません。",
    ),
    Requirement(
        VIRTIO,
        "The guest has drivers for virtio disks and network cards, that of the disk where it starts from.",
        "virtio のディスクとネットワークのドライバーを持ち、ディスクのものは起動時に使えます。",
        "Every host offers virtio and nothing else; a guest that asks for another controller can't move.",
        "どのホストも virtio だけを提供します。他のコントローラーを要するゲストは移動できません。",
    ),
    Requirement(
        CLOUD_INIT,
        "At first start the guest takes its name and address from a NoCloud seed (cloud-init, or what reads the same).",
        "初回起動時に NoCloud のシードから名前とアドレスを受け取ります(cloud-init など)。",
        "One image serves every member, so what differs must come from outside.",
        "1つのイメージを全団体が使うため、違いは外から与える必要があります。",
    ),
    Requirement(
        SERIAL_CONSOLE,
        "The guest has a console on the serial port ttyS0.",
        "シリアルポート ttyS0 にコンソールを持ちます。",
        "It is the one screen a member sees when the network of a server is gone.",
        "サーバーのネットワークが使えないとき、団体が見られる唯一の画面です。",
    ),
    Requirement(
        NO_HOST_PINNING,
        "It asks for nothing of one host: no pinned CPUs, host devices, host CPU model, or fixed MAC addresses.",
        "CPU の固定、ホストの装置、ホスト固有の CPU、固定 MAC アドレスなど、特定のホストに頼りません。",
        "When its host dies the server must run on another within minutes.",
        "ホストが停止したら、数分で他のホストで動かなければなりません。",
    ),
)
