// Runs a command and tells which places of one program it executes, by single steps: for
// tools/layout, which puts what a launch executes side by side.
//
// usage: steps PROGRAM OUT COMMAND [ARGUMENT...]
//
// OUT: a line for each instruction of PROGRAM that the command or a process it starts has executed,
// in the order of the first time: the hexadecimal offset from where PROGRAM is loaded. A process is
// followed until it executes another program or the command has ended. The exit status is the
// command's.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMaxProcesses = 64, kMaxProgram = 64 << 20 };

struct Process {
    pid_t pid;
    int stepped, known, waits, leaves;
    uint64_t base;
};

static struct Process g_processes[kMaxProcesses];
static size_t g_count;
static unsigned char g_seen[kMaxProgram];
static struct stat g_program;
static FILE* g_out;

static _Noreturn void die(const char* what) {
    fprintf(stderr, "steps: %s: %s\n", what, strerror(errno));
    exit(125);
}

static struct Process* find(pid_t pid) {
    for (size_t i = 0; i < g_count; ++i) {
        if (g_processes[i].pid == pid) {
            return &g_processes[i];
        }
    }
    if (g_count == kMaxProcesses) {
        errno = E2BIG;
        die("processes");
    }
    g_processes[g_count] = (struct Process){.pid = pid};
    return &g_processes[g_count++];
}

// Whether it executes the program, and where that is loaded: AT_PHDR is right behind the ELF
// header.
static void look_at(struct Process* process) {
    char path[64];
    struct stat now;
    snprintf(path, sizeof path, "/proc/%d/exe", process->pid);
    process->stepped =
        stat(path, &now) == 0 && now.st_dev == g_program.st_dev && now.st_ino == g_program.st_ino;
    if (!process->stepped) {
        return;
    }
    snprintf(path, sizeof path, "/proc/%d/auxv", process->pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t pair[2];
    while (file >= 0 && read(file, pair, sizeof pair) == sizeof pair) {
        if (pair[0] == 3) {
            process->base = pair[1] - 64;
        }
    }
    close(file);
}

static void note(const struct Process* process) {
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, process->pid, 0, &regs) != 0) {
        return;
    }
    const uint64_t offset = regs.rip - process->base;
    if (regs.rip >= process->base && offset < kMaxProgram && !g_seen[offset]) {
        g_seen[offset] = 1;
        fprintf(g_out, "%lx\n", (unsigned long)offset);
    }
}

static void go_on(struct Process* process, int signal) {
    ptrace(process->stepped ? PTRACE_SINGLESTEP : PTRACE_CONT, process->pid, 0, (long)signal);
}

// The command has ended: what it has left runs on without us.
static void let_go(void) {
    for (size_t i = 0; i < g_count; ++i) {
        struct Process* process = &g_processes[i];
        if (process->known) {
            process->leaves = 1;
            kill(process->pid, SIGSTOP);
        }
    }
}

int main(int argc, char** argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: steps PROGRAM OUT COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (stat(argv[1], &g_program) != 0) {
        die(argv[1]);
    }
    g_out = fopen(argv[2], "we");
    if (g_out == NULL) {
        die(argv[2]);
    }
    const pid_t first = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (first == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execv(argv[3], argv + 3);
        _exit(127);
    }
    int status = 0, end = 125;
    waitpid(first, &status, 0);
    ptrace(PTRACE_SETOPTIONS,
           first,
           0,
           PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
    find(first)->known = 1;
    ptrace(PTRACE_CONT, first, 0, 0);
    for (pid_t pid = 0; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            find(pid)->known = 0;
            if (pid == first) {
                let_go();
                end = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            continue;
        }
        struct Process* process = find(pid);
        if (!process->known) {  // born, and its parent's stop has not been seen yet
            process->waits = 1;
            continue;
        }
        const int signal = WSTOPSIG(status), event = status >> 16;
        if (process->leaves && signal == SIGSTOP) {
            ptrace(PTRACE_DETACH, pid, 0, 0);
            continue;
        }
        if (event == PTRACE_EVENT_EXEC) {
            look_at(process);
        } else if (event != 0) {
            unsigned long child = 0;
            ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
            struct Process* born = find((pid_t)child);
            born->stepped = process->stepped;
            born->base = process->base;
            born->known = 1;
            if (born->waits) {
                go_on(born, 0);
            }
        } else if (signal == SIGTRAP && process->stepped) {
            note(process);
        }
        go_on(process, event != 0 || signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
    }
    fclose(g_out);
    return end;
}
