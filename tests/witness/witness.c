// A small static program that is run inside containers and reports what it sees there.
//
//     witness WORD [VALUE] [WORD [VALUE]]...
//
// The words are done in their order; `witness help` lists them. Reports are lines "key=value" on
// stdout with backslash, newline and other control characters of a value as \xNN. A word that
// asks for something impossible reports the errno's name ("can-write:/x=EROFS"), it does not end
// the program; a word that is not known ends it with status 2. Without words it reports `all`.

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;
static char** all_args;

static void put_value(const char* text, size_t size) {
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

static void report(const char* key, const char* value) {
    printf("%s=", key);
    put_value(value, strlen(value));
}

static void report_number(const char* key, long long value) {
    printf("%s=%lld\n", key, value);
}

/// "key:path=ok" or "key:path=EACCES".
static void report_outcome(const char* key, const char* path, int failed) {
    const char* name = failed ? strerrorname_np(errno) : "ok";
    printf("%s:%s=%s\n", key, path, name ? name : "unknown");
}

static char* read_whole(const char* path, size_t* size) {
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
static void report_lines(const char* key, const char* path) {
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

static void see_ids(const char* unused) {
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
static void see_caps(const char* unused) {
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

static void see_security(const char* unused) {
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

static void see_process(const char* unused) {
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

static void see_env(const char* unused) {
    (void)unused;
    for (char** variable = environ; *variable; ++variable) {
        printf("env:");
        put_value(*variable, strlen(*variable));
    }
}

static void see_host(const char* unused) {
    (void)unused;
    struct utsname names;
    uname(&names);
    report("hostname", names.nodename);
    report("domainname", names.domainname);
    report("machine", names.machine);
}

static void see_rlimits(const char* unused) {
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

static void see_namespaces(const char* unused) {
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
static void see_fds(const char* unused) {
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

static void see_mounts(const char* unused) {
    (void)unused;
    report_lines("mount", "/proc/self/mountinfo");
}

static void see_cgroup(const char* unused) {
    (void)unused;
    report_lines("cgroup", "/proc/self/cgroup");
}

static void see_all(const char* unused) {
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

static void do_cat(const char* path) {
    size_t size = 0;
    char* text = read_whole(path, &size);
    if (!text) {
        report_outcome("cat", path, 1);
        return;
    }
    printf("cat:%s=", path);
    put_value(text, size);
    free(text);
}

static void do_can_read(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char byte = 0;
    const int failed = fd < 0 || (read(fd, &byte, 1) < 0 && errno != EISDIR);
    report_outcome("can-read", path, failed);
    if (fd >= 0) {
        close(fd);
    }
}

/// A directory is writable when a file can be made in it (and is taken away again).
static void do_can_write(const char* path) {
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        char inside[4096];
        snprintf(inside, sizeof inside, "%s/.witness-%d", path, getpid());
        const int fd = open(inside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        report_outcome("can-write", path, fd < 0);
        if (fd >= 0) {
            close(fd);
            unlink(inside);
        }
        return;
    }
    const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    report_outcome("can-write", path, fd < 0);
    if (fd >= 0) {
        close(fd);
    }
}

static void do_stat(const char* path) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        report_outcome("stat", path, 1);
        return;
    }
    static const char kKinds[] = "?pc?d?b?-?l?s???";
    printf("stat:%s=%c %04o %u:%u %lld",
           path,
           kKinds[(info.st_mode >> 12) & 15],
           info.st_mode & 07777,
           info.st_uid,
           info.st_gid,
           (long long)info.st_size);
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
        printf(" %u:%u", major(info.st_rdev), minor(info.st_rdev));
    }
    if (S_ISLNK(info.st_mode)) {
        char target[4096];
        const ssize_t size = readlink(path, target, sizeof target);
        printf(" -> ");
        put_value(target, size < 0 ? 0 : (size_t)size);
        return;
    }
    printf("\n");
}

static void do_statfs(const char* path) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        report_outcome("statfs", path, 1);
        return;
    }
    printf("statfs:%s=%llu %s\n",
           path,
           (unsigned long long)info.f_blocks * info.f_frsize,
           info.f_flag & ST_RDONLY ? "ro" : "rw");
}

static int compare_names(const void* a, const void* b) {
    return strcmp(*(char* const*)a, *(char* const*)b);
}

static void do_list(const char* path) {
    DIR* dir = opendir(path);
    if (!dir) {
        report_outcome("list", path, 1);
        return;
    }
    char* names[1024];
    size_t count = 0;
    const struct dirent* entry = NULL;
    while (count < 1024 && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            names[count++] = strdup(entry->d_name);
        }
    }
    closedir(dir);
    qsort((void*)names, count, sizeof names[0], compare_names);
    printf("list:%s=", path);
    for (size_t i = 0; i < count; ++i) {
        printf(i ? " %s" : "%s", names[i]);
        free(names[i]);
    }
    printf("\n");
}

static void do_write(const char* path) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const int failed = fd < 0 || write(fd, "witness\n", 8) != 8;
    report_outcome("write", path, failed);
    if (fd >= 0) {
        close(fd);
    }
}

static void do_mkdir(const char* path) {
    report_outcome("mkdir", path, mkdir(path, 0755) != 0);
}

static void do_mknod(const char* path) {
    report_outcome("mknod", path, mknod(path, S_IFCHR | 0600, makedev(1, 3)) != 0);
    unlink(path);
}

static void do_chown(const char* path) {
    report_outcome("chown", path, chown(path, 1, 1) != 0);
}

static void do_exec(const char* path) {
    fflush(NULL);
    char* args[] = {(char*)path, NULL};
    execve(path, args, environ);
    report_outcome("exec", path, 1);
}

/// Tries one privileged operation by name and reports its errno.
static void do_try(const char* what) {
    int failed = 0;
    if (strcmp(what, "mount") == 0) {
        failed = mount("none", "/", "tmpfs", 0, NULL) != 0;
    } else if (strcmp(what, "unshare-user") == 0) {
        failed = unshare(CLONE_NEWUSER) != 0;
    } else if (strcmp(what, "unshare-mount") == 0) {
        failed = unshare(CLONE_NEWNS) != 0;
    } else if (strcmp(what, "sethostname") == 0) {
        failed = sethostname("witness", 7) != 0;
    } else if (strcmp(what, "setuid") == 0) {
        failed = setuid(0) != 0;
    } else if (strcmp(what, "chroot") == 0) {
        failed = chroot("/") != 0;
    } else if (strcmp(what, "keyctl") == 0) {
        failed = syscall(SYS_keyctl, 0, -3, 0) < 0;
    } else if (strcmp(what, "af-alg") == 0) {
        const int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        failed = fd < 0;
        if (fd >= 0) {
            close(fd);
        }
    } else if (strcmp(what, "af-vsock") == 0) {
        const int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
        failed = fd < 0;
        if (fd >= 0) {
            close(fd);
        }
    } else if (strcmp(what, "settime") == 0) {
        const struct timespec never = {-1, 0};  // EINVAL where it is allowed: the clock stays
        failed = clock_settime(CLOCK_REALTIME, &never) != 0;
    } else if (strcmp(what, "reboot") == 0) {
        failed = syscall(SYS_reboot, 0, 0, 0, NULL) != 0;  // bad magic: EINVAL where allowed
    } else if (isdigit((unsigned char)what[0])) {
        failed = syscall(atol(what), 0, 0, 0, 0, 0, 0) < 0;
    } else {
        errno = ENOTSUP;
        failed = 1;
    }
    report_outcome("try", what, failed);
}

static void do_out(const char* text) {
    printf("%s\n", text);
}

static void do_err(const char* text) {
    fflush(stdout);
    fprintf(stderr, "%s\n", text);
}

static void do_exit(const char* status) {
    exit(atoi(status));
}

static void do_raise(const char* number) {
    fflush(NULL);
    signal(atoi(number), SIG_DFL);
    kill(getpid(), atoi(number));
}

static void do_sleep(const char* seconds) {
    fflush(NULL);
    const double wanted = atof(seconds);
    struct timespec left = {(time_t)wanted, (long)((wanted - (double)(time_t)wanted) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/// Prints "ready=1", waits for any of the signals that can be caught, reports its number.
static void do_wait_signal(const char* unused) {
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    report_number("ready", 1);
    fflush(NULL);
    int got = 0;
    sigwait(&all, &got);
    report_number("signal", got);
}

static void do_ignore(const char* number) {
    signal(atoi(number), SIG_IGN);
}

static void do_stdin(const char* unused) {
    (void)unused;
    fflush(NULL);
    char buffer[65536];
    ssize_t got = 0;
    while ((got = read(0, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0; done < got;) {
            const ssize_t put = write(1, buffer + done, (size_t)(got - done));
            if (put < 0) {
                exit(3);
            }
            done += put;
        }
    }
}

static void do_bytes(const char* count) {
    for (long long i = 0, end = atoll(count); i < end; ++i) {
        putchar((int)('a' + i % 26));
    }
}

static void do_memory(const char* mib) {
    const size_t size = (size_t)atol(mib) << 20;
    char* block = malloc(size);
    for (size_t i = 0; block && i < size; i += 4096) {
        ((volatile char*)block)[i] = 1;
    }
    report_outcome("memory", mib, block == NULL);
    // Kept until the end: the test looks at it from outside.
    static char* kept;
    kept = block;
    (void)kept;
}

/// Makes N children that wait until the end, and reports how many the limits let through.
static void do_children(const char* count) {
    fflush(NULL);
    long made = 0;
    const long wanted = atol(count);
    for (; made < wanted; ++made) {
        const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid < 0) {
            break;
        }
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            pause();
            _exit(0);
        }
    }
    report_number("children", made);
    if (made < wanted) {
        report("children_error", strerrorname_np(errno));
    }
}

static void do_spin(const char* seconds) {
    fflush(NULL);
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    double passed = 0;
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
    } while (passed < atof(seconds));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    report_number("cpu_ms", now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void do_help(const char* unused);

static const struct {
    const char* word;
    int values;
    void (*act)(const char* value);
    const char* help;
} kWords[] = {
    {"all", 0, see_all, "everything from ids to mounts"},
    {"ids", 0, see_ids, "uid euid suid gid egid sgid groups umask"},
    {"caps", 0, see_caps, "the five capability sets in hexadecimal"},
    {"security", 0, see_security, "no_new_privs seccomp seccomp_filters dumpable label"},
    {"process", 0, see_process, "pid ppid sid pgid cwd arg.N nice sched_policy ioprio cpus ..."},
    {"env", 0, see_env, "env:NAME=VALUE"},
    {"host", 0, see_host, "hostname domainname machine"},
    {"rlimits", 0, see_rlimits, "rlimit.NAME=SOFT HARD (-1: unlimited)"},
    {"namespaces", 0, see_namespaces, "ns.NAME=NAME:[INODE]"},
    {"fds", 0, see_fds, "fd.N=TARGET, tty"},
    {"cgroup", 0, see_cgroup, "cgroup.N=LINE of /proc/self/cgroup"},
    {"mounts", 0, see_mounts, "mount.N=LINE of /proc/self/mountinfo"},
    {"cat", 1, do_cat, "PATH: cat:PATH=CONTENT"},
    {"can-read", 1, do_can_read, "PATH: ok or errno"},
    {"can-write", 1, do_can_write, "PATH (file or directory): ok or errno"},
    {"stat", 1, do_stat, "PATH: KIND MODE UID:GID SIZE [MAJOR:MINOR] [-> TARGET]"},
    {"statfs", 1, do_statfs, "PATH: BYTES ro|rw"},
    {"list", 1, do_list, "PATH: sorted names"},
    {"write", 1, do_write, "PATH: makes a file"},
    {"mkdir", 1, do_mkdir, "PATH"},
    {"mknod", 1, do_mknod, "PATH: a null device, removed again"},
    {"chown", 1, do_chown, "PATH: to 1:1"},
    {"exec", 1, do_exec, "PATH: becomes that program"},
    {"try",
     1,
     do_try,
     "mount unshare-user unshare-mount sethostname setuid chroot keyctl af-alg af-vsock settime "
     "reboot or a system call number: ok or errno"},
    {"out", 1, do_out, "TEXT to stdout"},
    {"err", 1, do_err, "TEXT to stderr"},
    {"exit", 1, do_exit, "STATUS"},
    {"raise", 1, do_raise, "SIGNAL to itself"},
    {"sleep", 1, do_sleep, "SECONDS"},
    {"wait-signal", 0, do_wait_signal, "ready=1, then signal=N when one comes"},
    {"ignore", 1, do_ignore, "SIGNAL"},
    {"stdin", 0, do_stdin, "copies stdin to stdout until its end"},
    {"bytes", 1, do_bytes, "N letters to stdout"},
    {"memory", 1, do_memory, "MIB touched"},
    {"children", 1, do_children, "N that wait until the end"},
    {"spin", 1, do_spin, "SECONDS of work, reports cpu_ms"},
    {"help", 0, do_help, "this list"},
};

static void do_help(const char* unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof kWords / sizeof kWords[0]; ++i) {
        printf("%-12s %s\n", kWords[i].word, kWords[i].help);
    }
}

int main(int argc, char** argv) {
    all_args = argv;
    if (argc < 2) {
        see_all(NULL);
    }
    for (int i = 1; i < argc; ++i) {
        size_t at = 0;
        const size_t count = sizeof kWords / sizeof kWords[0];
        while (at < count && strcmp(kWords[at].word, argv[i]) != 0) {
            ++at;
        }
        if (at == count || i + kWords[at].values >= argc) {
            fprintf(stderr, "witness: bad word or missing value: %s\n", argv[i]);
            return 2;
        }
        kWords[at].act(kWords[at].values ? argv[++i] : NULL);
    }
    return fflush(stdout) == 0 ? 0 : 3;
}
