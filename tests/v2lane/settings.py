"""What each run puts on top of the image: the first program, units, and the project's files."""

import io
import json
import os
import pathlib
import shutil
import subprocess

import image

# No device of this machine needs udev, nobody logs in on a console, nothing is due by the clock.
MASKED = [
    "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket", "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "systemd-networkd.service", "systemd-pstore.service", "systemd-binfmt.service",
    "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "podman.service",
    "podman.socket", "podman-auto-update.timer", "podman-auto-update.service", "podman-restart.service",
    "systemd-random-seed.service", "dev-hugepages.mount", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "systemd-journal-flush.service",
    "containerd.service", "docker.service", "docker.socket", "systemd-remount-fs.service", "systemd-sysusers.service", "modprobe@.service",
]

UNIT = f"""[Unit]
Description=knarr's tests
After=systemd-user-sessions.service dbus.service user@{image.UID}.service
Wants=user@{image.UID}.service

[Service]
ExecStart=/usr/bin/python3 -B /project/tests/v2lane/guest.py
ExecStopPost=/usr/bin/systemctl poweroff --force --force
Environment=HOME=/root LANG=C.UTF-8
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TasksMax=infinity
"""

# Unknown words of the kernel's command line arrive in the environment.
INIT = """#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
if [ -n "$knarr_probe" ]; then $bb echo "$knarr_probe" > /dev/ttyS0; $bb poweroff -f; fi
for module in {modules}; do $bb insmod /modules/$module.ko; done
$bb mount -t ext4 -o noatime /dev/vda /root || $bb poweroff -f
$bb mount -t ext4 -o noatime /dev/vdb /root/project || $bb poweroff -f
$bb cp -a /root/project/settings/. /root/
$bb mount -t devtmpfs dev /root/dev
exec $bb switch_root /root /lib/systemd/systemd
"""

# Of the built programs: not the ones that measure or fuzz.
LEFT_OUT = ("bench_", "fuzz_", "replay_", "pull_probe")
C_LIBRARY = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libpthread", "libdl", "librt", "libresolv")


def newc(entries):
    """A cpio archive as the kernel unpacks it. Source: kernel initramfs-buffer-format.rst."""
    out = io.BytesIO()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        head = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out.write(b"070701" + b"".join(b"%08x" % field for field in head) + name.encode() + b"\0")
        out.write(b"\0" * (-out.tell() % 4) + data)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()


def write_initrd(folder, path):
    """The first program with the modules that the disks and the channel need."""
    names = [module.rpartition("/")[2] for module in image.MODULES]
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "root", "modules")]
    entries += [("init", 0o100755, INIT.format(modules=" ".join(names)).encode()),
                ("bin/busybox", 0o100755, (folder / "busybox").read_bytes())]
    entries += [(f"modules/{name}.ko", 0o100644, (folder / f"modules/{name}.ko").read_bytes())
                for name in names]
    path.write_bytes(newc(entries))


def write_settings(root):
    units = root / "etc/systemd/system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")
    (units / "knarr-tests.service").write_text(UNIT)
    (wants / "knarr-tests.service").symlink_to("../knarr-tests.service")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (root / "etc/hostname").write_text("knarr-v2\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost knarr-v2\n")
    (root / "etc/fstab").write_text("")


def libraries(programs):
    """What the programs link besides the C library, which is the same Debian's."""
    found = {}
    listing = subprocess.run(["ldd", *programs], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if arrow and rest.startswith("/") and not name.startswith(C_LIBRARY):
            found[name] = rest.split()[0]
    return found


def place(source, target):
    """A hard link where that is possible: nothing is written through it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_project_disk(project, work, part, chosen):
    """An ext4 image with the tests, the built programs and the settings, in work/project."""
    stage = work / "stage"
    tracked = subprocess.run(["git", "-C", project, "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard", "tests", "tools"],
                             check=True, capture_output=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        if (project / name).is_file():
            place(project / name, stage / name)
    for path in project.glob("src/**/testdata/*"):  # unit tests have the path of the machine that built them
        if path.is_file():
            place(path, stage / "settings" / path.relative_to("/"))
    dynamic = []
    for preset in ("dev", "release"):
        for program in (project / "build" / preset / "bin").iterdir():
            if program.is_file() and not program.name.startswith(LEFT_OUT):
                place(program, stage / "build" / preset / "bin" / program.name)
                if program.name.endswith("_tests"):
                    dynamic.append(program)
    for name, path in libraries(dynamic).items():
        place(pathlib.Path(path).resolve(), stage / "build/lib" / name)
    if part != "smoke":
        for folder in image.cache_dir().glob("runtime-tools-*"):
            for path in folder.iterdir():
                place(path, stage / "cache/knarr" / folder.name / path.name)
    (stage / "chosen.json").write_text(json.dumps(chosen))
    write_settings(stage / "settings")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0",
                    "-E", "root_owner=0:0", "-d", stage, work / "project", "2G"],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(stage)
