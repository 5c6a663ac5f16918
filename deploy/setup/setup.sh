#!/bin/sh
# Makes this checkout ready to run: Debian packages where it may install them, then .venv from the lock files.
# Quick when that has been done. Nothing outside .venv is changed but by apt, and only for root or with
# a sudo that asks for no password.
set -eu
cd "$(dirname "$0")/../.."

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# What is here decides what is left to do: when this is as it was at the end of the last run, nothing is.
fingerprint() {
    {
        cat locks/*.txt pyproject.toml deploy/setup/packages.txt deploy/setup/setup.sh
        pkg-config --modversion libvirt 2> /dev/null || echo "no libvirt headers"
        pwd -P
        missing=$(missing_packages)
        # Somebody who may not install packages has been told; somebody who may goes and does it.
        [ -z "$missing" ] || { echo "$missing" && may_be_root && echo "may install them"; } || true
    } | sha256sum | cut -d ' ' -f 1
}

is_debian() { command -v apt-get > /dev/null && command -v dpkg-query > /dev/null; }

missing_packages() {
    is_debian || return 0
    wanted=$(sed -n 's/^[a-z]* //p' deploy/setup/packages.txt)
    # shellcheck disable=SC2086 # a list of words
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2> /dev/null | sed -n 's/^installed //p')
    for package in $wanted; do
        # PostgreSQL's package carries its version in its name.
        if [ "$package" = postgresql-server ]; then
            ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || echo postgresql
        else
            echo "$installed" | grep -qx "$package" || echo "$package"
        fi
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null; }

install_packages() {
    missing=$(missing_packages | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    if ! may_be_root; then
        say "not installed on this machine: $missing"
        say "to have it all, run: sudo apt-get install --no-install-recommends $missing"
        return 0
    fi
    say "installing with apt-get: $missing"
    had_clusters=$(ls /etc/postgresql 2> /dev/null || true)
    as_root apt-get update -q > var/setup-apt.log 2>&1 ||
        fail "apt-get update failed; var/setup-apt.log says why. Check this machine's network and /etc/apt/sources.list."
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing \
        >> var/setup-apt.log 2>&1 ||
        fail "apt-get could not install $missing; var/setup-apt.log says why."
    # Tests start a server of their own: the one that Debian's package sets up is not left running.
    case " $missing " in
    *" postgresql "*)
        [ -n "$had_clusters" ] || for cluster in /etc/postgresql/*/main; do
            [ -d "$cluster" ] || continue
            version=${cluster#/etc/postgresql/}
            as_root pg_dropcluster --stop "${version%/main}" main
        done
        ;;
    esac
}

refresh_package_lists() {
    # The image recipe downloads a kernel through apt, which needs its lists.
    if ! apt-cache policy linux-image-cloud-amd64 2> /dev/null | grep -q 'Candidate: [0-9]' && may_be_root; then
        as_root apt-get update -q > var/setup-apt.log 2>&1 || say "apt-get update failed; var/setup-apt.log says why."
    fi
}

find_python() {
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" > /dev/null &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null &&
            "$name" -c 'import ensurepip, venv' 2> /dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

install_python_packages() {
    python=$(find_python) || fail \
        "Python 3.11 or newer with its venv module is needed and was not found." \
        "On Debian 12: sudo apt-get install python3 python3-venv"
    if ! .venv/bin/python -m pip --version > /dev/null 2>&1; then
        rm -rf .venv
        "$python" -m venv .venv
    fi
    say "installing Python packages from locks/ into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/bootstrap.txt
    uv_install --require-hashes -r locks/base.txt
    if pkg-config --exists libvirt 2> /dev/null && command -v cc > /dev/null; then
        # Its source is compiled by the setuptools of base.txt, and by nothing fetched unpinned.
        uv_install --require-hashes --no-build-isolation -r locks/libvirt.txt ||
            say "libvirt's bindings could not be compiled, so only simulated hosts can be had."
    else
        say "libvirt's bindings need libvirt-dev, pkg-config, gcc and python3-dev: without them hosts are simulated."
    fi
    # A plain path on sys.path, so that packages which come with later commits are found too.
    uv_install --no-deps --no-build-isolation --offline --config-setting editable_mode=compat --editable .
}

uv_install() {
    .venv/bin/uv pip install --quiet --python .venv/bin/python "$@"
}

stamp=.venv/.yui-setup
[ "$(cat "$stamp" 2> /dev/null)" = "$(fingerprint)" ] && exit 0

mkdir -p var
if is_debian; then
    install_packages
    refresh_package_lists
else
    say "this is no Debian or Ubuntu: see deploy/setup/packages.txt for what to install by hand."
fi
install_python_packages
fingerprint > "$stamp"
say "done"
