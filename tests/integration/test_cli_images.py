"""The verbs on images over OCI layouts: no registry needed."""

import json
import re
import shutil

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def host(knarr_path, scratch):
    return images.Host(knarr_path, scratch)


@pytest.fixture
def layout(scratch):
    return images.write_layout(scratch / "box", [images.base_layer()], {"Cmd": ["true"]})


def test_pull_prints_the_id_alone_on_stdout(host, layout):
    result = host.run("pull", layout)
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", result.stdout)
    assert "finished" in result.stderr
    quiet = host.run("pull", "--quiet", layout)
    assert quiet.stdout == result.stdout
    assert quiet.stderr == ""


def test_images_as_table_json_and_ids(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    head, row = host.good("images").splitlines()
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert row.split()[1:3] == ["latest", identifier[7:19]]
    assert host.good("images", "-q") == identifier[7:19] + "\n"
    assert host.good("images", "-q", "--no-trunc") == identifier + "\n"
    (image,) = json.loads(host.good("images", "--json"))
    assert image["Id"] == identifier
    assert image["Size"] > 100_000
    assert host.good("image", "list", "--json") == host.good("images", "--json")


def test_inspect_finds_images_by_their_whole_name(host, layout):
    host.good("pull", layout)
    name = host.good("images", "--format", "{{.Repository}}:{{.Tag}}").split()[0]
    assert json.loads(host.good("inspect", name)) == json.loads(host.good("image", "inspect", name))
    missing = host.run("inspect", name + "-not")
    assert missing.returncode != 0 and f"image {name}-not is not stored" in missing.stderr


def test_inspect_is_one_array_whatever_the_number(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    one = json.loads(host.good("image", "inspect", identifier))
    two = json.loads(host.good("image", "inspect", identifier, identifier[7:19]))
    assert len(one) == 1 and len(two) == 2
    assert one[0]["Id"].endswith(identifier[7:])


def test_rmi_removes_the_image_and_a_second_time_is_an_error(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    out = host.good("rmi", identifier)
    assert "Untagged: " in out and "Deleted: " in out
    assert json.loads(host.good("images", "--json")) == []
    again = host.run("rmi", identifier)
    assert again.returncode == 3
    assert "hint: " in again.stderr
    assert list((host.data / "layers").glob("[!.]*")) == []


def test_rmi_refuses_what_a_container_stands_on(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    host.good("run", "-q", layout, "true")
    (container,) = host.containers()
    refused = host.run("rmi", identifier)
    assert refused.returncode == 3
    assert container["id"] in refused.stderr
    host.good("delete", container["id"])
    host.good("rmi", identifier)


def test_a_container_of_an_earlier_boot_does_not_hold_its_image(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    host.good("run", "-q", "--log-driver", "none", layout, "true")  # no recover brings it back
    (container,) = host.containers()
    # /run is empty after a boot; the data directory is not.
    state = host.root / container["id"]
    for path in state.iterdir():
        path.unlink()
    state.rmdir()
    shutil.rmtree(host.root / ".names")
    host.good("rmi", identifier)
    assert host.traces() == []


@pytest.mark.parametrize("words, status", [(["image", "inspect", "nothing"], 1), (["rmi", "nothing"], 3),
                                           (["plan", "nothing"], 3)])
def test_an_unknown_image_is_an_image_error(host, words, status):
    result = host.run(*words)
    assert result.returncode == status  # inspect's is docker's
    assert "nothing" in result.stderr
