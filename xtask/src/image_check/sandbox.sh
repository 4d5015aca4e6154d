# Runs a program as a container engine would: in the mount, process and network namespaces that this was started in, on a
# read-only root, without capabilities.
#   ROOT DATA SECRETS UID GID WORKDIR PROGRAM [ARGUMENT]…
set -eu
root=$1 data=$2 secrets=$3 uid=$4 gid=$5 work=$6
shift 6
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/proc" "$root/dev" "$root/run/secrets"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,noexec,mode=0755 tmpfs "$root/dev"
for device in null zero urandom; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root/dev"
mount --bind "$secrets" "$root/run/secrets"
mount -o remount,bind,ro "$root/run/secrets"
mount --bind "$data" "$root/data"
mount -o remount,bind,nosuid,nodev "$root/data"
mount -o remount,bind,ro,nosuid "$root"
# The capabilities that are left in the bounding set are for unshare itself. Going over to the user takes them away.
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \
    unshare --root="$root" --wd="$work" --setgid="$gid" --setuid="$uid" -- "$@"
