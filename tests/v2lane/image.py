"""The virtual machine's Debian and its kernel: made once from the recipe in this file.

They lie in ${XDG_CACHE_HOME:-~/.cache}/knarr/v2lane-HASH, HASH being that of the recipe and the
release of Debian. Nothing is installed on the machine itself: the kernel package is unpacked only.
What changes more often (units, settings, the first program) is added in each run by settings.py.
"""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
import time

RELEASES = ("bookworm", "trixie")  # the machine's own where it is one of these, else the first
UNUSED_SECONDS = 7 * 24 * 3600  # older images of other recipes are removed
BUILD_TIMEOUT_SECONDS = 25 * 60

PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "uidmap",
    "podman", "catatonit", "conmon", "crun", "runc", "containerd", "docker.io", "python3-pytest", "busybox-static",
    "procps", "iproute2", "kmod", "strace", "acl", "attr", "skopeo", "umoci", "zstd", "file",
]
# The user of tests/integration/rootless.py; has a systemd user manager from boot on.
USER, UID = "knarr-test-user", 54321
SUBIDS = (1_600_000_000, 65536)

# What the kernel has as modules and the first program must load, in this order.
MODULES = ["virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_legacy_dev",
           "virtio/virtio_pci_modern_dev", "virtio/virtio_pci", "block/virtio_blk",
           "char/virtio_console"]

# Run by mmdebstrap, $1 being the new root. It empties /tmp after them.
HOOKS = [
    'chroot "$1" sh -c "mkdir /opt/kernel && cd /opt/kernel && apt-get -q download linux-image-cloud-amd64'
    ' && apt-get -q download \\$(dpkg-deb -f linux-image-cloud-amd64_*.deb Depends | cut -d\\" \\" -f 1)'
    ' && rm linux-image-cloud-amd64_*.deb"',
    'dpkg-deb -x "$1"/opt/kernel/linux-image-*.deb "$1"/opt/kernel',
    # Where the release has them: lib/modules in Debian 12, usr/lib/modules later.
    'cp -a "$1"/opt/kernel/lib/modules "$1"/opt/kernel/usr/lib/modules "$1"/usr/lib/ 2> /dev/null || true',
    'chroot "$1" sh -c "depmod \\$(ls /usr/lib/modules)"',
    f'chroot "$1" useradd --create-home --uid {UID} --shell /bin/bash {USER}',
    f'echo {USER}:{SUBIDS[0]}:{SUBIDS[1]} | tee "$1"/etc/subuid > "$1"/etc/subgid',
    'mkdir -p "$1"/project "$1"/var/lib/systemd/linger',
    f'touch "$1"/var/lib/systemd/linger/{USER}',
]


class Unavailable(Exception):
    """What is missing for the lane, in words."""


def cache_dir():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "knarr"


def release():
    try:
        own = platform.freedesktop_os_release()
    except OSError:
        return RELEASES[0]
    name = own.get("VERSION_CODENAME", "")
    return name if own.get("ID") == "debian" and name in RELEASES else RELEASES[0]


def sources(suite):
    """The machine's own sources of Debian for `suite`; none where it has others: mmdebstrap's are used."""
    asked = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                            "Created-By: Packages", "Origin: Debian"], capture_output=True, text=True)
    lines = [f"deb {line}" for line in dict.fromkeys(asked.stdout.splitlines())
             if line.split()[1].split("-")[0] == suite]
    return lines if any(f" {suite} main" in line for line in lines) else []


def make_root(work, suite):
    """Debian's packages and the kernel in work/root; the kernel and its first modules in `work`."""
    root = work / "root"
    lines = sources(suite)
    (work / "sources.list").write_text("\n".join(lines) + "\n")
    exclude = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "locale", "doc", "info")]
    log = work / "log"
    with log.open("wb") as out:
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private",  # its mounts end with it
             "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
             f"--include={','.join(PACKAGES)}", *exclude,
             *[f"--customize-hook={hook}" for hook in HOOKS],
             suite, root, *([work / "sources.list"] if lines else [])],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=BUILD_TIMEOUT_SECONDS)
    if done.returncode != 0:
        said = log.read_text(errors="replace").splitlines()
        raise Unavailable("mmdebstrap cannot make a Debian root: " +
                          " | ".join([line for line in said if line.startswith("E:")][-3:] or said[-3:]))
    package = root / "opt/kernel"
    version = next((package / "boot").glob("vmlinuz-*")).name.removeprefix("vmlinuz-")
    shutil.copy2(package / f"boot/vmlinuz-{version}", work / "vmlinuz")
    (work / "modules").mkdir()
    for module in MODULES:
        path = next((root / f"usr/lib/modules/{version}/kernel/drivers").glob(f"{module}.ko*"))
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = subprocess.run(["xz", "-dc", path], check=True, capture_output=True).stdout
        (work / "modules" / f"{path.name.split('.')[0]}.ko").write_bytes(data)
    shutil.copy2(root / "bin/busybox", work / "busybox")
    shutil.rmtree(package)
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")


def build(target, suite):
    if os.geteuid() != 0:
        raise Unavailable("the virtual machine's image is not built yet, and building it needs root")
    print(f"making the virtual machine's Debian {suite} (once, some minutes) ...", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix="v2lane-build."))
    try:
        make_root(work, suite)
        # What a run writes is thrown away with it, so there is nothing for a journal to save.
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0",
                        "-d", work / "root", work / "disk", "4G"], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(work / "root")
        work.chmod(0o755)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove_unused(keep):
    for other in keep.parent.glob("v2lane-*"):
        if other != keep and time.time() - other.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def image():
    """The folder with `disk`, `vmlinuz`, `busybox` and `modules`, made when it is not there yet."""
    suite = release()
    recipe = repr((suite, PACKAGES, USER, UID, SUBIDS, MODULES, HOOKS))
    target = cache_dir() / f"v2lane-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    if not target.is_dir():
        build(target, suite)
    os.utime(target)
    remove_unused(target)
    return target


if __name__ == "__main__":
    print(image())
