// Words that attack: what a hostile image, volume or program would do to its runtime.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "witness.h"

/// "A:B" exchanges the two names again and again, until it is killed.
void do_swap(const char* names) {
    char first[4096];
    const char* colon = strchr(names, ':');
    if (!colon || (size_t)(colon - names) >= sizeof first) {
        report("swap", "needs A:B");
        return;
    }
    memcpy(first, names, (size_t)(colon - names));
    first[colon - names] = '\0';
    while (renameat2(AT_FDCWD, first, AT_FDCWD, colon + 1, RENAME_EXCHANGE) == 0) {
    }
    report_outcome("swap", names, 1);
}

/// For so many seconds: opens /proc/PID/exe of every process, to write to it later. Reports the
/// inodes of what it got hold of, and the end.
void do_steal_exe(const char* seconds) {
    struct stat own, other;
    if (stat("/proc/self/exe", &own) != 0) {
        report_outcome("steal-exe", seconds, 1);
        return;
    }
    report_number("ready", 1);
    fflush(NULL);
    const time_t end = time(NULL) + atol(seconds);
    ino_t last = 0;
    while (time(NULL) < end) {
        DIR* proc = opendir("/proc");
        const struct dirent* entry = NULL;
        while (proc && (entry = readdir(proc))) {
            char path[300];
            snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
            const int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0) {
                if (fstat(fd, &other) == 0 && other.st_ino != own.st_ino && other.st_ino != last) {
                    last = other.st_ino;
                    report_number("stolen", (long)last);
                }
                close(fd);
            }
        }
        if (proc) {
            closedir(proc);
        }
    }
    report_number("looked", 1);
}

/// "DEV:INO": looks into the newest processes that it sees, again and again, and now and then into
/// all of them, until one has this directory as its root; then it says so and ends.
void do_find_root(const char* device_and_inode) {
    unsigned long long device = 0, inode = 0;
    if (sscanf(device_and_inode, "%llu:%llu", &device, &inode) != 2) {
        report("find-root", "needs DEV:INO");
        return;
    }
    report_number("ready", 1);
    fflush(NULL);
    const int load = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    for (unsigned round = 0;; ++round) {
        char text[128] = {0};
        const char* last = pread(load, text, sizeof text - 1, 0) > 0 ? strrchr(text, ' ') : NULL;
        const long newest = last ? atol(last) : 0;  // as this pid namespace counts
        const long first = round % 500 != 0 && newest > 3 ? newest - 1 : 2;
        for (long pid = first; pid < newest + 3; ++pid) {
            char path[64];
            struct stat root;
            snprintf(path, sizeof path, "/proc/%ld/root", pid);
            if (stat(path, &root) == 0 && root.st_dev == device && root.st_ino == inode) {
                report_number("found", pid);
                return;
            }
        }
    }
}

#if defined(__x86_64__)
static long call32(long number, long a, long b, long c) {
    long result = 0;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}
#else
static long call32(long number, long a, long b, long c) {
    (void)number, (void)a, (void)b, (void)c;
    return -ENOTSUP;
}
#endif

static void report_call32(const char* word, const char* value, long result) {
    errno = result < 0 && result > -4096 ? (int)-result : 0;
    report_outcome(word, value, errno != 0);
    if (result >= 0 && errno == 0) {
        close((int)result);
    }
}

/// A socket of that family by the 32-bit system call socket(2).
void do_socket32(const char* family) {
    enum { socket_number = 359 };
    report_call32("socket32", family, call32(socket_number, atol(family), SOCK_SEQPACKET, 0));
}

/// The same through socketcall(2), whose arguments a filter cannot see.
void do_socketcall32(const char* family) {
    enum { socketcall_number = 102, sys_socket = 1 };
    uint32_t* args =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (args == MAP_FAILED) {
        report_outcome("socketcall32", family, 1);
        return;
    }
    args[0] = (uint32_t)atol(family);
    args[1] = SOCK_STREAM;
    args[2] = 0;
    report_call32("socketcall32", family, call32(socketcall_number, sys_socket, (long)args, 0));
    munmap(args, 4096);
}

/// A socket of a family whose number has bits above the 32 that the kernel looks at.
void do_socket_wide(const char* family) {
    const long fd = syscall(SYS_socket, 0x100000000L + atol(family), SOCK_SEQPACKET, 0);
    report_outcome("socket-wide", family, fd < 0);
    if (fd >= 0) {
        close((int)fd);
    }
}
