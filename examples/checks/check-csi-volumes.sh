#!/bin/sh
# What Kubernetes believes of this node's CSI volumes (VolumeAttachments) against what is really mounted here (/proc/1/mountinfo): attached
# but not mounted, mounted but not attached, attach and detach errors, attached to two nodes, turned read-only. Runs on the node; needs
# kubectl and jq, and permission to list volumeattachments, persistentvolumes and csidrivers (a kubelet's own account may not).
# shellcheck disable=SC2034,SC2154 # it shares variables with cluster.sh and kubernetes.sh

usage() {
    cat <<'TEXT'
usage: check-csi-volumes.sh [-w SECONDS] [-c SECONDS] [--node NAME] [--root DIR] [--context C] [OPTION]...
  -w SECONDS    WARNING when a volume is attached but not mounted, not attached yet, or in detachment for this long (default 600)
  -c SECONDS    CRITICAL likewise (default 3600)
  --node NAME   the name Kubernetes has for this node (default: the host name)
  --root DIR    read DIR/proc/1/mountinfo
  --context C   the context of the kubeconfig (default: the current one)
TEXT
    common_usage
}

name=CheckCsiVolumes
here=$(dirname -- "$0")
for part in cluster kubernetes; do
    [ -r "$here/$part.sh" ] || { echo "$name UNKNOWN: $part.sh must lie beside this script" && exit 3; }
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

warn=600 crit=3600 node=$(uname -n) root=''
own="-w -c --node --root --context"
own_option() {
    case $1 in
    -w) whole "$1" "$2" && warn=$2 ;;
    -c) whole "$1" "$2" && crit=$2 ;;
    --node) node=$2 ;;
    --root) root=$2 ;;
    *) kubernetes_option "$1" "$2" ;;
    esac
}
options "$@"

# mounts: of each CSI mount its kind, a tab, its key, a tab, ro or rw of its file system. By kind the key is: `volume`, the PersistentVolume's
# name (as a pod's mount, as a block device, or as kubelet before 1.24 staged it); `staged`, the driver and the SHA-256 of the handle.
mounts() {
    awk '
        function found(kind, key) { print kind "\t" key "\t" state }
        {
            state = ("," $NF ",") ~ /,ro,/ ? "ro" : "rw"
            n = split($5, part, "/")
            for (i = 1; i <= n; i++) {
                if (part[i] == "kubernetes.io~csi" && part[i + 2] == "mount") found("volume", part[i + 1])
                if (part[i] != "kubernetes.io" || part[i + 1] != "csi") continue
                if (part[i + 2] == "pv" && part[i + 4] == "globalmount") found("volume", part[i + 3])
                else if (part[i + 2] == "volumeDevices" && part[i + 3] ~ /^(staging|publish)$/) found("volume", part[i + 4])
                else if (part[i + 4] == "globalmount") found("staged", part[i + 2] "/" part[i + 3])
            }
        }' "$root/proc/1/mountinfo" | LC_ALL=C sort -u
}

[ -r "$root/proc/1/mountinfo" ] || unknown "$root/proc/1/mountinfo cannot be read: run it as root, or --root another"
mounts >"$dir/before"
kubernetes volumeattachments,persistentvolumes,csidrivers cluster
# A volume that comes or goes while the cluster is asked is no contradiction: only what is mounted before and after counts as mounted,
# only what is mounted neither before nor after as not mounted.
mounts >"$dir/after"
comm -12 "$dir/before" "$dir/after" | jq -R 'split("\t") + ["both"]' >"$dir/mounts"
LC_ALL=C sort -u "$dir/before" "$dir/after" | jq -R 'split("\t") + ["any"]' >>"$dir/mounts"

# What hash belongs to which PersistentVolume: jq knows no SHA-256.
if grep -q '^staged' "$dir/before" "$dir/after"; then
    needed sha256sum
    jq -r "$prelude"'list[] | select(.kind == "PersistentVolume" and .spec.csi)
            | select(.metadata.name | test("^[a-z0-9.-]+$")) | "\(.metadata.name) \(.spec.csi.volumeHandle | @base64)"' \
        "$dir/answer" >"$dir/handles" 2>"$dir/error" || unknown "the answer cannot be read: $(said "$dir/error")"
    needed base64
    while read -r volume handle; do
        hash=$(printf '%s' "$handle" | base64 -d | sha256sum)
        echo "$volume ${hash%% *}"
    done <"$dir/handles" >"$dir/hash-lines"
    jq -R 'split(" ") | {key: .[1], value: .[0]}' "$dir/hash-lines" >"$dir/hashes"
else
    : >"$dir/hashes"
fi

# shellcheck disable=SC2016 # the dollars are jq's
judge '
list as $items
| ($hashes | from_entries) as $names
| (reduce ($items[] | select(.kind == "PersistentVolume" and .spec.csi)) as $pv ({}; .[$pv.metadata.name] = $pv)) as $pvs
| [$items[] | select(.kind == "CSIDriver" and .spec.attachRequired == false) | .metadata.name] as $unattached
| [$items[] | select(.kind == "VolumeAttachment" and (.spec.source.persistentVolumeName | type) == "string")] as $attachments
| [$attachments[] | select(.spec.nodeName == $node)] as $here
| [$mounts[] | {volume: (if .[0] == "volume" then .[1] else $names[.[1] | split("/")[1]] end), staged: (if .[0] == "staged" then .[1] else null end),
    ro: (.[2] == "ro"), sure: (.[3] == "both")}] as $mounted
| ([$mounted[].volume | strings] | unique) as $perhaps
| ([$mounted[] | select(.sure) | .volume | strings] | unique) as $surely
| def late($age; $text): if $age >= $crit then {level: 2, text: $text} elif $age >= $warn then {level: 1, text: $text} else empty end;
def fault: .message // "no message" | safe;
[
    ($here[] | .spec.source.persistentVolumeName as $pv | (.metadata.creationTimestamp | since) as $age
        | if .metadata.deletionTimestamp then
              (.metadata.deletionTimestamp | since) as $gone
              | late($gone; "\($pv | safe) is being detached since \($gone | age)" + (if $surely | index($pv) then ", still mounted" else "" end)
                  + (.status.detachError | if . then ": \(fault)" else "" end))
          elif .status.attached != true then
              if $surely | index($pv) then {level: 2, text: "\($pv | safe) is mounted but not attached"}
              else late($age; "\($pv | safe) is not attached after \($age | age)" + (.status.attachError | if . then ": \(fault)" else "" end)) end
          elif $perhaps | index($pv) | not then late($age; "\($pv | safe) is attached since \($age | age) but not mounted")
          else empty end),
    ($surely[] | . as $pv | select($pvs[$pv]) | select($unattached | index($pvs[$pv].spec.csi.driver) | not)
        | select(any($here[]; .spec.source.persistentVolumeName == $pv) | not)
        | {level: 2, text: ("\($pv | safe) is mounted, but Kubernetes knows no attachment: another node may get it"
            + (if $here == [] then ", unless this node is not called \($node | safe): see --node" else "" end))}),
    ($mounted[] | select(.sure and .staged and .volume == null) | .staged | . as $staged
        | select($unattached | index($staged | split("/")[0]) | not)
        | {level: 1, text: "a volume of \(split("/")[0] | safe) is mounted that no PersistentVolume is of (\(split("/")[1][:12] | safe))"}),
    ($here[] | .spec.source.persistentVolumeName as $pv | select(($pvs[$pv].spec.accessModes // []) | length > 0 and all(.[]; startswith("ReadWriteOnce")))
        | [$attachments[] | select(.spec.source.persistentVolumeName == $pv and .spec.nodeName != $node and .status.attached == true) | .spec.nodeName]
        | select(length > 0) | {level: 2, text: "\($pv | safe) is for one node but attached to \(.[0] | safe) too"}),
    ([$mounted[] | select(.sure and .ro) | .volume | strings] | unique[] | . as $pv | $pvs[$pv] | select(.)
        | select(.spec.csi.readOnly != true and ((.spec.mountOptions // []) | index("ro") | not) and any(.spec.accessModes // [] | .[]; . != "ReadOnlyMany"))
        | {level: 2, text: "\($pv | safe) has a file system that turned read-only"})
]
| report("\($here | length) attached volumes agree with what is mounted"; $here | length; "attached volumes"; ["mounted=\($surely | length);;;0"])' \
    --argjson warn "$warn" --argjson crit "$crit" --arg node "$node" --slurpfile mounts "$dir/mounts" --slurpfile hashes "$dir/hashes"
