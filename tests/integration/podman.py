"""podman with root's rights, its storage and network in a place of its own."""

import subprocess

from clients import Client, Place, cgroups_with, make_rootfs, needs_programs

IMAGE = "localhost/knarr-test:1"

# podman asks for RLIMIT_NOFILE 1048576, which only CAP_SYS_RESOURCE may give.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
helper_binaries_dir = ["/usr/libexec/podman", "/usr/lib/podman"]
runtime_supports_json = ["crun", "runc", "knarr"]
[engine.runtimes]
knarr = ["{knarr}"]
"""


class Podman(Client):
    def __init__(self, place, knarr, directory):
        super().__init__(place, knarr, directory)
        needs_programs("podman", "conmon", "runc")
        self.configuration = self.directory / "containers.conf"
        self.configuration.write_text(CONFIGURATION.format(knarr=knarr))
        self.ok("import", make_rootfs(self.directory), IMAGE)

    def command(self, *words, runtime=None):
        return ["env", f"CONTAINERS_CONF={self.configuration}", "podman", "--cgroup-manager=cgroupfs",
                "--storage-driver=overlay", "--root", self.directory / "storage",
                "--runroot", self.directory / "run", "--tmpdir", self.directory / "tmp",
                "--events-backend=file", "--runtime", runtime or "knarr", *words]

    def run(self, *words, runtime=None, **options):
        return self.place.run(*self.command(*words, runtime=runtime), **options)

    def start(self, *words, runtime=None, **options):
        return self.place.start(*self.command(*words, runtime=runtime),
                                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                   "text": True, **options})

    def run_detached(self, name, *words):
        """A container that says it is there and ends with 3 on SIGTERM. Returns its ID."""
        return self.ok("run", "--detach", "--network=none", "--name", name, *words, IMAGE, "sh", "-c",
                       "trap 'echo bye; exit 3' TERM; echo hello; echo error >&2; sleep 10000 & wait")

    def end(self):
        for kind in ("pod", "container"):
            self.run(kind, "rm", "--all", "--force", "--time=0")


def leftovers(podman, container):
    """What is left of a container that podman has removed: of the runtime's and of its own."""
    return {"cgroups": cgroups_with(container[:20]),
            "mounts": [line for line in podman.place.mounts() if container[:20] in line],
            "states": [str(path) for path in podman.place.path("/run").glob(f"*/{container[:20]}*")]}


def open_podman(knarr, directory):
    """A generator for fixtures: podman, and after the tests its end."""
    place = Place()
    try:
        podman = Podman(place, knarr, directory)
        yield podman
        podman.end()
    finally:
        place.end()
