#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "witness.h"

extern char** environ;

void put_value(const char* text, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f || c == '\\') {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }
    putchar('\n');
}

void report(const char* key, const char* value) {
    printf("%s=", key);
    put_value(value, strlen(value));
}

void report_number(const char* key, long long value) {
    printf("%s=%lld\n", key, value);
}

/// "key:path=ok" or "key:path=EACCES".
void report_outcome(const char* key, const char* path, int failed) {
    const char* name = failed ? strerrorname_np(errno) : "ok";
    printf("%s:%s=%s\n", key, path, name ? name : "unknown");
}

char* read_whole(const char* path, size_t* size) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    size_t room = 65536;
    char* text = malloc(room);
    *size = 0;
    ssize_t got = 0;
    while (text && (got = read(fd, text + *size, room - *size - 1)) > 0) {
        *size += (size_t)got;
        if (*size + 1 == room) {
            char* more = realloc(text, room *= 2);
            if (!more) {
                free(text);
            }
            text = more;
        }
    }
    const int saved = errno;
    close(fd);
    if (got < 0 || !text) {
        free(text);
        errno = saved;
        return NULL;
    }
    text[*size] = 0;
    return text;
}

/// One line "key.N=line" for each line of a file.
void report_lines(const char* key, const char* path) {
    size_t size = 0;
    char* text = read_whole(path, &size);
    if (!text) {
        report_outcome(key, path, 1);
        return;
    }
    int number = 0;
    for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        printf("%s.%d=", key, number++);
        put_value(line, strlen(line));
    }
    free(text);
}

void see_ids(const char* unused) {
    (void)unused;
    uid_t r = 0, e = 0, s = 0;
    getresuid(&r, &e, &s);
    printf("uid=%u\neuid=%u\nsuid=%u\n", r, e, s);
    getresgid(&r, &e, &s);
    printf("gid=%u\negid=%u\nsgid=%u\n", r, e, s);
    gid_t groups[256];
    const int count = getgroups(256, groups);
    printf("groups=");
    for (int i = 0; i < count; ++i) {
        printf(i ? " %u" : "%u", groups[i]);
    }
    printf("\n");
    const mode_t mask = umask(0);
    umask(mask);
    printf("umask=%04o\n", mask);
}

/// Asked of the kernel by prctl and capget, so that no procfs is needed.
void see_caps(const char* unused) {
    (void)unused;
    struct {
        unsigned version;
        int pid;
    } header = {0x20080522, 0};
    struct {
        unsigned effective, permitted, inheritable;
    } data[2] = {{0, 0, 0}, {0, 0, 0}};
    syscall(SYS_capget, &header, data);
    printf("cap_effective=%08x%08x\n", data[1].effective, data[0].effective);
    printf("cap_permitted=%08x%08x\n", data[1].permitted, data[0].permitted);
    printf("cap_inheritable=%08x%08x\n", data[1].inheritable, data[0].inheritable);
    unsigned long long bounding = 0, ambient = 0;
    for (int cap = 0; cap < 64; ++cap) {
        bounding |= prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 ? 1ULL << cap : 0;
        ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1 ? 1ULL << cap : 0;
    }
    printf("cap_bounding=%016llx\ncap_ambient=%016llx\n", bounding, ambient);
}

void see_security(const char* unused) {
    (void)unused;
    report_number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    size_t size = 0;
    char* status = read_whole("/proc/self/status", &size);
    const char* wanted[] = {"Seccomp:", "Seccomp_filters:"};
    const char* keys[] = {"seccomp", "seccomp_filters"};
    for (int i = 0; i < 2; ++i) {
        const char* at = status ? strstr(status, wanted[i]) : NULL;
        if (at) {
            report_number(keys[i], atoi(at + strlen(wanted[i])));
        } else {
            report(keys[i], "unknown");
        }
    }
    free(status);
    report_number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    report_lines("label", "/proc/self/attr/current");
}

void see_process(const char* unused) {
    (void)unused;
    report_number("pid", getpid());
    report_number("ppid", getppid());
    report_number("sid", getsid(0));
    report_number("pgid", getpgid(0));
    char cwd[4096];
    report("cwd", getcwd(cwd, sizeof cwd) ? cwd : strerrorname_np(errno));
    for (int i = 0; all_args[i]; ++i) {
        printf("arg.%d=", i);
        put_value(all_args[i], strlen(all_args[i]));
    }
    report_number("nice", getpriority(PRIO_PROCESS, 0));
    report_number("sched_policy", sched_getscheduler(0));
    report_number("ioprio", syscall(SYS_ioprio_get, 1, 0));
    report_number("personality", personality(0xffffffff));
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
        report_number("cpus", CPU_COUNT(&cpus));
    }
    size_t size = 0;
    char* oom = read_whole("/proc/self/oom_score_adj", &size);
    if (oom) {
        report_number("oom_score_adj", atoi(oom));
        free(oom);
    }
}

void see_env(const char* unused) {
    (void)unused;
    for (char** variable = environ; *variable; ++variable) {
        printf("env:");
        put_value(*variable, strlen(*variable));
    }
}

void see_host(const char* unused) {
    (void)unused;
    struct utsname names;
    uname(&names);
    report("hostname", names.nodename);
    report("domainname", names.domainname);
    report("machine", names.machine);
}

void see_rlimits(const char* unused) {
    (void)unused;
    static const char* const kNames[] = {"cpu",
                                         "fsize",
                                         "data",
                                         "stack",
                                         "core",
                                         "rss",
                                         "nproc",
                                         "nofile",
                                         "memlock",
                                         "as",
                                         "locks",
                                         "sigpending",
                                         "msgqueue",
                                         "nice",
                                         "rtprio",
                                         "rttime"};
    for (int i = 0; i < 16; ++i) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)i, &limit) == 0) {
            printf("rlimit.%s=%lld %lld\n",
                   kNames[i],
                   (long long)limit.rlim_cur,
                   (long long)limit.rlim_max);
        }
    }
}

void see_namespaces(const char* unused) {
    (void)unused;
    static const char* const kNames[] = {
        "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
    for (int i = 0; i < 8; ++i) {
        char path[64], target[128];
        snprintf(path, sizeof path, "/proc/self/ns/%s", kNames[i]);
        const ssize_t size = readlink(path, target, sizeof target - 1);
        target[size < 0 ? 0 : size] = 0;
        printf("ns.%s=%s\n", kNames[i], size < 0 ? strerrorname_np(errno) : target);
    }
}

/// Open descriptors by fcntl, so that the report opens none itself.
void see_fds(const char* unused) {
    (void)unused;
    for (int fd = 0; fd < 1024; ++fd) {
        if (fcntl(fd, F_GETFD) < 0) {
            continue;
        }
        char path[64], target[512];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        const ssize_t size = readlink(path, target, sizeof target - 1);
        target[size < 0 ? 0 : size] = 0;
        printf("fd.%d=", fd);
        put_value(size < 0 ? "open" : target, size < 0 ? 4 : (size_t)size);
    }
    report_number("tty", isatty(0) && isatty(1));
}

void see_mounts(const char* unused) {
    (void)unused;
    report_lines("mount", "/proc/self/mountinfo");
}

void see_cgroup(const char* unused) {
    (void)unused;
    report_lines("cgroup", "/proc/self/cgroup");
}

void see_terminal(const char* unused) {
    (void)unused;
    struct winsize size;
    struct termios mode;
    struct stat own, console;
    if (ioctl(0, TIOCGWINSZ, &size) != 0 || tcgetattr(0, &mode) != 0 || fstat(0, &own) != 0) {
        report_outcome("terminal", "0", 1);
        return;
    }
    report_number("rows", size.ws_row);
    report_number("columns", size.ws_col);
    report_number("onlcr", (mode.c_oflag & ONLCR) != 0);
    report_number("owner", own.st_uid);
    report_number("leader", tcgetsid(0) == getpid());
    report_number("foreground", tcgetpgrp(0) == getpgrp());
    report_number("same", isatty(1) && isatty(2));
    // Two paths to one terminal: both lead to a device of the same number.
    report_number("console",
                  stat("/dev/console", &console) == 0 && S_ISCHR(console.st_mode) &&
                      console.st_rdev == own.st_rdev);
}

void see_all(const char* unused) {
    see_ids(unused);
    see_caps(unused);
    see_security(unused);
    see_process(unused);
    see_env(unused);
    see_host(unused);
    see_rlimits(unused);
    see_namespaces(unused);
    see_fds(unused);
    see_cgroup(unused);
    see_mounts(unused);
}
