"""What a container saw, as facts that do not depend on the moment, and how they differ."""

import re

HOST_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


def facts(report, place, container, host_namespaces):
    """The witness's lines as a dictionary. `place` is the bundle's path, `container` its ID."""
    found, mounts, variables, arguments = {}, [], [], []
    inner = place.rpartition("/")[2]  # as the root of a mount names it
    for line in report.splitlines():
        line = line.replace(container, "ID").replace(place, "BUNDLE").replace(f"/{inner}/", "/BUNDLE/")
        if line.startswith("mount."):
            mounts.append(line.partition("=")[2])
            continue
        if line.startswith("cgroup."):
            line = "cgroup:" + line.partition(":")[2].replace(":", "=", 1)
        if line.startswith(("env:", "arg.")):
            (variables if line.startswith("env:") else arguments).append(line[4:])
            continue
        key, _, value = line.partition("=")
        if key.startswith(("cat:", "stat:", "can-", "try:", "list:")) and key in found:
            key += "'"  # asked twice
        found[key] = stable(key, value, host_namespaces)
    found["environment in its order"] = "\n".join(variables)
    found["arguments in their order"] = "\n".join(arguments)
    add_mounts(mounts, found)
    return found


def stable(key, value, host_namespaces):
    if key.startswith("ns."):
        return "the host's" if value == host_namespaces[key[3:]] else "another"
    if key.startswith("fd."):
        return re.sub(r"^(pipe|socket):\[\d+\]$", r"\1", value)
    if key in ("pid", "ppid", "sid", "pgid", "status.NSpid"):
        numbers = [("small" if int(n) < 10 else "large") for n in value.split()]
        return " ".join(numbers) if key == "status.NSpid" else value if int(value) < 10 else "large"
    if key.startswith("stat:"):
        return re.sub(r"^(d \d+ \d+:\d+) \d+", r"\1", value)
    if key.endswith("devices.list"):
        return " | ".join(sorted(value.split("\\x0a")[:-1]))
    return value


def add_mounts(lines, found):
    """mountinfo(5) line by line: what depends on the order of all mounts of the machine goes."""
    seen = {}
    points = []
    for line in lines:
        fields = line.split()
        dash = fields.index("-")
        root, point, flags, shared = fields[3], fields[4], fields[5], fields[6:dash]
        fstype, source, options = fields[dash + 1], fields[dash + 2], fields[dash + 3:]
        seen[point] = seen.get(point, 0) + 1
        name = f"mount {point}" + ("" if seen[point] == 1 else f" ({seen[point]})")
        points.append(point)
        found[f"{name}: flags"] = ",".join(sorted(flags.split(",")))
        found[f"{name}: propagation"] = " ".join(sorted({tag.partition(":")[0] for tag in shared
                                                         if not tag.startswith("propagate_from")}))
        found[f"{name}: type"] = fstype
        found[f"{name}: source"] = source
        found[f"{name}: options"] = ",".join(sorted(" ".join(options).split(",")))
        found[f"{name}: root"] = root
    found["mount points"] = " ".join(sorted(points))


def differences(ours, peers):
    """(key, our value, {peer: its value}) for each fact in which we are like none of the peers."""
    keys = set(ours).union(*peers.values())
    for key in sorted(keys):
        values = {name: peer.get(key, "absent") for name, peer in peers.items()}
        mine = ours.get(key, "absent")
        if mine not in values.values():
            yield key, mine, values
