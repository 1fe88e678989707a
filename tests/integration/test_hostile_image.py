"""Images that attack the host through what `knarr run` does for them."""

import os
import pathlib
import subprocess
import tarfile

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def host(knarr_path, scratch):
    host = images.Host(knarr_path, scratch)
    yield host
    assert host.traces() == []


def layout(scratch, layer, config=None):
    return images.write_layout(scratch / "image", [images.base_layer(), layer.bytes()], config)


def test_a_numeric_user_is_never_a_name_of_the_image(host, scratch):
    # CVE-2016-3697: the image names an account of root like the number that the caller asks for.
    image = layout(scratch, images.Layer().add("etc/passwd", b"1000:x:0:0::/root:/bin/sh\n")
                   .add("etc/group", b"1000:x:0:\n"))
    assert host.good("run", "--rm", "-q", "-u", "1000", image, "id", "-u").strip() == "1000"
    assert host.good("run", "--rm", "-q", "-u", "5:1000", image, "id", "-g").strip() == "1000"


@pytest.mark.parametrize("target", ["/dev", "/proc", "/sys", "../../dev", "/sys/fs", "/dev/shm"])
def test_a_volume_does_not_get_over_dev_proc_or_sys_through_a_link(host, scratch, target):
    volume = scratch / "volume"
    volume.mkdir()
    image = layout(scratch, images.Layer().symlink("data", target))
    result = host.run("run", "--rm", "-q", "-v", f"{volume}:/data", image, "true")
    assert list(volume.iterdir()) == [], "the image made files in a directory of the host"
    assert result.returncode == 125
    assert "/data" in result.stderr and "symbolic link" in result.stderr


def test_an_image_has_no_volume_for_terminals_through_a_link(host, scratch):
    hostile = (images.Layer().symlink("data", "/dev/pts").directory("dev").directory("dev/pts")
               .add("dev/pts/ptmx", kind=tarfile.FIFOTYPE))
    image = layout(scratch, hostile, {"Volumes": {"/data": {}}})
    result = host.run("run", "--rm", "-q", image, "true")
    assert result.returncode == 125
    assert "/data" in result.stderr and "symbolic link" in result.stderr


def test_a_volume_may_be_named_to_lie_in_dev(host, scratch):
    volume = scratch / "volume"
    volume.mkdir()
    image = layout(scratch, images.Layer().symlink("data", "/srv").directory("srv"))
    host.good("run", "--rm", "-q", "-v", f"{volume}:/dev/mine", "-v", f"{volume}:/data", image,
              "sh", "-c", "touch /dev/mine/a /srv/b")
    assert sorted(entry.name for entry in volume.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("way, word", [("talk", "does not stop to talk"), ("endless", "longer than"),
                                       ("lie", "says that it sent"), ("nonsense", "unknown type"),
                                       ("quit", "ended too early"),
                                       ("silent", "the 1 s for the whole operation (--timeout) are over")])
def test_a_pull_program_that_turned_hostile_ends_in_an_error(host, way, word):
    hostile = pathlib.Path(__file__).resolve().parents[2] / "build/dev/bin/hostile"
    if not (hostile / "knarr-pull").exists():
        pytest.fail(f"{hostile}/knarr-pull is not built: cmake --build --preset dev")
    result = subprocess.run(host.command("pull", "-q", *(["--timeout", "1s"] if way == "silent" else []),
                                         "127.0.0.1:1/some/image"), timeout=60,
                            env={**os.environ, "KNARR_LIBEXEC": str(hostile), "SSL_CERT_DIR": way},
                            capture_output=True, text=True, check=False)
    assert result.returncode > 0 and word in result.stderr, result.stderr
    assert list((host.data / "ingest").iterdir()) == []
