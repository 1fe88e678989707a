// Runs a program and prints the peak resident memory of it and of the children that it waited for,
// in KiB, as the last line on stderr: "rss=KIB". Exits with the program's status.
//
// usage: rss PROGRAM [ARG]...

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char** environ;

int main(int argc, char** argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: rss PROGRAM [ARG]...\n");
        return 2;
    }
    pid_t pid = 0;
    errno = posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ);
    if (errno != 0) {
        perror(argv[1]);
        return 127;
    }
    int status = 0;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid) {
        perror("wait4");
        return 125;
    }
    fprintf(stderr, "rss=%ld\n", usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
