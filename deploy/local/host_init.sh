#!/bin/sh
# Process 1 of one host: lays the host's own folders over the machine's, starts its daemons and
# adopts whatever they leave behind. When it dies, the kernel kills every process of the host.
#   host_init.sh FOLDER NAME HIDE_KVM(yes|no)
set -eu
folder=$1
name=$2
hide_kvm=$3

hostname "$name"
# Volatile, as on a machine: a power cut must leave no trace of what ran.
mount -t tmpfs -o mode=755,size=64m tmpfs /run
# libvirt locks here what it gives a stream to.
mkdir -p /run/libvirt /run/lock
mount --bind "$folder/etc" /etc/libvirt
mount --bind "$folder/lib" /var/lib/libvirt
mount --bind "$folder/cache" /var/cache/libvirt
mount --bind "$folder/log" /var/log/libvirt
for file in hosts passwd group; do
    mount --bind "$folder/$file" "/etc/$file"
done
# libvirt offers KVM wherever it may write to the device; where that can't run guests, it gets a file
# that even root may not write to.
if [ "$hide_kvm" = yes ] && [ -e /dev/kvm ]; then
    : > /run/no-kvm
    mount --bind /run/no-kvm /dev/kvm
    mount -o remount,bind,ro /dev/kvm
fi

virtlockd &
virtlogd &
tries=0
until [ -S /run/libvirt/virtlockd-sock ] && [ -S /run/libvirt/virtlogd-sock ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || exit 1
    sleep 0.05
done
libvirtd --listen &
# A shell that waits reaps its adopted children too; without libvirtd the host is of no use, but it
# stays on, as a machine would.
while :; do
    wait
    sleep 1
done
