"""tag, untag, history, and the shapes of docker's JSON."""

import hashlib
import json

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def host(knarr_path, scratch):
    return images.Host(knarr_path, scratch)


@pytest.fixture
def layout(scratch):
    return images.write_layout(scratch / "box", [images.base_layer()],
                               {"Cmd": ["true"], "Labels": {"who": "us"}})


def listed(host):
    return json.loads(host.good("images", "--json"))


def test_tag_gives_names_and_untag_takes_them(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    host.good("tag", "localhost/box", "busybox:mine", "registry.example:5000/team/box")
    (image,) = listed(host)
    assert image["Id"] == identifier
    assert sorted(image["RepoTags"]) == ["busybox:mine", "localhost/box:latest",
                                         "registry.example:5000/team/box:latest"]
    assert "docker.io/library/busybox:mine" in image["References"]
    host.good("run", "--rm", "busybox:mine", "true")
    assert host.good("untag", "busybox:mine", "busybox:mine") == \
        "Untagged: busybox:mine\n"
    host.good("image", "untag", identifier)
    (image,) = listed(host)
    assert image["RepoTags"] == [] and image["Id"] == identifier
    assert host.good("images").splitlines()[1].split()[:2] == ["<none>", "<none>"]
    host.good("run", "--rm", identifier, "true")
    assert json.loads(host.good("image", "gc", "--json"))["Blobs"] == 0
    assert "deleted: " in host.good("image", "prune", "-f")
    assert listed(host) == []


def test_tag_moves_a_name(host, layout, scratch):
    host.good("pull", "-q", layout)
    layer = images.Layer().add("x", b"x").bytes()
    other = host.good("pull", "-q", images.write_layout(scratch / "other", [layer])).strip()
    host.good("tag", other, "localhost/box")
    (image,) = [image for image in listed(host) if "localhost/box:latest" in image["RepoTags"]]
    assert image["Id"] == other


def test_a_name_given_twice_to_untag_is_taken_once_and_the_image_stays(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    host.good("tag", "localhost/box", "busybox:mine")
    assert host.good("untag", identifier, "busybox:mine", "docker.io/library/busybox:mine") == \
        "Untagged: busybox:mine\n"
    (image,) = listed(host)
    assert image["RepoTags"] == ["localhost/box:latest"]
    host.good("untag", identifier, "localhost/box", "localhost/box:latest")
    (image,) = listed(host)
    assert image["Id"] == identifier and image["RepoTags"] == []
    assert json.loads(host.good("image", "gc", "--json"))["Blobs"] == 0
    host.good("run", "--rm", identifier, "true")


def test_an_id_never_means_an_image_that_is_named_like_it(host, layout, scratch):
    identifier = host.good("pull", "-q", layout).strip()
    images.write_layout(scratch / "other", [images.Layer().add("x", b"x").bytes()])
    index = json.loads((scratch / "other/index.json").read_text())
    for name in (identifier, f"docker.io/library/{identifier}"):
        index["manifests"][0]["annotations"] = {"io.containerd.image.name": name}
        (scratch / "other/index.json").write_text(json.dumps(index))
        host.good("load", "-q", "-i", scratch / "other")
        assert json.loads(host.good("image", "inspect", identifier))[0]["Id"] == identifier
    assert host.run("tag", "localhost/box", identifier).returncode == 2


def test_a_stored_name_is_not_believed_to_have_its_digest(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    (ref,) = (host.data / "refs").iterdir()
    lie = "docker.io/library/debian@sha256:" + "a1" * 32
    name = hashlib.sha256(lie.encode()).hexdigest()
    (ref.parent / f"{name}.json").write_text(ref.read_text().replace("localhost/box:latest", lie))
    (image,) = listed(host)
    assert lie in image["References"]
    result = host.run("image", "inspect", lie)
    assert result.returncode == 1 and "is not stored" in result.stderr
    honest = f"docker.io/library/debian@{image['Digest']}"
    assert json.loads(host.good("image", "inspect", honest))[0]["Id"] == identifier
    host.good("image", "prune", "-af")
    host.good("rmi", identifier)
    assert listed(host) == []


@pytest.mark.parametrize("words, status", [
    (["tag", "nothing", "new"], 3), (["tag", "localhost/box", "UPPER"], 2),
    (["tag", "localhost/box"], 2), (["tag", "localhost/box", "a@sha256:" + "0" * 64], 2),
    (["untag", "localhost/box", "other"], 2), (["untag", "nothing"], 3), (["history", "nothing"], 3),
    (["images", "--format", "{{.Nothing}}"], 2), (["images", "--format", "xml"], 2),
    (["history", "--format", "{{.ID", "localhost/box"], 2)])
def test_bad_names_are_refused_and_nothing_changes(host, layout, words, status):
    host.good("pull", "-q", layout)
    before = listed(host)
    result = host.run(*words)
    assert result.returncode == status, result.stderr
    assert "hint: " in result.stderr
    assert listed(host) == before


def test_lists_have_the_shapes_of_docker(host, layout):
    identifier = host.good("pull", "-q", layout).strip()
    (image,) = listed(host)
    assert image["Created"] == 1767323045 and image["Labels"] == {"who": "us"}
    assert image["ParentId"] == "" and image["SharedSize"] == image["Containers"] == -1
    assert image["RepoDigests"] == [f"localhost/box@{image['Digest']}"]
    (line,) = host.good("images", "--format", "{{json .}}").splitlines()
    line = json.loads(line)
    assert set(line) == {"Containers", "CreatedAt", "CreatedSince", "Digest", "ID", "Repository",
                         "SharedSize", "Size", "Tag", "UniqueSize", "VirtualSize"}
    assert line["ID"] == identifier[7:19] and line["Repository"] == "localhost/box"
    assert line["CreatedAt"] == "2026-01-02 03:04:05 +0000 UTC"
    assert host.good("images", "--format", "{{.Repository}}:{{.Tag}}") == "localhost/box:latest\n"
    assert host.good("images", "--format", r"table {{.ID}}\t{{.Size}}").split()[:3] == ["IMAGE", "ID", "SIZE"]
    (shown,) = json.loads(host.good("image", "inspect", "localhost/box"))
    assert shown["GraphDriver"]["Name"] in ("erofs", "dir") and shown["GraphDriver"]["Data"] is None
    assert set(shown) >= {"Id", "RepoTags", "RepoDigests", "Parent", "Comment", "Created", "DockerVersion", "Author",
                          "Config", "Architecture", "Os", "Size", "GraphDriver", "RootFS", "Metadata"}
    (line,) = host.good("history", "--format", "{{json .}}", "localhost/box").splitlines()
    assert set(json.loads(line)) == {"Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"}
    assert host.good("history", "--format", "{{.ID}}", "localhost/box") == identifier[7:19] + "\n"
    lines = [json.loads(line) for line in host.good("image", "df", "--format", "{{json .}}").splitlines()]
    assert [line["Type"] for line in lines] == ["Images", "Layers", "Garbage"]
    assert all(set(line) == {"Active", "Reclaimable", "Size", "TotalCount", "Type"} and
               all(isinstance(value, str) for value in line.values()) for line in lines)
    assert host.good("image", "df", "--format", "json") == host.good("image", "df", "--format", "{{json .}}")
    (step,) = json.loads(host.good("history", "--json", "localhost/box"))
    assert set(step) == {"Id", "Created", "CreatedBy", "Tags", "Size", "Comment"}
    assert step["Id"] == identifier and step["Tags"] == ["localhost/box:latest"]
    assert step["Size"] > 500_000
    head, row = host.good("history", "localhost/box").splitlines()
    assert head.split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert row.startswith(identifier[7:19])
    assert host.good("history", "-q", "--no-trunc", "localhost/box") == identifier + "\n"


@pytest.mark.parametrize("made, shown", [("é" * 45, "é" * 45), ("é" * 46, "é" * 44 + "…"), ("軽" * 23, "軽" * 22 + "…")])
def test_history_cuts_what_made_a_step_by_columns(host, scratch, made, shown):
    host.good("pull", "-q", images.write_layout(scratch / "box", [images.base_layer()], history=[made]))
    assert host.good("history", "--format", "{{.CreatedBy}}", "localhost/box") == shown + "\n"
    assert host.good("history", "--format", "{{.CreatedBy}}", "--no-trunc", "localhost/box") == made + "\n"
