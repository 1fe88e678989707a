"""The OCI bundles that tools/bench runs: a static `true` under the config.json that podman 4.3 wrote.

podman.json was written by
    podman create --network none --memory 256m --cpus 0.5 --cpu-shares 512 --pids-limit 100
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 IMAGE /true
on a cgroup v1 machine. The places of its files are @BUNDLE@ and @CGROUP@; nothing else is changed.
"""

import json
import pathlib
import shutil

PODMAN = pathlib.Path(__file__).with_name("podman.json").read_text()
FILES = ("hosts", "hostname", "containerenv")  # podman binds its own over those of the image


def make_tree(folder, true_program):
    """What stands in the bundle besides config.json."""
    rootfs = folder / "rootfs"
    rootfs.mkdir(parents=True)
    shutil.copy(true_program, rootfs / "true")
    shutil.copy(true_program.with_name("bench_pause"), rootfs / "pause")  # does not end by itself
    # bare C makes no mount points, and the order of the commands is random.
    for folder_of_files in ("etc", "run"):
        (rootfs / folder_of_files).mkdir()
    for place in ("etc/hosts", "etc/hostname", "run/.containerenv"):
        (rootfs / place).touch()
    (folder / "shm").mkdir()
    for name in FILES:
        (folder / name).write_text("127.0.0.1 bench\n")


def config(tree, cgroup, *, seccomp, limits, memory=None, args=("/true",)):
    """podman's configuration for the files of the bundle `tree`."""
    text = PODMAN.replace("@BUNDLE@", str(tree)).replace("@CGROUP@", cgroup)
    value = json.loads(text)
    if not seccomp:
        del value["linux"]["seccomp"]
    if not limits:
        del value["linux"]["resources"]
    if memory is not None:
        value["linux"]["resources"] = {"memory": {"limit": memory}}
    value["process"]["args"] = list(args)
    return value


def make(folder, true_program, **options):
    """Makes the bundle `folder` that runs `true_program`."""
    make_tree(folder, true_program)
    write(folder, folder, f"/knarr-bench/{folder.name}", **options)
    return folder


def write(folder, tree, cgroup, **options):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(tree, cgroup, **options)))
    return folder

