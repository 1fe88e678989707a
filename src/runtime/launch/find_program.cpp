#include "runtime/launch/find_program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include <elf.h>
#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/absent.h"
#include "platform/file.h"
#include "platform/path_access.h"
#include "platform/task.h"

namespace knarr::runtime {

namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view path_of(const Program& program) {
    std::string_view path = kDefaultPath;
    for (const std::string_view variable : program.env) {
        if (variable.starts_with("PATH=")) {
            path = variable.substr(5);
        }
    }
    return path;
}

Error not_in_path(const Program& program) {
    return Error{.code = Errc::exec_not_found,
                 .message = fmt::format("program \"{}\": executable file not found in $PATH ({})",
                                        printable(program.args.front()),
                                        printable(path_of(program))),
                 .hint = "is it in the image? Name it by its full path, or set PATH"};
}

Error not_there(const std::string& path) {
    return Error{.code = Errc::exec_not_found,
                 .sys_errno = ENOENT,
                 .message = fmt::format("program {} is not in the container: no such file or "
                                        "directory",
                                        printable(path)),
                 .hint = "check the path, and that no mount hides it"};
}

/// What no user, not even root, could execute.
std::optional<Error> never_executable(const std::string& path, const struct stat& entry) {
    if (S_ISDIR(entry.st_mode)) {
        return Error{.code = Errc::exec_failed,
                     .sys_errno = EACCES,
                     .message = fmt::format("{} is a directory, not a program: permission denied",
                                            printable(path)),
                     .hint = "name the program in it"};
    }
    if ((entry.st_mode & 0111) == 0) {
        return Error{.code = Errc::exec_failed,
                     .sys_errno = EACCES,
                     .message = fmt::format("{} is not executable (mode {:04o}): permission denied",
                                            printable(path),
                                            entry.st_mode & 07777),
                     .hint = "chmod +x it in the image"};
    }
    return std::nullopt;
}

std::string below_cwd(const Program& program, std::string path) {
    return path.starts_with('/') ? std::move(path) : fmt::format("{}/{}", program.cwd, path);
}

std::string candidate_in(std::string_view dir, const std::string& name) {
    return dir.empty() ? name : fmt::format("{}/{}", dir, name);
}

Result<> check_path(const std::string& path) {
    const Result<sys::Fd> file = sys::open_path(path, O_PATH);
    if (!file) {
        return sys::is_absent(file.error()) ? fail(not_there(path)) : Result<>{};
    }
    const struct stat entry = KNARR_TRY(sys::stat_of(*file));
    std::optional<Error> wrong = never_executable(path, entry);
    return wrong ? fail(std::move(*wrong)) : Result<>{};
}

Result<> check_cwd(const std::string& cwd) {
    Result<sys::Fd> dir = sys::open_path(cwd, O_PATH | O_DIRECTORY);
    if (!dir && sys::is_absent(dir.error())) {
        return fail(std::move(dir).error().advise(
            "make process.cwd a directory of the container; a missing one is made only where the "
            "root can be written"));
    }
    return {};
}

std::string_view machine_of(std::uint16_t elf_machine) {
    switch (elf_machine) {
        case EM_X86_64:
            return "amd64";
        case EM_386:
            return "386";
        case EM_AARCH64:
            return "arm64";
        case EM_ARM:
            return "arm";
        case EM_RISCV:
            return "riscv64";
        case EM_PPC64:
            return "ppc64le";
        case EM_S390:
            return "s390x";
        default:
            return "another machine";
    }
}

#if defined(__x86_64__)
constexpr std::uint16_t kOwnMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kOwnMachine = EM_AARCH64;
#else
#error "name this machine's ELF number here"
#endif

std::optional<Error> suspect_script(const std::string& path, std::string_view head) {
    std::string_view line = head.substr(2, head.find('\n', 2) - 2);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const std::string interpreter(line.substr(0, line.find_first_of(" \t")));
    if (sys::can_execute(interpreter)) {
        return std::nullopt;
    }
    const bool crlf = line.find('\r') != std::string_view::npos;
    return Error{
        .code = Errc::exec_not_found,
        .sys_errno = ENOENT,
        .message = fmt::format("{} is a script for the interpreter \"{}\", which is not in "
                               "the container or not executable",
                               printable(path),
                               printable(interpreter)),
        .hint = crlf ? "the script has Windows line ends (CR LF): convert it"
                     : "install the interpreter in the image"};
}

std::optional<Error> suspect_elf(const std::string& path,
                                 const sys::Fd& file,
                                 std::string_view head) {
    Elf64_Ehdr header{};
    if (head.size() < sizeof header) {
        return std::nullopt;
    }
    std::copy_n(head.data(), sizeof header, reinterpret_cast<char*>(&header));
    if (header.e_machine != kOwnMachine && header.e_machine != EM_386) {
        return Error{.code = Errc::exec_failed,
                     .sys_errno = ENOEXEC,
                     .message = fmt::format("{} is a program for {}, this host is {} "
                                            "(exec format error)",
                                            printable(path),
                                            machine_of(header.e_machine),
                                            machine_of(kOwnMachine)),
                     .hint = "pull the image for this host's platform"};
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
        return std::nullopt;
    }
    constexpr std::size_t kMaxHeaders = 64;
    std::array<Elf64_Phdr, kMaxHeaders> segments{};
    const std::size_t count = std::min<std::size_t>(header.e_phnum, kMaxHeaders);
    if (!sys::read_at(file,
                      {reinterpret_cast<char*>(segments.data()), count * sizeof segments[0]},
                      header.e_phoff)) {
        return std::nullopt;
    }
    for (const Elf64_Phdr& segment : std::span(segments).first(count)) {
        if (segment.p_type != PT_INTERP || segment.p_filesz > limits::kMaxPathBytes) {
            continue;
        }
        std::string loader(segment.p_filesz, '\0');
        if (!sys::read_at(file, loader, segment.p_offset)) {
            return std::nullopt;
        }
        loader.resize(std::min(loader.find('\0'), loader.size()));
        if (!sys::can_execute(loader)) {
            return Error{
                .code = Errc::exec_not_found,
                .sys_errno = ENOENT,
                .message = fmt::format("{} needs the program loader {}, which is not in the "
                                       "container",
                                       printable(path),
                                       printable(loader)),
                .hint =
                    "the program was built for another libc (musl or glibc): use a "
                    "matching image, or link it statically"};
        }
    }
    return std::nullopt;
}

}  // namespace

Result<> check_program(const Program& program) {
    if (program.args.empty()) {
        return {};  // the configuration may come without a process: only `start` needs one
    }
    KNARR_TRY(check_cwd(program.cwd), "working directory {}", printable(program.cwd));
    const std::string& name = program.args.front();
    if (name.find('/') != std::string::npos) {
        return check_path(below_cwd(program, name));
    }
    for (const std::string_view dir : split(path_of(program), ':')) {
        const Result<sys::Fd> file =
            sys::open_path(below_cwd(program, candidate_in(dir, name)), O_PATH);
        if (!file && sys::is_absent(file.error())) {
            continue;
        }
        const Result<struct stat> entry = file ? sys::stat_of(*file) : fail(file.error());
        if (!entry || (S_ISREG(entry->st_mode) && (entry->st_mode & 0111) != 0)) {
            return {};  // there, or nothing that we can tell
        }
    }
    return fail(not_in_path(program));
}

Result<std::string> find_program(const Program& program) {
    const std::string& name = program.args.front();
    if (name.find('/') != std::string::npos) {
        return name;
    }
    Result<> refused;
    for (const std::string_view dir : split(path_of(program), ':')) {
        std::string candidate = candidate_in(dir, name);
        if (sys::can_execute(candidate)) {
            return candidate;
        }
        if (refused && sys::open_path(candidate, O_PATH)) {
            refused = sys::check_executable(candidate);
        }
    }
    return refused ? fail(not_in_path(program)) : fail(std::move(refused).error());
}

Error suspect_program(const std::string& path) {
    Error nothing{.code = Errc::exec_failed, .message = "execute " + printable(path)};
    const Result<sys::Fd> there = sys::open_path(path, O_PATH);
    if (!there && there.error().sys_errno == ENOENT) {
        return not_there(path);
    }
    const Result<struct stat> entry = there ? sys::stat_of(*there) : fail(there.error());
    std::optional<Error> wrong = entry ? never_executable(path, *entry) : std::nullopt;
    if (wrong) {
        return std::move(*wrong);
    }
    if (Result<> allowed = sys::check_executable(path); !allowed) {
        return std::move(allowed).error();
    }
    // O_NONBLOCK: it may be a FIFO. Executable but not readable is possible.
    const Result<sys::Fd> file = sys::open_path(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) {
        return nothing;
    }
    std::array<char, 256> buffer{};
    const Result<std::size_t> got = sys::read_full(*file, buffer);
    const std::string_view head(buffer.data(), got.value_or(0));
    if (head.starts_with("#!")) {
        wrong = suspect_script(path, head);
    } else if (head.starts_with(ELFMAG)) {
        wrong = suspect_elf(path, *file, head);
    } else {
        wrong = Error{.code = Errc::exec_failed,
                      .sys_errno = ENOEXEC,
                      .message = fmt::format("{} is neither a program nor a script with a \"#!\" "
                                             "line (exec format error)",
                                             printable(path)),
                      .hint = "start it through its interpreter, for example sh FILE"};
    }
    return wrong ? std::move(*wrong) : nothing;
}

Error explain_exec(Error failed, std::optional<Error> suspect) {
    const int error = failed.sys_errno;
    const bool of_file = error == ENOENT || error == EACCES || error == ENOEXEC ||
                         error == ENOTDIR || error == ELOOP;
    if (suspect && suspect->sys_errno != 0 && of_file) {
        return std::move(*suspect);
    }
    if (suspect && suspect->sys_errno == 0) {
        failed.message = suspect->message + ": " + failed.message;
    }
    failed.code = error == ENOENT ? Errc::exec_not_found : Errc::exec_failed;
    switch (error) {
        case ETXTBSY:
            return std::move(failed).advise(
                "something has the file open for writing: close it, or wait until it is written");
        case EACCES:
        case EPERM:
            return std::move(failed).advise(
                "mode and mounts allow it, so a security module (AppArmor, SELinux) or the seccomp "
                "profile says no: look into the kernel's log, or try without them");
        case ENOMEM:
            return std::move(failed).advise("raise the memory limit of the container");
        case EAGAIN:
            return std::move(failed).advise(
                "RLIMIT_NPROC of this user is reached: raise it in process.rlimits");
        default:
            return failed;
    }
}

}  // namespace knarr::runtime
