// Runs a command and makes calls fail that write to one file system, in whatever of its processes
// they are made: as a disk that breaks or fills at that moment.
//
// usage: fail_write DIR ERRNO FIRST LAST REPORT COMMAND...
//   Calls are counted from 1; those from FIRST to LAST fail with ERRNO. DIR is any directory of the
//   file system, which is told by its device number, so it must be mounted for this alone. REPORT
//   gets a line for each call: its name, and "failed" where it was made to. Removing is not
//   counted: what fails must be able to clean up. Ends as the command does.

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { creates = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY) };

// Which argument is the descriptor that is written to, or the directory in which a name is made,
// and then which one is the name.
static const struct call {
    const char* name;
    int number, fd, path;
} calls[] = {
    {"write", SYS_write, 0, -1},         {"writev", SYS_writev, 0, -1},
    {"pwrite64", SYS_pwrite64, 0, -1},   {"pwritev2", SYS_pwritev2, 0, -1},
    {"sendfile", SYS_sendfile, 0, -1},   {"copy_file_range", SYS_copy_file_range, 2, -1},
    {"splice", SYS_splice, 2, -1},       {"ftruncate", SYS_ftruncate, 0, -1},
    {"fallocate", SYS_fallocate, 0, -1}, {"fsync", SYS_fsync, 0, -1},
    {"fdatasync", SYS_fdatasync, 0, -1}, {"syncfs", SYS_syncfs, 0, -1},
    {"fchmod", SYS_fchmod, 0, -1},       {"fchown", SYS_fchown, 0, -1},
    {"fsetxattr", SYS_fsetxattr, 0, -1}, {"openat", SYS_openat, 0, 1},
    {"openat2", SYS_openat2, 0, 1},      {"mkdirat", SYS_mkdirat, 0, 1},
    {"mknodat", SYS_mknodat, 0, 1},      {"symlinkat", SYS_symlinkat, 1, 2},
    {"linkat", SYS_linkat, 2, 3},        {"renameat2", SYS_renameat2, 2, 3},
    {"renameat", SYS_renameat, 2, 3},    {"fchownat", SYS_fchownat, 0, 1},
    {"fchmodat", SYS_fchmodat, 0, 1},    {"utimensat", SYS_utimensat, 0, 1},
};
enum { count_of_calls = sizeof calls / sizeof calls[0] };

static void die(const char* what) {
    perror(what);
    _exit(99);
}

/// Has the calls of the table told to a listener; its descriptor.
static int install(void) {
    struct sock_filter program[2 * count_of_calls + 6];
    int at = 0;
    program[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < count_of_calls; ++i) {
        // To the last statement but one.
        program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                     (unsigned)calls[i].number,
                                                     (unsigned char)(count_of_calls - i),
                                                     0);
    }
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog all = {(unsigned short)at, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        die("no_new_privs");
    }
    return (int)syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &all);
}

static int read_memory(pid_t pid, unsigned long long from, void* to, size_t size) {
    struct iovec here = {to, size}, there = {(void*)(size_t)from, size};  // NOLINT
    return process_vm_readv(pid, &here, 1, &there, 1, 0) > 0;
}

/// Whether the call concerns the file system `device`, whose directory `dir` is.
static int is_ours(const struct seccomp_notif* what,
                   const struct call* call,
                   dev_t device,
                   const char* dir) {
    const pid_t pid = (pid_t)what->pid;
    const unsigned long long* args = what->data.args;
    if (call->number == SYS_openat && (args[2] & creates) == 0) {
        return 0;
    }
    if (call->number == SYS_openat2) {
        struct open_how how = {0};
        if (!read_memory(pid, args[2], &how, sizeof how) || (how.flags & creates) == 0) {
            return 0;
        }
    }
    char path[4096] = "";
    if (call->path >= 0 && args[call->path] != 0) {
        // Less than asked for where the memory ends.
        read_memory(pid, args[call->path], path, sizeof path - 1);
    }
    if (path[0] == '/') {
        return strncmp(path, dir, strlen(dir)) == 0;
    }
    char link[64];
    const int fd = (int)args[call->fd];
    if (fd == AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/%d/cwd", pid);
    } else {
        snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
    }
    struct stat found;
    return stat(link, &found) == 0 && found.st_dev == device &&
           (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
}

static const struct call* call_of(int number) {
    for (int i = 0; i < count_of_calls; ++i) {
        if (calls[i].number == number) {
            return &calls[i];
        }
    }
    return NULL;
}

static int receive(int socket) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    int fd = -1;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != NULL) {
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    }
    return fd;
}

static void hand_over(int socket, int fd) {
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (sendmsg(socket, &message, 0) != 1) {
        die("sendmsg");
    }
}

int main(int argc, char** argv) {
    struct stat directory;
    if (argc < 7 || stat(argv[1], &directory) != 0) {
        fprintf(stderr, "usage: fail_write DIR ERRNO FIRST LAST REPORT COMMAND...\n");
        return 99;
    }
    const int error = atoi(argv[2]);
    const long first = atol(argv[3]), last = atol(argv[4]);
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        die("socketpair");
    }
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        const int listener = install();
        if (listener < 0) {
            die("seccomp");
        }
        hand_over(sockets[1], listener);
        close(listener);
        execv(argv[6], argv + 6);
        die("exec");
    }
    close(sockets[1]);
    const int listener = receive(sockets[0]);
    FILE* report = fopen(argv[5], "we");
    if (listener < 0 || report == NULL) {
        die("listen");
    }
    long seen = 0;
    for (;;) {
        struct pollfd news = {listener, POLLIN, 0};
        if (poll(&news, 1, -1) < 0 || (news.revents & POLLIN) == 0) {
            break;  // POLLHUP: nobody is left who could call
        }
        struct seccomp_notif what = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &what) != 0) {
            continue;  // killed meanwhile
        }
        struct seccomp_notif_resp answer = {.id = what.id,
                                            .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        const struct call* call = call_of(what.data.nr);
        if (call != NULL && is_ours(&what, call, directory.st_dev, argv[1])) {
            ++seen;
            const int fails = seen >= first && seen <= last;
            if (fails) {
                answer.flags = 0;
                answer.error = -error;
            }
            fprintf(report, "%s%s\n", call->name, fails ? " failed" : "");
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    fclose(report);
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        die("wait");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
