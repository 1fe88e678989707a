// The tree of files, and how paths are followed in it.

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>

#include "core/text.h"
#include "sim/world.h"

namespace knarr::sim {

namespace {

constexpr int kMaxLinks = 40;

std::vector<std::string> parts_of(std::string_view path) {
    std::vector<std::string> parts;
    for (const std::string_view part : split(path, '/')) {
        if (!part.empty()) {
            parts.emplace_back(part);
        }
    }
    return parts;
}

/// One walk: the parts that are left, newest first.
struct Walker {
    Inode* root;
    Inode* start;
    unsigned flags;
    std::vector<std::string> left = {};
    int links = 0;

    void push(std::string_view path) {
        std::vector<std::string> parts = parts_of(path);
        left.insert(left.end(), parts.rbegin(), parts.rend());
    }

    /// What procfs makes up; `at` becomes where the path goes on.
    int in_proc(Inode*& at, Found& found);
    int run(Found& found);
};

int proc_descriptor(Process& of, std::string_view number, bool last, unsigned flags, Found& found) {
    const auto fd = parse_number(number, INT32_MAX);
    const auto entry = fd ? of.files.find(static_cast<int>(*fd)) : of.files.end();
    if (entry == of.files.end()) {
        return -ENOENT;
    }
    File* file = entry->second.file;
    if (last && (flags & kNoFollow) != 0) {
        found.link = file->inode != nullptr ? path_of(of, file->inode) : "anon_inode:[sim]";
        found.inode = new_inode(Kind::link, S_IFLNK | 0700);
        return 0;
    }
    found.inode = file->inode;
    found.reopened = file;
    return file->inode != nullptr ? 0 : -ENXIO;
}

/// The directory of them, as links that are not followed.
Inode* descriptors_of(Process& of) {
    Inode* dir = new_inode(Kind::directory, S_IFDIR | 0500);
    for (const auto& [number, entry] : of.files) {
        Inode* link = new_inode(Kind::link, S_IFLNK | 0700);
        const File* file = entry.file;
        link->data = file->inode != nullptr ? path_of(of, file->inode) : "pipe:[1]";
        add_entry(dir, fmt::format("{}", number), link);
    }
    return dir;
}

int made_up(const std::string& text, Found& found) {
    found.inode = new_inode(Kind::regular, S_IFREG | 0444);
    found.inode->data = text;
    found.inode->filesystem = PROC_SUPER_MAGIC;
    return 0;
}

int Walker::in_proc(Inode*& at, Found& found) {
    const auto next = [&] {
        std::string part = std::move(left.back());
        left.pop_back();
        return part;
    };
    const std::string first = next();
    Process* of = self;
    if (first != "self" && first != "thread-self") {
        const auto pid = parse_number(first, INT32_MAX);
        of = pid ? find_process(static_cast<pid_t>(*pid)) : nullptr;
        if (of == nullptr && pid) {
            return -ENOENT;
        }
    } else if (left.empty() && (flags & kNoFollow) != 0) {
        found.link = fmt::format("{}", self->own_pid);
        found.inode = new_inode(Kind::link, S_IFLNK | 0777);
        return 0;
    }
    if (of == nullptr) {
        std::string file = first;
        while (!left.empty()) {
            file += "/" + next();
        }
        bool known = false;
        const std::string text = system_text(file, known);
        return known ? made_up(text, found) : -ENOENT;
    }
    if (left.empty()) {
        found.inode = new_inode(Kind::directory, S_IFDIR | 0555);
        return 0;
    }
    std::string name = next();
    if (name == "fd" && left.empty()) {
        found.inode = descriptors_of(*of);
        return 0;
    }
    if (name == "fd") {
        const std::string number = next();
        const int failed = proc_descriptor(*of, number, left.empty(), flags, found);
        at = found.inode;
        return failed;
    }
    if (name == "exe" || name == "root" || name == "cwd") {
        Inode* target = name == "exe" ? of->exe : name == "root" ? of->root : of->cwd;
        if ((flags & kNoFollow) != 0 && left.empty()) {
            found.link = path_of(*of, target);
        }
        found.inode = target;
        at = target;
        return target != nullptr ? 0 : -ENOENT;
    }
    while (!left.empty()) {
        name += "/" + next();
    }
    bool known = false;
    const std::string text = proc_text(*of, name, known);
    return known ? made_up(text, found) : -ENOENT;
}

int Walker::run(Found& found) {
    Inode* at = start;
    found.inode = at;
    while (!left.empty()) {
        if (at->kind == Kind::proc) {
            const int failed = in_proc(at, found);
            if (failed != 0 || left.empty()) {
                return failed;
            }
            continue;
        }
        if (at->kind != Kind::directory) {
            return -ENOTDIR;
        }
        const std::string part = std::move(left.back());
        left.pop_back();
        found.name.clear();
        if (part == "." || part == "..") {
            const bool top = at == root || ((flags & kInRoot) != 0 && at == start);
            if (part == ".." && (flags & kBeneath) != 0 && at == start) {
                return -EXDEV;
            }
            at = part == "." || top || at->parent == nullptr ? at : at->parent;
            found.inode = at;
            continue;
        }
        found.dir = at;
        found.name = part;
        const auto entry = at->entries.find(std::string_view(part));
        found.inode = entry == at->entries.end() ? nullptr : mounted_on(entry->second);
        if (found.inode == nullptr) {
            return left.empty() ? 0 : -ENOENT;
        }
        if (found.inode->kind == Kind::link && !(left.empty() && (flags & kNoFollow) != 0)) {
            if ((flags & kNoLinks) != 0 || ++links > kMaxLinks) {
                return -ELOOP;
            }
            const std::string target(view(found.inode->data));
            push(target);
            if (target.starts_with('/')) {
                if ((flags & kBeneath) != 0) {
                    return -EXDEV;
                }
                at = (flags & kInRoot) != 0 ? start : root;
            }
            found.inode = at;
            found.name.clear();
            continue;
        }
        at = found.inode;
    }
    return 0;
}

}  // namespace

int walk(int dir, std::string_view path, unsigned flags, Found& found) {
    Inode* start = self->cwd;
    const bool absolute = path.starts_with('/') && (flags & kInRoot) == 0;
    if (absolute) {
        if ((flags & kBeneath) != 0) {
            return -EXDEV;
        }
        start = self->root;
    } else if (dir != AT_FDCWD) {
        File* file = file_of(dir);
        if (file == nullptr) {
            return -EBADF;
        }
        start = file->inode;
        if (start == nullptr) {
            return -ENOTDIR;
        }
        if (path.empty()) {
            found.reopened = file;
        }
    }
    Walker walker{.root = self->root, .start = start, .flags = flags};
    walker.push(path);
    return walker.run(found);
}

Inode* new_inode(Kind kind, mode_t mode) {
    auto* inode = make<Inode>();
    inode->kind = kind;
    inode->number = ++world->last_inode;
    inode->mode = mode;
    inode->changed = world->now;
    inode->filesystem = EXT4_SUPER_MAGIC;
    return inode;
}

int add_entry(Inode* dir, const std::string& name, Inode* inode) {
    if (dir->links == 0) {
        return -ENOENT;  // it was removed
    }
    dir->entries[Text(name)] = inode;
    dir->changed = world->now;
    if (inode->kind == Kind::directory || inode->parent == nullptr) {
        inode->parent = dir;
        inode->name = name;
    }
    tell_watchers(dir);
    return 0;
}

int make_entry(Inode* dir, const std::string& name, Inode* inode) {
    return world->disk_full ? -ENOSPC : add_entry(dir, name, inode);
}

void sync_inode(Inode& inode) {
    inode.synced = true;
    inode.synced_data = inode.data;
    inode.synced_entries = inode.entries;
}

void sync_tree(Inode& inode) {
    sync_inode(inode);
    for (const auto& [name, entry] : inode.entries) {
        sync_tree(*entry);
    }
}

void lose_unsynced(Inode& inode) {
    inode.data = inode.synced ? inode.synced_data : Text();
    inode.entries = inode.synced ? inode.synced_entries : Map<Text, Inode*>();
    for (const auto& [name, entry] : inode.entries) {
        entry->links = std::max(entry->links, 1);
        entry->parent = &inode;
        entry->name = name;
        lose_unsynced(*entry);
    }
}

void remove_entry(Inode* dir, std::string_view name) {
    const auto entry = dir->entries.find(name);
    if (entry != dir->entries.end()) {
        if (entry->second->kind == Kind::directory) {
            entry->second->links = 0;
            tell_watchers(entry->second);
        } else {
            --entry->second->links;
        }
        dir->entries.erase(entry);
        dir->changed = world->now;
        tell_watchers(dir);
    }
}

std::string path_of(const Process& process, const Inode* inode) {
    std::string path;
    const std::string_view gone = inode->links == 0 ? " (deleted)" : "";
    for (const Inode* at = inode; at != nullptr && at != process.root && at->parent != nullptr;
         at = at->parent) {
        path = "/" + std::string(view(at->name)) + path;
    }
    return (path.empty() ? "/" : path) + std::string(gone);
}

Inode* mounted_on(Inode* inode) {
    const auto& mounts = self != nullptr ? self->mounts->mounts : world->host_mounts->mounts;
    for (auto found = mounts.find(inode->number); found != mounts.end() && found->second != inode;
         found = mounts.find(inode->number)) {
        inode = found->second;
    }
    return inode;
}

void mount_on(Inode* place, Inode* root) {
    if (place == root) {
        return;  // a directory bound to itself
    }
    self->mounts->mounts[place->number] = root;
    if (root->parent == nullptr) {
        root->parent = place->parent;
        root->name = place->name;
    }
}

void tell_watchers(Inode* dir) {
    for (File* watcher : dir->watchers) {
        ++watcher->count;
        wake(watcher);
    }
}

Inode* make_path(std::string_view path, Kind kind, std::string_view text) {
    Inode* at = world->root;
    const std::vector<std::string> parts = parts_of(path);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto entry = at->entries.find(std::string_view(parts[i]));
        if (entry != at->entries.end()) {
            at = entry->second;
            continue;
        }
        const bool last = i + 1 == parts.size();
        Inode* made = last ? new_inode(kind,
                                       kind == Kind::directory ? S_IFDIR | 0755U
                                       : kind == Kind::device  ? S_IFCHR | 0666U
                                                               : S_IFREG | 0755U)
                           : new_inode(Kind::directory, S_IFDIR | 0755);
        add_entry(at, parts[i], made);
        at = made;
    }
    at->data = text;
    return at;
}

void make_tree() {
    world->root = new_inode(Kind::directory, S_IFDIR | 0755);
    make_path("/proc", Kind::proc, "")->mode = S_IFDIR | 0555;
    make_path("/proc", Kind::proc, "")->filesystem = PROC_SUPER_MAGIC;
    make_path("/dev/null", Kind::device, "")->device = makedev(1, 3);
    make_path("/dev/zero", Kind::device, "")->device = makedev(1, 5);
    Inode* cgroups = make_path("/sys/fs/cgroup", Kind::directory, "");
    cgroups->filesystem = CGROUP2_SUPER_MAGIC;
    make_path("/dev/pts", Kind::directory, "");
    make_path("/run", Kind::directory, "");
    make_path("/tmp", Kind::directory, "");
}

}  // namespace knarr::sim
