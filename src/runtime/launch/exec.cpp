// After the gate: the child becomes the user and then the program.

#include <algorithm>
#include <array>
#include <cerrno>

#include <elf.h>
#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "core/trace.h"
#include "platform/capability.h"
#include "platform/file.h"
#include "platform/path_access.h"
#include "platform/process.h"
#include "platform/seccomp.h"
#include "platform/task.h"
#include "platform/trampoline.h"
#include "platform/user_namespace.h"
#include "runtime/launch/child.h"

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

/// args[0] as a path, looked up as execvp(3) does, as the user that the program runs as.
Result<std::string> find_program(const Program& program) {
    const std::string& name = program.args.front();
    if (name.find('/') != std::string::npos) {
        return name;
    }
    for (const std::string_view dir : split(path_of(program), ':')) {
        std::string candidate = dir.empty() ? name : fmt::format("{}/{}", dir, name);
        if (sys::can_execute(candidate)) {
            return candidate;
        }
    }
    return fail(
        Error{.code = Errc::exec_not_found,
              .message = fmt::format("program \"{}\": executable file not found in $PATH ({})",
                                     printable(name),
                                     printable(path_of(program))),
              .hint = "is it in the image? Name it by its full path, or set PATH"});
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
    const std::string interpreter(line.substr(0, line.find_first_of(" \t\r")));
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
    constexpr int kMaxHeaders = 64;
    for (int i = 0; i < std::min<int>(header.e_phnum, kMaxHeaders); ++i) {
        Elf64_Phdr segment{};
        const auto at = header.e_phoff + static_cast<std::uint64_t>(i) * sizeof segment;
        if (!sys::read_at(file, {reinterpret_cast<char*>(&segment), sizeof segment}, at)) {
            return std::nullopt;
        }
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

/// What looks wrong with the program. Only a guess: binfmt_misc may run what looks foreign, so it
/// is told only if the execve then fails.
std::optional<Error> suspect(const std::string& path) {
    // O_NONBLOCK: it may be a FIFO.
    const Result<sys::Fd> file = sys::open_path(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) {
        if (file.error().sys_errno == ENOENT) {
            return Error{
                .code = Errc::exec_not_found,
                .sys_errno = ENOENT,
                .message = fmt::format("program {} is not in the container: no such file or "
                                       "directory",
                                       printable(path)),
                .hint = "check the path, and that no mount hides it"};
        }
        Error denied = sys::explain_denied(file.error(), path);
        if (denied.message != file.error().message) {
            denied.code = Errc::exec_failed;
            return denied;
        }
        return std::nullopt;  // executable but not readable is possible
    }
    const Result<struct stat> entry = sys::stat_of(*file);
    if (entry && S_ISDIR(entry->st_mode)) {
        return Error{.code = Errc::exec_failed,
                     .sys_errno = EACCES,
                     .message = fmt::format("{} is a directory, not a program: permission denied",
                                            printable(path)),
                     .hint = "name the program in it"};
    }
    if (entry && (entry->st_mode & 0111) == 0) {
        return Error{.code = Errc::exec_failed,
                     .sys_errno = EACCES,
                     .message = fmt::format("{} is not executable (mode {:04o}): permission denied",
                                            printable(path),
                                            entry->st_mode & 07777),
                     .hint = "chmod +x it in the image"};
    }
    std::array<char, 256> buffer{};
    const Result<std::size_t> got = sys::read_full(*file, buffer);
    const std::string_view head(buffer.data(), got.value_or(0));
    if (head.starts_with("#!")) {
        return suspect_script(path, head);
    }
    if (head.starts_with(ELFMAG)) {
        return suspect_elf(path, *file, head);
    }
    return Error{.code = Errc::exec_failed,
                 .sys_errno = ENOEXEC,
                 .message = fmt::format("{} is neither a program nor a script with a \"#!\" line "
                                        "(exec format error)",
                                        printable(path)),
                 .hint = "start it through its interpreter, for example sh FILE"};
}

Result<> write_label(const Child& child, const char* file, const std::string& text) {
    return sys::write_file_at(child.proc, file, text);
}

Result<> set_labels(const Child& child, const Identity& identity) {
    if (!identity.apparmor_profile.empty()) {
        const std::string text = "exec " + identity.apparmor_profile;
        if (!write_label(child, "self/attr/apparmor/exec", text)) {
            KNARR_TRY(write_label(child, "self/attr/exec", text),
                      "AppArmor profile {}",
                      printable(identity.apparmor_profile));
        }
    }
    if (!identity.selinux_label.empty()) {
        KNARR_TRY(write_label(child, "self/attr/exec", identity.selinux_label),
                  "SELinux label {}",
                  printable(identity.selinux_label));
    }
    return {};
}

/// Groups, user and capabilities, in the order in which each is still allowed.
Result<> become_user(const Child& child, const Identity& identity) {
    KNARR_TRY(sys::drop_bounding(identity.cap_bounding));
    // Where the namespace that we are in or joined has switched setgroups(2) off, there is nothing
    // that could be set, and nothing was asked for.
    const bool keep = identity.groups.empty() && sys::is_setgroups_denied(child.proc);
    if (identity.set_groups && !keep) {
        KNARR_TRY(sys::set_groups(identity.groups));
    }
    KNARR_TRY(sys::set_group(identity.gid));
    KNARR_TRY(sys::set_keep_caps(true));
    KNARR_TRY(sys::set_user(identity.uid));
    KNARR_TRY(sys::set_keep_caps(false));
    return {};
}

Result<> set_capabilities(const Identity& identity) {
    KNARR_TRY(sys::set_thread_caps(
        identity.cap_effective, identity.cap_permitted, identity.cap_inheritable));
    return sys::set_ambient(identity.cap_ambient);
}

/// Without no_new_privs a filter needs CAP_SYS_ADMIN: it is loaded before the capabilities go. Any
/// other is the trampoline's last act, so that it need not allow what happens until then.
bool load_early(const Identity& identity) {
    return identity.seccomp && !identity.no_new_privs;
}

/// Raises what loading needs, loads, and leaves the rest to set_capabilities: from here to the
/// execve only capset, prctl and execveat are called, as with runc.
Result<> load_filter_early(const Identity& identity) {
    const sys::CapSets own = KNARR_TRY(sys::thread_caps());
    KNARR_TRY(sys::set_thread_caps(own.permitted, own.permitted, own.inheritable));
    KNARR_TRY(sys::load_seccomp(*identity.seccomp));
    return {};
}

/// The capabilities that the look-ups below are made with: the program's own, no more, while what
/// loading a filter needs stays permitted.
Result<> lower_effective(const Identity& identity) {
    const sys::CapSets own = KNARR_TRY(sys::thread_caps());
    return sys::set_thread_caps(
        identity.cap_effective & own.permitted, own.permitted, own.inheritable);
}

Result<> enter_cwd(const Program& program) {
    KNARR_TRY(sys::explained(sys::change_dir(program.cwd), program.cwd), "working directory");
    KNARR_TRY(sys::current_dir(), "working directory {}", printable(program.cwd));
    return {};
}

}  // namespace

Result<> become_program(Child& child, const sys::Fd& report) {
    const Identity& identity = child.plan.identity;
    const Program& program = child.plan.program;
    if (program.args.empty()) {
        return fail(Errc::invalid_config, "process.args is empty: there is nothing to run");
    }
    KNARR_TRY(set_labels(child, identity));
    KNARR_TRY(become_user(child, identity));
    sys::set_umask(identity.umask.value_or(child.caller_umask));
    if (identity.no_new_privs) {
        KNARR_TRY(sys::set_no_new_privs());
    }
    const bool early = load_early(identity);
    KNARR_TRY(early ? lower_effective(identity) : set_capabilities(identity));
    trace().mark("take the user and the capabilities", TraceSide::child);
    KNARR_TRY(enter_cwd(program));
    const std::string path = KNARR_TRY(find_program(program));
    if (const std::optional<Error> doubt = suspect(path)) {
        KNARR_TRY(send_error(report, Message::suspect, *doubt));
    }
    trace().mark("find the program", TraceSide::child);
    sys::unblock_signals();
    KNARR_TRY(sys::close_on_exec_from(3 + program.preserve_fds));
    const std::vector<char*> argv = sys::exec_pointers(program.args);
    const std::vector<char*> envp = sys::exec_pointers(program.env);
    if (early) {
        KNARR_TRY(load_filter_early(identity), "seccomp");
        KNARR_TRY(set_capabilities(identity));
    }
    trace().mark("hand over to the program", TraceSide::child);
    const sys::SeccompProgram* filter = identity.seccomp && !early ? &*identity.seccomp : nullptr;
    const int error = sys::exec_trampoline(
        child.trampoline, path.c_str(), argv.data(), envp.data(), report.get(), filter);
    return fail_errno(error, "execute {}", printable(path));
}

}  // namespace knarr::runtime
