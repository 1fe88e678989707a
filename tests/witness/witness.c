// A small static program that is run inside containers and reports what it sees there.
//
//     witness WORD [VALUE] [WORD [VALUE]]...
//
// The words are done in their order; `witness help` lists them. Reports are lines "key=value" on
// stdout with backslash, newline and other control characters of a value as \xNN. A word that
// asks for something impossible reports the errno's name ("can-write:/x=EROFS"), it does not end
// the program; a word that is not known ends it with status 2. Without words it reports `all`.

#include "witness.h"

#include <stdio.h>
#include <string.h>

char** all_args;

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
    {"terminal", 0, see_terminal, "of stdin: rows columns onlcr owner leader foreground console"},
    {"status", 0, see_status, "status.NAME=VALUE: what /proc/self/status says of one's start"},
    {"sched", 0, see_sched, "sched=policy flags nice priority runtime deadline period"},
    {"mempolicy", 0, see_memory_policy, "mempolicy=MODE nodes MASK"},
    {"clocks", 0, see_clocks, "clock.NAME_hours=N"},
    {"tree", 1, do_tree, "PATH: stat of everything below"},
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
    {"swap", 1, do_swap, "A:B: exchanges the names until it is killed"},
    {"steal-exe", 1, do_steal_exe, "SECONDS: opens the programs of other processes"},
    {"find-root", 1, do_find_root, "SECONDS: opens the programs of other processes"},
    {"socket32", 1, do_socket32, "FAMILY by the 32-bit socket(2): ok or errno"},
    {"socketcall32", 1, do_socketcall32, "FAMILY by socketcall(2): ok or errno"},
    {"socket-wide", 1, do_socket_wide, "FAMILY plus 2^32: ok or errno"},
    {"leave", 1, do_leave, "SECONDS that a child in a session of its own keeps everything open"},
    {"listen-fds", 0, do_listen_fds, "socket activation as sd_listen_fds(3) sees it"},
    {"notify", 1, do_notify, "TEXT to $NOTIFY_SOCKET as sd_notify(3) does: ok or errno"},
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
