// syscall(2): what the C library has no function for; and mounts.

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

long close_range_of(unsigned first, unsigned last, unsigned flags) {
    SIM_ENTER("close_range", none, "{} {} {}", first, last, flags);
    for (auto at = self->files.lower_bound(static_cast<int>(first)); at != self->files.end();) {
        if (static_cast<unsigned>(at->first) > last) {
            break;
        }
        if ((flags & CLOSE_RANGE_CLOEXEC) != 0) {
            at->second.close_on_exec = true;
            ++at;
            continue;
        }
        File* file = at->second.file;
        at = self->files.erase(at);
        drop(file);
    }
    return end_call(0);
}

/// A file system that is not mounted yet, or a tree to be mounted elsewhere.
long new_mount(const char* name, Inode* root) {
    SIM_ENTER("fsopen", descriptors, "{}", name);
    File* file = new_file(FileKind::inode, O_PATH);
    file->inode = root;
    return end_call(install(file, true));
}

Inode* new_filesystem(std::string_view name) {
    Inode* root = new_inode(Kind::directory, S_IFDIR | 0755);
    if (name == "devpts") {
        root->filesystem = DEVPTS_SUPER_MAGIC;
        Inode* ptmx = new_inode(Kind::device, S_IFCHR | 0666);
        ptmx->device = kMultiplexer;
        add_entry(root, "ptmx", ptmx);
    }
    return root;
}

Inode* copy_of(const Inode& original) {
    Inode* copy = new_inode(original.kind, original.mode);
    copy->data = original.data;
    copy->device = original.device;
    for (const auto& [name, inode] : original.entries) {
        add_entry(copy, std::string(view(name)), copy_of(*inode));
    }
    return copy;
}

/// Options of a file system. An overlay is a copy of its highest layer.
long configure(const long* arguments) {
    constexpr long kSetString = 1;
    const char* key = arguments[1] == kSetString ? reinterpret_cast<const char*>(arguments[2]) : "";
    SIM_ENTER("fsconfig", none, "{} {} {}", arguments[0], arguments[1], key);
    File* file = file_of(static_cast<int>(arguments[0]));
    if (std::string_view(key) == "lowerdir+" && file->inode->entries.empty()) {
        Found found;
        const int failed = walk(AT_FDCWD, reinterpret_cast<const char*>(arguments[3]), 0, found);
        if (failed != 0 || found.inode == nullptr) {
            return end_call(failed != 0 ? failed : -ENOENT);
        }
        file->inode = copy_of(*found.inode);
    }
    return end_call(0);
}

long open_tree(int dir, const char* path, unsigned flags) {
    SIM_ENTER("open_tree", descriptors, "{} {} {:x}", dir, path, flags);
    Found found;
    const int failed = walk(dir, path, 0, found);
    if (failed != 0 || found.inode == nullptr) {
        return end_call(failed != 0 ? failed : -ENOENT);
    }
    File* file = new_file(FileKind::inode, O_PATH);
    file->inode = found.inode;
    return end_call(install(file, true));
}

long current_dir(char* to, std::size_t size) {
    SIM_ENTER("getcwd", none, "{}", size);
    const std::string path = path_of(*self, self->cwd);
    std::memcpy(to, path.c_str(), path.size() + 1);
    return end_call(static_cast<long>(path.size() + 1));
}

long pivot_root() {
    SIM_ENTER("pivot_root", none, "");
    self->root = self->cwd;
    return end_call(0);
}

long clone3(const clone_args& args) {
    return call_clone(
        args.flags,
        (args.flags & CLONE_PIDFD) != 0 ? reinterpret_cast<int*>(args.pidfd) : nullptr,
        static_cast<int>(args.exit_signal),
        (args.flags & CLONE_INTO_CGROUP) != 0 ? static_cast<int>(args.cgroup) : -1,
        (args.flags & CLONE_PARENT_SETTID) != 0 ? reinterpret_cast<pid_t*>(args.parent_tid)
                                                : nullptr);
}

long bpf(long command) {
    constexpr long kLoad = 5;
    SIM_ENTER("bpf", none, "{}", command);
    return end_call(command == kLoad ? install(new_file(FileKind::other, O_RDWR), true) : 0);
}

}  // namespace

long call_move_mount(const long* arguments) {
    SIM_ENTER("move_mount", none, "{} {}", arguments[0], arguments[2]);
    File* root = file_of(static_cast<int>(arguments[0]));
    File* place = file_of(static_cast<int>(arguments[2]));
    if (root == nullptr || place == nullptr || root->inode == nullptr || place->inode == nullptr) {
        return end_call(-EBADF);
    }
    mount_on(place->inode, root->inode);
    return end_call(0);
}

long call_by_number(long number, const long* a) {
    const auto text = [&](int i) { return reinterpret_cast<const char*>(a[i]); };
    switch (number) {
        case SYS_clone3:
            return clone3(*reinterpret_cast<const clone_args*>(a[0]));
        case SYS_execveat:
            return call_exec(static_cast<int>(a[0]),
                             text(1),
                             reinterpret_cast<char* const*>(a[2]),
                             static_cast<int>(a[4]));
        case SYS_openat2:
            return call_openat2(
                static_cast<int>(a[0]), text(1), *reinterpret_cast<const open_how*>(a[2]));
        case SYS_pidfd_open:
            return call_pidfd_open(static_cast<pid_t>(a[0]));
        case SYS_pidfd_send_signal:
            return call_pidfd_signal(static_cast<int>(a[0]), static_cast<int>(a[1]));
        case SYS_close_range:
            return close_range_of(static_cast<unsigned>(a[0]),
                                  static_cast<unsigned>(a[1]),
                                  static_cast<unsigned>(a[2]));
        case SYS_fsopen:
            return new_mount(text(0), new_filesystem(text(0)));
        case SYS_fsconfig:
            return configure(a);
        case SYS_fsmount:
            return new_mount("mount", file_of(static_cast<int>(a[0]))->inode);
        case SYS_open_tree:
            return open_tree(static_cast<int>(a[0]), text(1), static_cast<unsigned>(a[2]));
        case SYS_move_mount:
            return call_move_mount(a);
        case SYS_pivot_root:
            return pivot_root();
        case SYS_getcwd:
            return current_dir(reinterpret_cast<char*>(a[0]), static_cast<std::size_t>(a[1]));
        case SYS_bpf:
            return bpf(a[0]);
        // Rights, limits and attributes of mounts are not simulated.
        case SYS_mount_setattr:
        case SYS_keyctl:
        case SYS_capset:
        case SYS_capget:
        case SYS_setgroups:
        case SYS_setresgid:
        case SYS_setresuid:
        case SYS_prlimit64:
        case SYS_seccomp:
        case SYS_sched_setaffinity:
        case SYS_sched_setattr:
        case SYS_ioprio_set:
            return 0;
        default:
            not_simulated(fmt::format("system call {}", number).c_str());
    }
}

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

extern "C" long __real_syscall(long, ...);
extern "C" long __wrap_syscall(long number, ...) {
    va_list more;
    va_start(more, number);
    long arguments[6];
    for (long& one : arguments) {
        one = va_arg(more, long);
    }
    va_end(more);
    if (self == nullptr) {
        return __real_syscall(number,
                              arguments[0],
                              arguments[1],
                              arguments[2],
                              arguments[3],
                              arguments[4],
                              arguments[5]);
    }
    return call_by_number(number, arguments);
}

SIM_WRAP(int,
         mount,
         (const char* source,
          const char* target,
          const char* type,
          unsigned long flags,
          const void* data),
         (source, target, type, flags, data)) {
    SIM_ENTER("mount", none, "{} {:x}", target, flags);
    return end_call(0);
}
SIM_WRAP(int, umount2, (const char* target, int flags), (target, flags)) {
    SIM_ENTER("umount2", none, "{} {:x}", target, flags);
    return end_call(0);
}
SIM_WRAP(int,
         execve,
         (const char* path, char* const argv[], char* const env[]),
         (path, argv, env)) {
    return call_exec(AT_FDCWD, path, argv, 0);
}

// NOLINTEND(readability-identifier-naming)

long real_syscall(long number, long a, long b, long c, long d) {
    const long result = __real_syscall(number, a, b, c, d);
    return result < 0 ? -errno : result;
}

}  // namespace knarr::sim

// Asked for by the C++ library, too, which is not linked with --wrap.
extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
    using knarr::sim::world;
    if (knarr::sim::self == nullptr) {
        return static_cast<int>(
            knarr::sim::real_syscall(SYS_clock_gettime, clock, reinterpret_cast<long>(out)));
    }
    world->now += 1000;  // one that looks at the clock in a circle gets on
    const std::int64_t now = clock == CLOCK_REALTIME ? knarr::sim::wall_time() : world->now;
    out->tv_sec = now / 1'000'000'000;
    out->tv_nsec = now % 1'000'000'000;
    return 0;
}
