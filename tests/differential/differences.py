"""Where knarr's containers differ from those of both peers on purpose, with the reason."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Reason:
    key: str  # regular expressions that match as a whole
    ours: str
    theirs: str  # of every peer
    text: str

    def explains(self, key, mine, theirs):
        return (re.fullmatch(self.key, key) and re.fullmatch(self.ours, mine, re.DOTALL)
                and all(re.fullmatch(self.theirs, value, re.DOTALL) for value in theirs.values()))


DIRECTORIES = r"(data/hidden|proc/acpi|sys/firmware|proc/scsi)( \(2\))?"
FILES = r"(proc/(kcore|keys|timer_list|sched_debug)|data/secret)( \(2\))?"
DIRECTORY_FLAGS = r"nodev,noexec,nosuid,relatime,ro"

REASONS = [
    Reason(rf"mount /{DIRECTORIES}: flags", DIRECTORY_FLAGS, r"relatime,ro",
           "a masked directory is covered by a mount from which nothing can be executed"),
    Reason(rf"mount /{DIRECTORIES}: options", r"(gid=\d+,)?mode=755,nr_inodes=1,ro,size=4k(,uid=\d+)?",
           r"mode=755,rw|(gid=\d+,)?(nr_inodes=1,)?r[ow](,size=[04]k)?(,uid=\d+)?",
           "a masked directory costs one inode and one page"),
    Reason(r"stat:/data/hidden'?", r"d 0755 0:0", r"d (1777|0555) 0:0",
           "the mode of a masked directory, which is read-only anyway"),
    Reason(rf"mount /{DIRECTORIES}: (root|source)", r"/|tmpfs", r"/state-crun/\.empty-directory|knarr-differential",
           "crun covers a masked directory with one of its own state directory"),
    Reason(rf"mount /{FILES}: flags", r"nosuid,relatime,rw", r"(nosuid,)?relatime,ro|nosuid,rw",
           "a masked file is covered by the host's null device, verified, not by the container's"),
    Reason(rf"mount /{FILES}: options", r"mode=755,rw", r"mode=755,rw,size=65536k",
           "the host's null device lies on the host's /dev"),
    Reason(r"mount /(proc/(bus|fs|irq|sys)|data/fixed): flags", r"(nodev,)?(noexec,)?(nosuid,)?relatime,ro", r"relatime,ro",
           "a read-only path keeps the restrictions of the mount that it lies on"),
    Reason(r"mount /sys/fs/cgroup: flags", DIRECTORY_FLAGS, r"nodev,noexec,nosuid,relatime,rw",
           "a cgroup mount with the option ro is read-only as a whole"),
    Reason(r"mount /sys/fs/cgroup/[^:]+: source", r"cgroup", r"/sys/fs/cgroup/[\w,]+|[\w,]+",
           "names of the cgroup mounts' sources"),
    Reason(r"mount /sys/fs/cgroup: source", r"tmpfs", r"cgroup", "name of the tmpfs around the cgroup mounts"),
    Reason(r"mount /sys/fs/cgroup: options", r"(gid=\d+,)?mode=755,rw(,uid=\d+)?", r"(gid=\d+,)?rw,size=1024k(,uid=\d+)?",
           "the tmpfs around the cgroup mounts, which is crun's 1777 and 1 MiB"),
    Reason(r"mount /sys/fs/cgroup/[\w,]+: flags", DIRECTORY_FLAGS, r"nodev,noexec,nosuid,nosymfollow,relatime,ro",
           "crun's cgroup mounts have nosymfollow"),
    Reason(r"(cgroup:|mount /sys/fs/cgroup/)[\w,=]+(: root)?", r"/ID", r"/.+/ID",
           "without a cgroupsPath runc makes the cgroup below its own, where it is in one"),
    Reason(r"cat:/sys/fs/cgroup/devices/devices\.list", r"((?!c 5:1 ).)*", r".*\| c 5:1 rwm \|.*",
           "crun allows the host's console without a word in the configuration"),
    Reason(r"stat:/dev/core", r"absent", r"l 0777 0:0 11 -> /proc/kcore",
           "no link /dev/core: what it leads to is masked"),
    Reason(r"stat:/dev/mqueue", r"d 1777 0:0", r"d 1777 0:65534", "runc leaves the mqueue to the host's group"),
    Reason(r"mount /dev/(full|null|random|tty|urandom|zero): flags", r"nosuid,relatime,rw",
           r"noexec,nosuid,relatime,rw", "crun binds devices noexec in a user namespace"),
    Reason(r"mount /sys: options", r"ro", r"rw", "crun remounts sysfs; the kernel mounts it read-only for us"),
    Reason(r"dumpable", r"1", r"0",
           "the trampoline has the capabilities already, so the last exec raises none"),
    Reason(r"can-write:/dev/stdin", r"EACCES", r"ok",
           "stdin is a file of the caller here, which keeps its owner; pipes are the user's"),
    Reason(r"fd\.0", r"BUNDLE/stdin", r"pipe", "runc relays stdin in a user namespace"),
    Reason(r"can-write:/dev/stdout", r"EACCES", r"ok", "runc relays stdout in a user namespace"),
    Reason(r"cap_(bounding|effective|permitted)", r"0+", r"[1-9a-f0]+",
           "no process.capabilities: none, as with crun; runc leaves all"),
    Reason(r"try:(chroot|mount)", r"EPERM", r"ok", "no process.capabilities: none, as with crun; runc leaves all"),
    Reason(r"try:setuid", r"EINVAL|EPERM", r"ok", "no process.capabilities: none, as with crun; runc leaves all"),
    Reason(r"try:unshare-user", r"ok", r"EPERM", "no process.capabilities: none, as with crun; runc leaves all"),
    Reason(r"outcome", r"ran", r"refused: (.*\n)*.*mount(ing)? \W*proc\W.*[Oo]peration not permitted.*\n?",
           "a user namespace with the host's processes: its procfs is bound, the kernel mounts none"),
    Reason(r"status\.SigIgn", r"0+", r"0+[1-7]", "runc leaves SIGHUP, SIGINT and SIGQUIT ignored where its caller did"),
    # Debian 12's crun 1.8.1 and runc 1.1.5 are older than these; tools/peers has newer ones.
    Reason(r"outcome", r"ran",
           r'refused: (.*namespace {\\"time\\" \\"\\"} does not exist.*|write to sync socket: (Connection reset by peer|Broken pipe)|)',
           "the peers' age: time namespaces"),
    Reason(r"mount /\S+: options", r"mode=755,rw(,size=\w+)?", r"rw(,size=\w+)?",
           "the peers' age: a tmpfs without a mode has that of the directory it covers"),
    Reason(r"mount /: propagation", r"shared", r"", "the peers' age: rootfsPropagation"),
    Reason(r"clock\.(boottime|monotonic)_hours", r"[12]\d\d", r"\d\d?", "the peers' age: timeOffsets"),
    Reason(r"domainname", r"example\.org", r"\(none\)", "the peers' age: domainname"),
]
