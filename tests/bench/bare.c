// The least that starts a container: clone3 with five namespaces, the mounts of podman.json, masks,
// pivot_root, exec, wait. No configuration, no record, no error recovery. tools/bench compares
// runtimes with it: it is what the kernel alone costs.
//
// usage: bare BUNDLE CGROUP PROGRAM [ARG]...
//
// CGROUP "" makes none; else a cgroup of that name is made in every hierarchy, joined and removed.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"
enum { kMaxHierarchies = 32 };

static void check(long result, const char* what) {
    if (result < 0) {
        perror(what);
        _exit(125);
    }
}

static void copy_text(const char* from, const char* to) {
    char text[256];
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = open(to, O_WRONLY | O_CLOEXEC);
    check(in, from);
    check(out, to);
    const ssize_t got = read(in, text, sizeof text);
    check(got, from);
    check(write(out, text, (size_t)got), to);
    close(in);
    close(out);
}

static void mount_at(const char* type, const char* target, unsigned long flags, const char* data) {
    mkdir(target, 0755);
    check(mount(type, target, type, flags, data), target);
}

/// The hierarchies under /sys/fs/cgroup: those of v1, or v2 alone.
static size_t g_hierarchies;
static char g_names[kMaxHierarchies][256];

static void find_hierarchies(void) {
    if (access(CGROUPS "/cgroup.controllers", F_OK) == 0) {
        g_hierarchies = 1;  // its name is empty
        return;
    }
    DIR* host = opendir(CGROUPS);
    check(host ? 0 : -1, CGROUPS);
    const struct dirent* entry = NULL;
    while ((entry = readdir(host)) && g_hierarchies < kMaxHierarchies) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            snprintf(g_names[g_hierarchies++], sizeof g_names[0], "%s", entry->d_name);
        }
    }
    closedir(host);
}

static void for_each_cgroup(const char* cgroup, void (*act)(const char* path)) {
    char path[600];
    for (size_t i = 0; i < g_hierarchies; ++i) {
        snprintf(path, sizeof path, CGROUPS "/%s/%s", g_names[i], cgroup);
        act(path);
    }
}

static void make_cgroup(const char* path) {
    check(mkdir(path, 0755), path);
    char file[700];
    if (strncmp(path, CGROUPS "/cpuset/", strlen(CGROUPS "/cpuset/")) == 0) {
        // A v1 cpuset takes no process before it has CPUs and memory.
        snprintf(file, sizeof file, "%s/cpuset.cpus", path);
        copy_text(CGROUPS "/cpuset/cpuset.cpus", file);
        snprintf(file, sizeof file, "%s/cpuset.mems", path);
        copy_text(CGROUPS "/cpuset/cpuset.mems", file);
    }
}

static void join_cgroup(const char* path) {
    char file[700];
    snprintf(file, sizeof file, "%s/cgroup.procs", path);
    const int fd = open(file, O_WRONLY | O_CLOEXEC);
    check(fd, file);
    check(write(fd, "0", 1), file);
    close(fd);
}

static void remove_cgroup(const char* path) {
    check(rmdir(path), path);
}

/// As podman's configuration has it on v1: the container's own cgroups, bound read-only.
static void mount_cgroups(const char* cgroup) {
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
    const unsigned long readonly = flags | MS_BIND | MS_REMOUNT | MS_RDONLY;
    check(mount("tmpfs", "sys/fs/cgroup", "tmpfs", flags, "mode=755"), "sys/fs/cgroup");
    for (size_t i = 0; i < g_hierarchies; ++i) {
        char source[600];
        char target[300];
        snprintf(source, sizeof source, CGROUPS "/%s/%s", g_names[i], cgroup);
        snprintf(target, sizeof target, "sys/fs/cgroup/%s", g_names[i]);
        mkdir(target, 0755);
        check(mount(source, target, NULL, MS_BIND, NULL), source);
        check(mount(NULL, target, NULL, readonly, NULL), target);
    }
    check(mount(NULL, "sys/fs/cgroup", NULL, readonly, NULL), "sys/fs/cgroup read-only");
}

static void bind_file(const char* bundle, const char* name, const char* target) {
    char source[600];
    snprintf(source, sizeof source, "%s/%s", bundle, name);
    check(mount(source, target, NULL, MS_BIND | MS_REC, NULL), target);
    check(mount(NULL, target, NULL, MS_PRIVATE, NULL), target);
}

static void make_devices(void) {
    static const struct {
        const char* path;
        unsigned minor;
    } kDevices[] = {
        {"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8}, {"dev/urandom", 9}};
    for (size_t i = 0; i < sizeof kDevices / sizeof kDevices[0]; ++i) {
        check(mknod(kDevices[i].path, S_IFCHR | 0666, makedev(1, kDevices[i].minor)), "mknod");
    }
    check(mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)), "mknod dev/tty");
    check(symlink("pts/ptmx", "dev/ptmx"), "symlink dev/ptmx");
    check(symlink("/proc/self/fd", "dev/fd"), "symlink dev/fd");
}

static void mask_paths(void) {
    static const char* const kMasked[] = {"proc/acpi",
                                          "proc/kcore",
                                          "proc/keys",
                                          "proc/latency_stats",
                                          "proc/timer_list",
                                          "proc/timer_stats",
                                          "proc/sched_debug",
                                          "proc/scsi",
                                          "sys/firmware",
                                          "sys/fs/selinux",
                                          "sys/dev/block"};
    static const char* const kReadonly[] = {
        "proc/asound", "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    for (size_t i = 0; i < sizeof kMasked / sizeof kMasked[0]; ++i) {
        if (mount("dev/null", kMasked[i], NULL, MS_BIND, NULL) != 0 && errno == ENOTDIR) {
            check(mount("tmpfs", kMasked[i], "tmpfs", MS_RDONLY, NULL), kMasked[i]);
        }
    }
    for (size_t i = 0; i < sizeof kReadonly / sizeof kReadonly[0]; ++i) {
        if (mount(kReadonly[i], kReadonly[i], NULL, MS_BIND | MS_REC, NULL) == 0) {
            check(mount(NULL, kReadonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
                  kReadonly[i]);
        }
    }
}

static void become_container(const char* bundle, const char* cgroup, char** program) {
    if (*cgroup) {
        for_each_cgroup(cgroup, join_cgroup);
    }
    char rootfs[512];
    snprintf(rootfs, sizeof rootfs, "%s/rootfs", bundle);
    check(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "make / slave");
    check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    check(chdir(rootfs), rootfs);

    const unsigned long strict = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    mount_at("proc", "proc", strict, NULL);
    mount_at("tmpfs", "dev", MS_NOSUID | MS_NOEXEC | MS_STRICTATIME, "mode=755,size=65536k");
    mount_at("sysfs", "sys", strict | MS_RDONLY, NULL);
    mount_at(
        "devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
    mount_at("mqueue", "dev/mqueue", strict, NULL);
    mkdir("dev/shm", 0755);
    bind_file(bundle, "hosts", "etc/hosts");
    bind_file(bundle, "shm", "dev/shm");
    bind_file(bundle, "containerenv", "run/.containerenv");
    bind_file(bundle, "hostname", "etc/hostname");
    make_devices();
    mount_cgroups(cgroup);
    mask_paths();
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount old root");
    check(chdir("/"), "chdir /");
    check(sethostname("bare", 4), "sethostname");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    execv(program[0], program);
    check(-1, program[0]);
}

int main(int argc, char** argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: bare BUNDLE CGROUP PROGRAM [ARG]...\n");
        return 2;
    }
    const char* cgroup = argv[2];
    find_hierarchies();
    if (*cgroup) {
        for_each_cgroup(cgroup, make_cgroup);
    }
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    const long pid = syscall(SYS_clone3, &args, sizeof args);
    check(pid, "clone3");
    if (pid == 0) {
        become_container(argv[1], cgroup, argv + 3);
    }
    int status = 0;
    check(waitpid((pid_t)pid, &status, 0), "waitpid");
    if (*cgroup) {
        for_each_cgroup(cgroup, remove_cgroup);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
