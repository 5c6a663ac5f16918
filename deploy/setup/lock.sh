#!/bin/sh
# Writes the lock files anew from pyproject.toml. Run through `make locks`: what is locked already stays at its
# version where that still fits, but for `make locks UPGRADE=1`.
set -eu
cd "$(dirname "$0")/../.."
uv=.venv/bin/uv

compile() {
    out=$1
    shift
    # Only names, versions and digests go into a lock: where packages come from is each machine's business.
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-annotate --no-header ${UPGRADE:+--upgrade} --output-file "$out" "$@"
}

compile locks/bootstrap.txt locks/bootstrap.in
compile locks/base.txt pyproject.toml --extra dev --extra local --extra kubernetes --extra pulumi locks/build.in
# libvirt-python alone: it depends on nothing but the setuptools of base.txt that compiles it.
.venv/bin/python - > locks/libvirt.in <<'EOF'
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print(*project["optional-dependencies"]["libvirt"], sep="\n")
EOF
compile locks/libvirt.txt locks/libvirt.in
rm locks/libvirt.in
