// The least that starts a container: clone3 with six namespaces, the seven usual mounts, masks,
// pivot_root, exec, wait. No configuration, no record, no cgroup of its own, no error recovery.
// tools/bench compares runtimes with it: it is what the kernel alone costs.
//
// usage: bare ROOTFS PROGRAM [ARG]...

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

static void check(long result, const char* what) {
    if (result < 0) {
        perror(what);
        _exit(125);
    }
}

static void mount_at(const char* type, const char* target, unsigned long flags, const char* data) {
    mkdir(target, 0755);
    check(mount(type, target, type, flags, data), target);
}

/// The v1 hierarchies that the host has under /sys/fs/cgroup, or the one of v2.
static void mount_cgroups(DIR* host) {
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
    if (faccessat(dirfd(host), "cgroup.controllers", F_OK, 0) == 0) {
        mount_at("cgroup2", "sys/fs/cgroup", flags, NULL);
        return;
    }
    mount_at("tmpfs", "sys/fs/cgroup", flags, "mode=755");
    const struct dirent* entry = NULL;
    while ((entry = readdir(host))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            strcmp(entry->d_name, "unified") == 0) {
            continue;
        }
        char target[512];
        snprintf(target, sizeof target, "sys/fs/cgroup/%s", entry->d_name);
        const int named = strcmp(entry->d_name, "systemd") == 0;
        mount_at("cgroup", target, flags, named ? "name=systemd" : entry->d_name);
    }
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
    static const char* const kFiles[] = {"proc/kcore", "proc/keys", "proc/timer_list"};
    static const char* const kDirectories[] = {"proc/acpi", "proc/scsi", "sys/firmware"};
    static const char* const kReadonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys"};
    for (size_t i = 0; i < 3; ++i) {
        if (mount("dev/null", kFiles[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT) {
            check(-1, kFiles[i]);
        }
    }
    for (size_t i = 0; i < 3; ++i) {
        if (mount("tmpfs", kDirectories[i], "tmpfs", MS_RDONLY, NULL) != 0 && errno != ENOENT) {
            check(-1, kDirectories[i]);
        }
    }
    for (size_t i = 0; i < 4; ++i) {
        if (mount(kReadonly[i], kReadonly[i], NULL, MS_BIND | MS_REC, NULL) == 0) {
            check(mount(NULL, kReadonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
                  kReadonly[i]);
        }
    }
}

static void become_container(const char* rootfs, char** program) {
    DIR* cgroups = opendir("/sys/fs/cgroup");
    check(cgroups ? 0 : -1, "/sys/fs/cgroup");
    check(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "make / slave");
    check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    check(chdir(rootfs), rootfs);

    const unsigned long strict = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    mount_at("proc", "proc", strict, NULL);
    mount_at("tmpfs", "dev", MS_NOSUID, "mode=755,size=65536k");
    mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    mount_at("tmpfs", "dev/shm", strict, "mode=1777,size=65536k");
    mount_at("mqueue", "dev/mqueue", strict, NULL);
    mount_at("sysfs", "sys", strict | MS_RDONLY, NULL);
    mount_cgroups(cgroups);
    make_devices();
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
    if (argc < 3) {
        fprintf(stderr, "usage: bare ROOTFS PROGRAM [ARG]...\n");
        return 2;
    }
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                 CLONE_NEWCGROUP,
        .exit_signal = SIGCHLD,
    };
    const long pid = syscall(SYS_clone3, &args, sizeof args);
    check(pid, "clone3");
    if (pid == 0) {
        become_container(argv[1], argv + 2);
    }
    int status = 0;
    check(waitpid((pid_t)pid, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
