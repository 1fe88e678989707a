// The exec trampoline: a program of a few hundred bytes without libc. It loads a seccomp filter if
// one was handed over and becomes the user's program. Started by exec_trampoline().
//
//     argv[0]  "knarr-exec:RRRRRRRR:FFFFFFFF:LLLLLLLL", hexadecimal: report fd, filter fd
//     (ffffffff:
//              none), flags of seccomp(2)
//     argv[1]  the path to execute
//     argv[2]  its argv[0], and so on
//
// A container can run it again through /proc/self/exe; then it is an ordinary program of the
// container, and argv[0] decides what happens with the container's own rights.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

namespace {

constexpr int kSetFd = 2, kCloseOnExec = 1;  // fcntl(2) F_SETFD, FD_CLOEXEC
constexpr unsigned kNoFd = 0xffffffff;
constexpr int kIntr = 4;
constexpr int kFilterStage = 0x10000;  // kTrampolineFilterStage of trampoline.h
constexpr char kPrefix[] = "knarr-exec:";

long call(long number, long a, long b, long c) {
#if defined(__x86_64__)
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c)
                 : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#else
#error "write this machine's system call instruction here"
#endif
}

[[noreturn]] void leave(unsigned report, int error) {
    if (report != kNoFd) {
        call(SYS_write, static_cast<int>(report), reinterpret_cast<long>(&error), sizeof error);
    }
    while (true) {
        call(SYS_exit_group, 127, 0, 0);
    }
}

// Eight hexadecimal digits; anything else ends the program.
unsigned parse_hex(const char* text) {
    unsigned value = 0;
    for (int i = 0; i < 8; ++i) {
        const char c = text[i];
        const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                               : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                                                      : 16U;
        if (digit > 15) {
            leave(kNoFd, 0);
        }
        value = value << 4 | digit;
    }
    return value;
}

void load_filter(unsigned report, unsigned fd, unsigned flags) {
    sock_filter code[BPF_MAXINSNS];
    long size = 0;
    while (size < static_cast<long>(sizeof code)) {
        const long got = call(SYS_read,
                              static_cast<int>(fd),
                              reinterpret_cast<long>(code) + size,
                              static_cast<long>(sizeof code) - size);
        if (got == -kIntr) {
            continue;
        }
        if (got < 0) {
            leave(report, static_cast<int>(-got) | kFilterStage);
        }
        if (got == 0) {
            break;
        }
        size += got;
    }
    call(SYS_close, static_cast<int>(fd), 0, 0);
    const sock_fprog program{static_cast<unsigned short>(size / 8), code};
    const long done =
        call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, reinterpret_cast<long>(&program));
    if (done < 0) {
        leave(report, static_cast<int>(-done) | kFilterStage);
    }
}

}  // namespace

// `stack` is what the kernel left there: argc, argv, a null pointer, envp.
extern "C" [[noreturn]] void trampoline_main(long* stack) {
    char** argv = reinterpret_cast<char**>(stack + 1);
    if (stack[0] < 2) {
        leave(kNoFd, 0);
    }
    const char* control = argv[0];
    for (int i = 0; kPrefix[i] != '\0'; ++i) {
        if (control[i] != kPrefix[i]) {
            leave(kNoFd, 0);
        }
    }
    control += sizeof kPrefix - 1;
    const unsigned report = parse_hex(control);
    const unsigned filter = parse_hex(control + 9);
    const unsigned flags = parse_hex(control + 18);
    call(SYS_fcntl, static_cast<int>(report), kSetFd, kCloseOnExec);
    if (filter != kNoFd) {
        load_filter(report, filter, flags);
    }
    // From here on only what the filter allows: execve, and write and exit_group if it fails.
    const long failed = call(SYS_execve,
                             reinterpret_cast<long>(argv[1]),
                             reinterpret_cast<long>(argv + 2),
                             reinterpret_cast<long>(stack + stack[0] + 2));
    leave(report, static_cast<int>(-failed));
}

#if defined(__x86_64__)
asm(".globl _start\n"
    "_start:\n"
    "    xor %ebp, %ebp\n"
    "    mov %rsp, %rdi\n"
    "    and $-16, %rsp\n"
    "    call trampoline_main\n");
#elif defined(__aarch64__)
asm(".globl _start\n"
    "_start:\n"
    "    mov x29, #0\n"
    "    mov x0, sp\n"
    "    bl trampoline_main\n");
#endif
