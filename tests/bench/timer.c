// Starts programs and measures each: wall time, CPU time, peak resident memory. It is small, so
// that what it adds to a start is small too and the same for everybody, and paired: a round runs
// every command once, in random order, so that a change of load meets them all.
//
// usage: timer pairs ROUNDS REST_MS    the commands from stdin, after REST_MS of rest each
//        timer parallel WIDTH COUNT    the first command COUNT times, WIDTH at a time
//
// stdin: a line for each command: its name and its arguments, separated by tabs; an argument ";"
// starts a further program of the same command. In `parallel` the argument "@" stands for the
// number of the run. stdout: a line for each run: name, wall us, CPU us, KiB, separated by tabs.
// A program that fails ends everything with exit status 1.

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxCommands = 64, kMaxArgs = 256, kMaxLine = 65536 };

struct Command {
    char* name;
    char* args[kMaxArgs];  // programs are separated by NULL, two NULLs end
};

struct Cost {
    long wall_us, cpu_us, kib;
};

extern char** environ;

static posix_spawn_file_actions_t g_files;  // stdin and stdout are /dev/null

static _Noreturn void die(const char* what) {
    fprintf(stderr, "timer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static size_t read_commands(struct Command* commands) {
    static char line[kMaxLine];
    size_t count = 0;
    while (count < kMaxCommands && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char* rest = strdup(line);
        struct Command* command = &commands[count++];
        command->name = strsep(&rest, "\t");
        for (int n = 0; rest && n < kMaxArgs - 2; ++n) {
            char* arg = strsep(&rest, "\t");
            command->args[n] = strcmp(arg, ";") == 0 ? NULL : arg;
        }
    }
    return count;
}

static pid_t start(char** args) {
    pid_t pid = 0;
    errno = posix_spawnp(&pid, args[0], &g_files, NULL, args, environ);
    if (errno != 0) {
        die(args[0]);
    }
    return pid;
}

static void check(const char* name, int status) {
    if (status != 0) {
        fprintf(stderr, "timer: %s failed with wait status %#x\n", name, (unsigned)status);
        exit(1);
    }
}

static void run(const struct Command* command) {
    struct Cost cost = {0, 0, 0};
    for (char** args = (char**)command->args; *args; ++args) {
        const long begin = now_us();
        const pid_t pid = start(args);
        int status = 0;
        struct rusage usage;
        if (wait4(pid, &status, 0, &usage) != pid) {
            die("wait4");
        }
        cost.wall_us += now_us() - begin;
        check(command->name, status);
        cost.cpu_us += usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
                       usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
        cost.kib = usage.ru_maxrss > cost.kib ? usage.ru_maxrss : cost.kib;
        while (*args) {
            ++args;
        }
    }
    printf("%s\t%ld\t%ld\t%ld\n", command->name, cost.wall_us, cost.cpu_us, cost.kib);
    fflush(stdout);
}

static void run_pairs(const struct Command* commands, size_t count, int rounds, int rest_ms) {
    size_t order[kMaxCommands];
    for (size_t i = 0; i < count; ++i) {
        order[i] = i;
    }
    srandom((unsigned)now_us());
    for (int round = 0; round < rounds; ++round) {
        for (size_t i = count; i > 1; --i) {
            const size_t other = (size_t)random() % i;
            const size_t kept = order[i - 1];
            order[i - 1] = order[other];
            order[other] = kept;
        }
        for (size_t i = 0; i < count; ++i) {
            if (rest_ms > 0) {
                const struct timespec rest = {rest_ms / 1000, rest_ms % 1000 * 1000000L};
                nanosleep(&rest, NULL);
            }
            run(&commands[order[i]]);
        }
    }
}

static void run_parallel(const struct Command* command, int width, int total) {
    const long begin = now_us();
    int running = 0;
    for (int started = 0; started < total || running > 0;) {
        if (started < total && running < width) {
            char number[16];
            char* args[kMaxArgs];
            snprintf(number, sizeof number, "%d", started++);
            for (int i = 0; i < kMaxArgs; ++i) {
                char* arg = command->args[i];
                args[i] = arg && strcmp(arg, "@") == 0 ? number : arg;
            }
            start(args);
            ++running;
            continue;
        }
        int status = 0;
        if (wait(&status) < 0) {
            die("wait");
        }
        check(command->name, status);
        --running;
    }
    printf("%s\t%ld\t0\t0\n", command->name, now_us() - begin);
}

int main(int argc, char** argv) {
    static struct Command commands[kMaxCommands];
    const int pairs = argc == 4 && strcmp(argv[1], "pairs") == 0;
    if (!pairs && !(argc == 4 && strcmp(argv[1], "parallel") == 0)) {
        fprintf(stderr, "usage: timer pairs ROUNDS REST_MS | timer parallel WIDTH COUNT\n");
        return 2;
    }
    const size_t count = read_commands(commands);
    posix_spawn_file_actions_init(&g_files);
    posix_spawn_file_actions_addopen(&g_files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&g_files, 1, "/dev/null", O_WRONLY, 0);
    if (pairs) {
        run_pairs(commands, count, atoi(argv[2]), atoi(argv[3]));
    } else if (count > 0) {
        run_parallel(&commands[0], atoi(argv[2]), atoi(argv[3]));
    }
    return 0;
}
