"""podman's pods, Kubernetes YAML and builds, with knarr as the runtime."""

import json

import pytest

from clients import needs_programs, needs_verb
from oci import wait_until
from podman import IMAGE, leftovers, open_podman

NAMESPACES = "for one in ipc net uts; do readlink /proc/self/ns/$one; done"


@pytest.fixture(scope="module")
def podman(knarr_path, tmp_path_factory):
    yield from open_podman(knarr_path, tmp_path_factory.mktemp("podman"))


@pytest.fixture
def pod(podman):
    podman.ok("pod", "create", "--name=pod", "--network=none", "--share=ipc,net,uts",
              "--hostname=in-pod")
    yield "pod"
    podman.ok("pod", "rm", "--force", "--time=0", "pod")


def in_pod(podman, name, *words):
    return podman.ok("run", "--rm", "--pod=pod", f"--name={name}", IMAGE, *words)


def test_containers_of_a_pod_share_its_namespaces(podman, pod):
    first = in_pod(podman, "first", "sh", "-c", NAMESPACES).splitlines()
    second = in_pod(podman, "second", "sh", "-c", NAMESPACES).splitlines()
    assert first == second and len(set(first)) == 3
    assert in_pod(podman, "alone", "sh", "-c", "echo $$") == "1"
    assert in_pod(podman, "third", "hostname") == "in-pod"


def test_containers_of_a_pod_speak_over_loopback(podman, pod):
    podman.ok("run", "--detach", "--pod=pod", "--name=server", IMAGE,
              "sh", "-c", "nc -l -p 4711 -e echo served")
    wait_until(lambda: in_pod(podman, "client", "sh", "-c", "nc 127.0.0.1 4711 < /dev/null || true")
               == "served", "nobody answers")


def test_a_pod_is_paused_stopped_started_and_removed_as_one(podman):
    needs_verb(podman.knarr, "pause")
    podman.ok("pod", "create", "--name=whole", "--network=none")
    container = podman.ok("run", "--detach", "--pod=whole", "--name=member", IMAGE, "sleep", "1000")
    infra = podman.ok("pod", "inspect", "--format={{.InfraContainerID}}", "whole")
    podman.ok("pod", "pause", "whole")
    assert podman.ok("inspect", "--format={{.State.Status}}", "member") == "paused"
    podman.ok("pod", "unpause", "whole")
    podman.ok("pod", "stop", "--time=0", "whole")
    podman.ok("pod", "start", "whole")
    assert podman.ok("exec", "member", "echo", "alive") == "alive"
    assert "sleep" in podman.ok("pod", "top", "whole", "args")
    podman.ok("pod", "rm", "--force", "--time=0", "whole")
    for one in (infra, container):  # the cgroup above them, the pod's, is podman's
        assert leftovers(podman, one) == {"cgroups": [], "mounts": [], "states": []}


def test_a_container_joins_the_namespaces_of_another(podman):
    podman.run_detached("host")
    theirs = podman.ok("exec", "host", "sh", "-c", NAMESPACES)
    ours = podman.ok("run", "--rm", "--network=container:host", "--ipc=container:host",
                     "--pid=container:host", "--uts=container:host", IMAGE, "sh", "-c", NAMESPACES)
    assert ours == theirs
    podman.ok("rm", "--force", "--time=0", "host")


KUBE = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kube", "labels": {"app": "kube"}},
    "spec": {
        "hostname": "kubed", "restartPolicy": "Never",
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "containers": [
            {"name": "writer", "image": IMAGE,
             "command": ["sh", "-c", "echo $WORD $(hostname) $(id -u) > /shared/said; sleep 1000"],
             "env": [{"name": "WORD", "value": "hello"}],
             "securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": False,
                                 "capabilities": {"drop": ["ALL"]}},
             "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
             "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
            {"name": "reader", "image": IMAGE,
             "command": ["sh", "-c", "sleep 1000"], "workingDir": "/tmp",
             "securityContext": {"readOnlyRootFilesystem": True},
             "volumeMounts": [{"name": "shared", "mountPath": "/shared", "readOnly": True}]}]}}


def test_kubernetes_yaml_is_played_and_taken_down(podman):
    file = podman.directory / "pod.yaml"
    file.write_text(json.dumps(KUBE))
    podman.ok("kube", "play", "--network=none", file)
    wait_until(lambda: podman.run("exec", "kube-reader", "cat", "/shared/said").returncode == 0
               or volume_is_closed(podman), "the writer says nothing")
    assert podman.ok("exec", "kube-reader", "pwd") == "/tmp"
    assert "Read-only" in podman.refused("exec", "kube-reader", "touch", "/file")
    assert "Read-only" in podman.refused("exec", "kube-reader", "touch", "/shared/file")
    assert podman.ok("exec", "kube-writer", "grep", "CapBnd", "/proc/1/status").split()[1] == "0" * 16
    podman.ok("kube", "down", file)
    assert "kube" not in podman.ok("ps", "--all", "--format={{.Names}}")


def volume_is_closed(podman):
    """An emptyDir belongs to root: where podman does not open it, user 1000 cannot write."""
    return "ermission denied" in podman.run("logs", "kube-writer").stderr


CONTAINERFILE = f"""
FROM {IMAGE}
RUN echo $(id -u) > /built && mkdir /made
USER web
WORKDIR /made
RUN pwd > /tmp/where; id -un >> /tmp/where
ENV WORD=word
CMD cat /built /tmp/where && echo $WORD
"""


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_a_build_runs_its_commands_in_knarr(podman, program):
    needs_programs(program)
    context = podman.directory / f"context-{program}"
    context.mkdir()
    (context / "Containerfile").write_text(CONTAINERFILE)
    image = f"localhost/built-{program}:1"
    own = ["--isolation=oci", "--network=none", f"--tag={image}", context]
    if program == "podman":
        podman.ok("build", *own, timeout=120)
    else:
        done = podman.place.run(
            "env", f"CONTAINERS_CONF={podman.configuration}", "buildah", "--storage-driver=overlay",
            "--root", podman.directory / "storage", "--runroot", podman.directory / "run",
            "build", "--runtime", podman.knarr, *own, timeout=120)
        assert done.returncode == 0, done.stderr
    out = podman.ok("run", "--rm", "--network=none", image)
    assert out.split() == ["0", "/made", "web", "word"]


def test_a_build_fails_with_the_command_that_failed(podman):
    context = podman.directory / "context-failing"
    context.mkdir()
    (context / "Containerfile").write_text(f"FROM {IMAGE}\nRUN exit 9\n")
    message = podman.refused("build", "--isolation=oci", "--network=none", context)
    assert "exit status 9" in message, message
