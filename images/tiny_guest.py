"""The recipe of the tiny guest: a kernel and busybox from Debian, bootable on its own in seconds.

It serves HTTP and keeps records on its disk, so that whoever moves, kills or restores it can see
whether anything that was promised is gone. `recipes/tiny/` holds what runs inside.

The image is made once for each digest of its inputs. A build happens beside its final place and is
moved there whole, so a reader never meets half an image.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import lzma
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.image import ImageFormat
from control_plane.model.units import GiB, MiB, Seconds
from images import boot_disk, debian_packages, initramfs
from images.full_disk import told_if_full
from images.programs import require, run

_KERNEL_META_PACKAGE = "linux-image-cloud-amd64"
_BUSYBOX = "busybox-static"
_SIZE = GiB(1)
_BOOT_SIZE = MiB(32)
_EPOCH = 1_262_304_000
"""2010-01-01T00:00:00Z: the time that files in the image bear."""

_RECIPE_FILES = ("init", "serve", "syslinux.cfg", "modules.txt")
_PROGRAMS = {"qemu-img": "qemu-utils", **boot_disk.PROGRAMS, **initramfs.PROGRAMS}


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """A finished image: `path` is the qcow2 file, `sha256` its hex digest, `provenance` one line."""

    path: Path
    name: str
    version: str
    format: ImageFormat
    sha256: str
    size_bytes: int
    virtual_size: GiB
    provenance: str


def build_tiny(target_dir: Path, package_cache: Path | None = None) -> BuiltImage:
    """The tiny guest's image in `target_dir`, built unless one of equal inputs is there already.

    `package_cache` keeps the downloaded packages (default: `target_dir`/packages). Several processes
    may call this at once. Raises YuiError "program-missing", "package-unavailable",
    "image-disk-full" or "program-failed", leaving nothing behind but the package cache."""
    require(_PROGRAMS)
    target_dir = target_dir.resolve()
    cache = (package_cache or target_dir / "packages").resolve()
    with told_if_full(target_dir, cache):
        return _build_once(target_dir, cache)


def _build_once(target_dir: Path, cache: Path) -> BuiltImage:
    recipe = {name: _recipe_file(name) for name in _RECIPE_FILES}
    target_dir.mkdir(parents=True, exist_ok=True)
    with (target_dir / ".tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel = debian_packages.current_kernel(_KERNEL_META_PACKAGE)
        packages = {name: debian_packages.candidate(name) for name in (kernel, _BUSYBOX)}
        digest = _inputs_digest(recipe, packages)
        card = target_dir / f"tiny-{digest[:16]}.json"
        if card.exists() and card.with_suffix(".qcow2").exists():
            return _read_card(card)
        for left_by_a_killed_build in target_dir.glob("building-*"):
            shutil.rmtree(left_by_a_killed_build)
        with (
            tempfile.TemporaryDirectory(prefix="building-", dir=target_dir) as scratch,
            # Told in here, before the scratch folder is gone and the disk has room again.
            told_if_full(target_dir, cache),
        ):
            return _build(Path(scratch), recipe, packages, card=card, cache=cache)


def _build(
    scratch: Path,
    recipe: dict[str, bytes],
    packages: dict[str, str],
    *,
    card: Path,
    cache: Path,
) -> BuiltImage:
    unpacked = scratch / "unpacked"
    for name, version in packages.items():
        debian_packages.unpack(name, version, cache, unpacked)
    kernel = next(name for name in packages if name != _BUSYBOX)
    release = kernel.removeprefix("linux-image-")

    root = scratch / "root"
    for directory in ("bin", "dev", "proc", "sys", "modules"):
        (root / directory).mkdir(parents=True)
    shutil.copyfile(unpacked / "bin" / "busybox", root / "bin" / "busybox")
    (root / "bin" / "busybox").chmod(0o755)
    applets = run([str(unpacked / "bin" / "busybox"), "--list"], limit=Seconds(10)).decode().split()
    for applet in sorted(set(applets) - {"busybox"}):
        (root / "bin" / applet).symlink_to("busybox")
    release_dir = unpacked / "lib" / "modules" / release
    for module in recipe["modules.txt"].decode().split():
        _copy_module(module, release_dir, root / "modules")
    for script in ("init", "serve"):
        (root / script).write_bytes(recipe[script])
        (root / script).chmod(0o755)

    boot = scratch / "boot"
    boot.mkdir()
    shutil.copyfile(unpacked / "boot" / f"vmlinuz-{release}", boot / "vmlinuz")
    (boot / "initramfs").write_bytes(initramfs.pack(root, _EPOCH))
    (boot / "syslinux.cfg").write_bytes(recipe["syslinux.cfg"])

    raw, qcow2 = scratch / "disk.raw", scratch / "disk.qcow2"
    boot_disk.write_boot_disk(
        boot_disk.BootDisk(
            size=_SIZE,
            boot_size=_BOOT_SIZE,
            files={name: boot / name for name in ("vmlinuz", "initramfs", "syslinux.cfg")},
            data_label="yui-data",
            epoch=_EPOCH,
        ),
        raw,
    )
    run(
        [
            "qemu-img",
            "convert",
            "-f",
            "raw",
            "-O",
            "qcow2",
            "-o",
            "compat=1.1",
            str(raw),
            str(qcow2),
        ],
        limit=Seconds(300),
    )
    with qcow2.open("rb") as finished:
        sha256 = hashlib.file_digest(finished, "sha256").hexdigest()
    image = BuiltImage(
        path=card.with_suffix(".qcow2"),
        name="tiny",
        version=f"{release}.{card.stem.removeprefix('tiny-')[:8]}",
        format=ImageFormat.QCOW2,
        sha256=sha256,
        size_bytes=qcow2.stat().st_size,
        virtual_size=_SIZE,
        provenance="built by Yui's recipe tiny from Debian "
        + ", ".join(f"{name} {version}" for name, version in packages.items()),
    )
    qcow2.chmod(0o644)
    qcow2.replace(image.path)
    written = scratch / "card.json"
    written.write_text(json.dumps({**asdict(image), "path": image.path.name}, indent=2) + "\n")
    written.replace(card)
    return image


def _copy_module(module: str, release_dir: Path, into: Path) -> None:
    """Newer kernels compress their modules, or have some of them built in."""
    plain = release_dir / "kernel" / f"{module}.ko"
    packed = plain.with_suffix(".ko.xz")
    if plain.exists():
        content = plain.read_bytes()
    elif packed.exists():
        content = lzma.decompress(packed.read_bytes())
    elif f"kernel/{module}.ko" in (release_dir / "modules.builtin").read_text().split():
        return
    else:
        raise YuiError(
            "package-unavailable",
            en=f"The kernel {release_dir.name} has no module {module}, which the tiny guest needs: build on Debian 12.",
            ja=f"カーネル {release_dir.name} に小型ゲストが必要とするモジュール {module} がありません。Debian 12 で作成してください。",
            status=503,
        )
    (into / plain.name).write_bytes(content)
    (into / plain.name).chmod(0o644)


def _read_card(card: Path) -> BuiltImage:
    fields = json.loads(card.read_text())
    fields["path"] = card.parent / fields["path"]
    fields["format"] = ImageFormat(fields["format"])
    return BuiltImage(**fields)


def _recipe_file(name: str) -> bytes:
    return resources.files("images").joinpath("recipes", "tiny", name).read_bytes()


def _inputs_digest(recipe: dict[str, bytes], packages: dict[str, str]) -> str:
    """Everything that shapes the image: recipe, package versions, and the code that lays it out."""
    digest = hashlib.sha256()
    for name, content in sorted(recipe.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    digest.update(json.dumps([packages, _SIZE, _BOOT_SIZE, _EPOCH], sort_keys=True).encode())
    for module in ("boot_disk.py", "initramfs.py", "tiny_guest.py"):
        digest.update(resources.files("images").joinpath(module).read_bytes())
    digest.update(boot_disk.MBR_CODE.read_bytes())
    return digest.hexdigest()
