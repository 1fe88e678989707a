"""What a tree of files is: everything that a tool that copies trees could get wrong, comparable."""

import hashlib
import os
import pathlib
import stat


def describe(path, *, content=True, times=True):
    """One entry, without following links."""
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    entry = {"kind": kind, "mode": stat.S_IMODE(info.st_mode), "owner": (info.st_uid, info.st_gid),
             "device": info.st_rdev}
    if times:
        entry["mtime"] = info.st_mtime_ns
    if stat.S_ISLNK(kind):
        entry["target"] = os.readlink(path)
    if stat.S_ISREG(kind):
        entry["size"] = info.st_size
        if content:
            with open(path, "rb") as file:
                entry["content"] = hashlib.file_digest(file, "sha256").hexdigest() \
                    if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()
    entry["xattrs"] = {name: os.getxattr(path, name, follow_symlinks=False)
                       for name in os.listxattr(path, follow_symlinks=False)
                       if not name.startswith("trusted.overlay.")}
    return entry


def snapshot(root, **how):
    """{path below root: what it is}; files with several names say which."""
    root = pathlib.Path(root)
    found, inodes = {}, {}
    places = [root]
    while places:
        place = places.pop()
        name = str(place.relative_to(root))
        found[name] = describe(place, **how)
        kind = found[name]["kind"]
        if stat.S_ISDIR(kind):
            places += [pathlib.Path(entry.path) for entry in os.scandir(place)]
        else:
            inodes.setdefault((os.lstat(place).st_dev, os.lstat(place).st_ino), []).append(name)
    for names in inodes.values():
        for name in names:
            found[name]["names"] = sorted(names)
    return found


def differences(one, other):
    """Lines that say what differs between two snapshots; empty: nothing."""
    lines = [f"only the first has {name}" for name in sorted(one.keys() - other.keys())]
    lines += [f"only the second has {name}" for name in sorted(other.keys() - one.keys())]
    for name in sorted(one.keys() & other.keys()):
        for key in sorted(one[name].keys() | other[name].keys()):
            if one[name].get(key) != other[name].get(key):
                lines.append(f"{name}: {key}: {one[name].get(key)!r} and {other[name].get(key)!r}")
    return lines
