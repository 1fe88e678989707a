"""An ordinary user who is in no file of the machine: for the tests of rootless containers.

Every command of the user runs in a mount namespace of its own, in which /etc/passwd, /etc/subuid and
/etc/subgid are the test's: nothing of the machine is changed."""

import os
import pathlib
import shutil
import subprocess

import pytest

import images
from oci import Bundle, Host

UID = 54321
NAME = "knarr-test-user"
SUBIDS = (1_600_000_000, 65536)  # first, count

# Binds the files given by pairs over the machine's and becomes the user.
BECOME = """
while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 99; shift 2; done
shift
exec setpriv --reuid "$KNARR_TEST_UID" --regid "$KNARR_TEST_UID" --clear-groups -- "$@"
"""


def needs_user_namespaces():
    if os.geteuid() != 0:
        pytest.skip("needs root: becomes another user")
    done = subprocess.run(["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups",
                           "unshare", "--user", "true"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"ordinary users may make no user namespaces here: {done.stderr.strip()}")


def needs_helpers():
    if not (shutil.which("newuidmap") and shutil.which("newgidmap")):
        pytest.skip("no newuidmap and newgidmap (Debian package uidmap) on this machine")


class UserHost(Host):
    """A Host whose knarr runs as an ordinary user."""

    def __init__(self, knarr, witness, directory, subids=SUBIDS):
        super().__init__(knarr, witness, directory)
        self.directory.chmod(0o755)
        self.bin = self.directory / "bin"  # the build directory may be closed to others
        self.bin.mkdir()
        self.knarr_path = shutil.copy2(knarr, self.bin / "knarr")
        self.home = self.make_dir("home")
        self.root = self.make_dir("root")
        self.files = {}
        self.replace("/etc/passwd", pathlib.Path("/etc/passwd").read_text() +
                     f"{NAME}:x:{UID}:{UID}::{self.home}:/bin/sh\n")
        self.set_subids(subids)

    def make_dir(self, name, mode=0o700):
        path = self.directory / name
        path.mkdir()
        os.chown(path, UID, UID)
        path.chmod(mode)
        return path

    def replace(self, path, text):
        mine = self.directory / path.replace("/", "_")
        mine.write_text(text)
        mine.chmod(0o644)
        self.files[path] = mine

    def set_subids(self, subids):
        line = f"{NAME}:{subids[0]}:{subids[1]}\n" if subids else ""
        for path in ("/etc/subuid", "/etc/subgid"):
            if os.path.exists(path):  # nothing can be bound over what is not there
                self.replace(path, line)

    def environment(self, fault=None):
        environment = super().environment(fault)
        environment.update(HOME=str(self.home), USER=NAME, LOGNAME=NAME, KNARR_TEST_UID=str(UID))
        environment.pop("XDG_RUNTIME_DIR", None)
        return environment

    def as_user(self, *command):
        binds = [word for path, mine in self.files.items() for word in (str(mine), path)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", BECOME, "become",
                *binds, "--", *map(str, command)]

    def command(self, *args):
        return self.as_user(*super().command(*args))

    def knarr_at(self, environment, *args):
        """knarr without --root: where it looks by itself."""
        return subprocess.run(self.as_user(self.knarr_path, *args), capture_output=True, text=True,
                              timeout=60, env={**self.environment(), **environment})

    def bundle(self, *args):
        return user_bundle(super().bundle(*args))


def image_host(knarr, witness, directory):
    """For a fixture: an ImageHost, and the check that nothing of it is left."""
    needs_user_namespaces()
    needs_helpers()
    own = ImageHost(knarr, witness, directory)
    yield own
    own.set_subids(SUBIDS)
    own.destroy()
    own.assert_clean()


class ImageHost(UserHost):
    """A UserHost with all of knarr's programs, whose images are in the user's home."""

    def __init__(self, knarr, witness, directory, subids=SUBIDS):
        super().__init__(knarr, witness, directory, subids)
        for name in ("knarr-monitor", "knarr-pull", "knarr-init"):
            shutil.copy2(pathlib.Path(knarr).parent / name, self.bin / name)
        self.data = self.home / ".local/share/knarr"

    def layout(self, name, layers, config=None):
        """A directory of the user's with an image in it."""
        path = self.directory / name
        images.write_layout(path, layers, config)
        own(path)
        return f"oci:{path}"

    def out(self, *words, **options):
        return self.ok(*words, **options).stdout.strip()

    def destroy(self):
        super().destroy()
        for image in set(self.out("images", "-q").split()):
            self.ok("rmi", image)
        self.ok("image", "gc")
        self.ok("volume", "prune", "--all", "--force")

    def entries(self):
        return [entry for entry in super().entries() if not entry.startswith(".")]

    def leftovers(self):
        left = super().leftovers()
        for kind in ("containers", "layers", "volumes", "mounts"):
            found = [str(one) for one in (self.data / kind).glob("[!.]*")]
            left.update({kind: found} if found else {})
        strangers = [str(path) for path in self.home.rglob("*")
                     if path.lstat().st_uid not in (0, UID)]
        left.update({"files of subordinate users": strangers} if strangers else {})
        return left


def own(path):
    """Gives a tree to the user."""
    os.chown(path, UID, UID, follow_symlinks=False)
    for parent, directories, files in os.walk(path):
        for name in directories + files:
            os.chown(os.path.join(parent, name), UID, UID, follow_symlinks=False)


def user_bundle(bundle: Bundle):
    """Makes a bundle one that `runc spec --rootless` could have written, and the user's."""
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": UID, "size": 1}]
    bundle.save()
    own(bundle.directory)
    return bundle


def map_range(bundle, subids=SUBIDS):
    """Adds container IDs from 1 on, of the user's range."""
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind].append(
            {"containerID": 1, "hostID": subids[0], "size": subids[1]})
    bundle.save()
