// Words that report what the kernel keeps about the process, for the comparison of runtimes.

#include <dirent.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "witness.h"

/// Of /proc/self/status what is set by whoever started the program, not what it does itself.
void see_status(const char* unused) {
    (void)unused;
    static const char* const kWanted[] = {"Umask",
                                          "Groups",
                                          "NSpid",
                                          "SigIgn",
                                          "SigBlk",
                                          "NoNewPrivs",
                                          "Seccomp",
                                          "Seccomp_filters",
                                          "Speculation_Store_Bypass",
                                          "Cpus_allowed_list",
                                          "Mems_allowed_list",
                                          "THP_enabled",
                                          "Threads"};
    size_t size = 0;
    char* text = read_whole("/proc/self/status", &size);
    if (!text) {
        report_outcome("status", "/proc/self/status", 1);
        return;
    }
    char* rest = NULL;
    for (char* line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char* value = strchr(line, ':');
        if (!value) {
            continue;
        }
        *value++ = 0;
        for (size_t i = 0; i < sizeof kWanted / sizeof kWanted[0]; ++i) {
            if (strcmp(line, kWanted[i]) == 0) {
                printf("status.%s=", line);
                value += strspn(value, " \t");
                put_value(value, strlen(value));
            }
        }
    }
    free(text);
}

/// What sched_getattr(2) says; the C library has no name for it.
void see_sched(const char* unused) {
    (void)unused;
    struct sched_attr attr;
    memset(&attr, 0, sizeof attr);
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0) {
        report_outcome("sched", "self", 1);
        return;
    }
    printf(
        "sched=policy %u flags %llu nice %d priority %u runtime %llu deadline %llu period %llu\n",
        attr.sched_policy,
        (unsigned long long)attr.sched_flags,
        attr.sched_nice,
        attr.sched_priority,
        (unsigned long long)attr.sched_runtime,
        (unsigned long long)attr.sched_deadline,
        (unsigned long long)attr.sched_period);
}

void see_memory_policy(const char* unused) {
    (void)unused;
    int mode = -1;
    unsigned long nodes[16] = {0};
    if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0UL) != 0) {
        report_outcome("mempolicy", "self", 1);
        return;
    }
    printf("mempolicy=%#x nodes %#lx\n", (unsigned)mode, nodes[0]);
}

/// The clocks of a time namespace, to the hour: they run on between two reports.
void see_clocks(const char* unused) {
    (void)unused;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    report_number("clock.monotonic_hours", now.tv_sec / 3600);
    clock_gettime(CLOCK_BOOTTIME, &now);
    report_number("clock.boottime_hours", now.tv_sec / 3600);
}

static int is_name(const struct dirent* entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/// Everything below a directory as one `stat:` line each, the names sorted; sizes of directories
/// depend on the file system and are left out.
void do_tree(const char* path) {
    struct dirent** entries = NULL;
    const int count = scandir(path, &entries, is_name, alphasort);
    if (count < 0) {
        report_outcome("tree", path, 1);
        return;
    }
    for (int i = 0; i < count; ++i) {
        char child[4096];
        struct stat info;
        snprintf(
            child, sizeof child, "%s%s%s", path, strcmp(path, "/") ? "/" : "", entries[i]->d_name);
        do_stat(child);
        if (lstat(child, &info) == 0 && S_ISDIR(info.st_mode)) {
            do_tree(child);
        }
        free(entries[i]);
    }
    free(entries);
}
