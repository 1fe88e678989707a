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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "witness.h"

extern char** environ;

void do_cat(const char* path) {
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

void do_can_read(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char byte = 0;
    const int failed = fd < 0 || (read(fd, &byte, 1) < 0 && errno != EISDIR);
    report_outcome("can-read", path, failed);
    if (fd >= 0) {
        close(fd);
    }
}

/// A directory is writable when a file can be made in it (and is taken away again).
void do_can_write(const char* path) {
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

void do_stat(const char* path) {
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

void do_statfs(const char* path) {
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

void do_list(const char* path) {
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

void do_write(const char* path) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const int failed = fd < 0 || write(fd, "witness\n", 8) != 8;
    report_outcome("write", path, failed);
    if (fd >= 0) {
        close(fd);
    }
}

void do_mkdir(const char* path) {
    report_outcome("mkdir", path, mkdir(path, 0755) != 0);
}

void do_mknod(const char* path) {
    report_outcome("mknod", path, mknod(path, S_IFCHR | 0600, makedev(1, 3)) != 0);
    unlink(path);
}

void do_chown(const char* path) {
    report_outcome("chown", path, chown(path, 1, 1) != 0);
}

void do_exec(const char* path) {
    fflush(NULL);
    char* args[] = {(char*)path, NULL};
    execve(path, args, environ);
    report_outcome("exec", path, 1);
}

/// Tries one privileged operation by name and reports its errno.
void do_try(const char* what) {
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

void do_out(const char* text) {
    printf("%s\n", text);
}

void do_err(const char* text) {
    fflush(stdout);
    fprintf(stderr, "%s\n", text);
}

void do_exit(const char* status) {
    exit(atoi(status));
}

void do_raise(const char* number) {
    fflush(NULL);
    signal(atoi(number), SIG_DFL);
    kill(getpid(), atoi(number));
}

void do_sleep(const char* seconds) {
    fflush(NULL);
    const double wanted = atof(seconds);
    struct timespec left = {(time_t)wanted, (long)((wanted - (double)(time_t)wanted) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/// Prints "ready=1", waits for any of the signals that can be caught, reports its number.
void do_wait_signal(const char* unused) {
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGCHLD);  // as PID 1 it adopts processes: their end is no signal sent to it
    sigprocmask(SIG_BLOCK, &all, NULL);
    report_number("ready", 1);
    fflush(NULL);
    int got = 0;
    sigwait(&all, &got);
    report_number("signal", got);
}

void do_ignore(const char* number) {
    signal(atoi(number), SIG_IGN);
}

void do_stdin(const char* unused) {
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

void do_bytes(const char* count) {
    for (long long i = 0, end = atoll(count); i < end; ++i) {
        if (putchar((int)('a' + i % 26)) == EOF) {
            exit(1);
        }
    }
}

void do_memory(const char* mib) {
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
void do_children(const char* count) {
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

void do_spin(const char* seconds) {
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

/// Leaves a child behind that no hang-up ends, with all that is open here.
void do_leave(const char* seconds) {
    fflush(NULL);
    if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) {
        signal(SIGHUP, SIG_IGN);
        setsid();
        do_sleep(seconds);
        _exit(0);
    }
}

/// The count where LISTEN_PID is our own pid, the names, and what each descriptor is.
void do_listen_fds(const char* unused) {
    (void)unused;
    const char* pid = getenv("LISTEN_PID");
    const char* count = getenv("LISTEN_FDS");
    const char* names = getenv("LISTEN_FDNAMES");
    const int mine = pid && count && atol(pid) == getpid();
    report_number("listen_fds", mine ? atol(count) : 0);
    report("listen_names", names ? names : "");
    for (int fd = 3; mine && fd < 3 + atoi(count); ++fd) {
        int listens = 0;
        socklen_t size = sizeof listens;
        const int failed = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0;
        printf("listens.%d=%d\n", fd, failed ? -1 : listens);
    }
}

void do_notify(const char* text) {
    const char* path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof address.sun_path) {
        report("notify", "no NOTIFY_SOCKET");
        return;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const ssize_t sent = sendto(
        fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr*)&address, sizeof address);
    report_outcome("notify", text, fd < 0 || sent < 0);
    if (fd >= 0) {
        close(fd);
    }
}
