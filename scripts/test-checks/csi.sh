# shellcheck shell=bash disable=SC2154,SC2016 # sourced by test-checks.sh; dollars are jq's
# check-csi-volumes.sh: a recorded mountinfo against VolumeAttachments. The helpers are those of kubernetes.sh.

attachment() { # VOLUME AGE [MORE]
    printf '({kind: "VolumeAttachment", metadata: meta("csi-%s"; %s), spec: {nodeName: "n1", attacher: "csi.example", source: {persistentVolumeName: "%s"}},
        status: {attached: true}} %s)' "$1" "$2" "$1" "${3:-}"
}

volume() { # NAME [MORE]
    printf '({kind: "PersistentVolume", metadata: meta("%s"; 99999), spec: {accessModes: ["ReadWriteOnce"], csi: {driver: "csi.example", volumeHandle: "handle %s"}}} %s)' "$1" "$1" "${2:-}"
}

mounted() { # PATH [SUPER-OPTIONS]
    printf '30 1 8:16 / /var/lib/kubelet/%s rw,relatime shared:1 - ext4 /dev/sdb %s\n' "$1" "${2:-rw}" >>"$work/csi/proc/1/mountinfo"
}

staged() { # VOLUME [SUPER-OPTIONS]
    mounted "plugins/kubernetes.io/csi/csi.example/$(printf 'handle %s' "$1" | sha256sum | cut -d ' ' -f 1)/globalmount" "${2:-rw}"
}

nothing_mounted() {
    mkdir -p "$work/csi/proc/1"
    echo '1 0 8:1 / / ro - ext4 /dev/sda1 ro' >"$work/csi/proc/1/mountinfo"
}

test_csi() {
    local check=("$@" "$checks/check-csi-volumes.sh") fake=("$@" "$checks/check-csi-volumes.sh" --now "$kube_now" --node n1 --root "$work/csi")
    nothing_mounted
    test_cluster CheckCsiVolumes kubectl "${check[@]}" --root "$work/csi"
    expect 3 "CheckCsiVolumes UNKNOWN: /nowhere/proc/1/mountinfo cannot be read.*" "${check[@]}" --root /nowhere

    staged a
    mounted pods/7/volumes/kubernetes.io~csi/a/mount
    mounted pods/7/volumes/kubernetes.io~csi/inline/mount
    mounted plugins/kubernetes.io/csi/volumeDevices/publish/raw/7
    mounted plugins/kubernetes.io/csi/pv/old/globalmount
    objects "$(volume a), $(attachment a 9999), $(volume raw), $(attachment raw 9999), $(volume old), $(attachment old 9999), $(attachment new 9), $(attachment far 9999 '| .spec.nodeName = "n2"')"
    expect 0 "CheckCsiVolumes OK: 4 attached volumes agree with what is mounted \| total=4;;;0 problems=0;1;;0 mounted=4;;;0" faked "${fake[@]}"
    expect 0 "--request-timeout=20s get volumeattachments,persistentvolumes,csidrivers -o json" tail -n 1 "$work/kubectl.calls"

    nothing_mounted
    staged a
    objects "$(volume a), $(attachment a 9999), $(volume b), $(attachment b 700)"
    expect 1 "CheckCsiVolumes WARNING: 1 problem in 2 attached volumes: b is attached since 11 min but not mounted \| .*" faked "${fake[@]}"
    expect 2 "CheckCsiVolumes CRITICAL: .*" faked "${fake[@]}" -c 700
    objects "$(volume a)"
    expect 2 "CheckCsiVolumes CRITICAL: 1 problem in 0 attached volumes: a is mounted, but Kubernetes knows no attachment: another node may get it, unless this node is not called n1: see --node \| .*" faked "${fake[@]}"
    objects "$(volume a), {kind: \"CSIDriver\", metadata: {name: \"csi.example\"}, spec: {attachRequired: false}}"
    expect 0 "CheckCsiVolumes OK: .*" faked "${fake[@]}"
    objects "$(volume b)"
    expect 1 "CheckCsiVolumes WARNING: .*: a volume of csi.example is mounted that no PersistentVolume is of \([0-9a-f]{12}\) \| .*" faked "${fake[@]}"
    objects "$(volume a), $(attachment a 9999 '| .status.attached = false')"
    expect 2 "CheckCsiVolumes CRITICAL: .*: a is mounted but not attached \| .*" faked "${fake[@]}"
    objects "$(volume a), $(attachment a 9999 '| .metadata.deletionTimestamp = ago(4000) | .status.detachError = {message: "busy|\n"}')"
    expect 2 "CheckCsiVolumes CRITICAL: .*: a is being detached since 66 min, still mounted: busy\?\? \| .*" faked "${fake[@]}"
    objects "$(volume a), $(attachment a 99), $(volume b), $(attachment b 700 '| .status = {attached: false, attachError: {message: "no such disk"}}')"
    expect 1 "CheckCsiVolumes WARNING: .*: b is not attached after 11 min: no such disk \| .*" faked "${fake[@]}"
    objects "$(volume a), $(attachment a 99), $(attachment a 99 '| .spec.nodeName = "n2"')"
    expect 2 "CheckCsiVolumes CRITICAL: .*: a is for one node but attached to n2 too \| .*" faked "${fake[@]}"
    objects "$(volume a '| .spec.accessModes = ["ReadWriteMany"]'), $(attachment a 99), $(attachment a 99 '| .spec.nodeName = "n2"')"
    expect 0 "CheckCsiVolumes OK: .*" faked "${fake[@]}"
    nothing_mounted
    staged a ro,errors=remount-ro
    objects "$(volume a), $(attachment a 99)"
    expect 2 "CheckCsiVolumes CRITICAL: .*: a has a file system that turned read-only \| .*" faked "${fake[@]}"
    objects "$(volume a '| .spec.accessModes = ["ReadOnlyMany"]'), $(attachment a 99)"
    expect 0 "CheckCsiVolumes OK: .*" faked "${fake[@]}"
}
