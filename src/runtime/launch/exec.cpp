// After the gate: the child becomes the user and then the program.

#include <algorithm>

#include <fcntl.h>

#include "bundle/passwd.h"
#include "core/text.h"
#include "core/trace.h"
#include "platform/absent.h"
#include "platform/capability.h"
#include "platform/file.h"
#include "platform/path_access.h"
#include "platform/pipe_owner.h"
#include "platform/process.h"
#include "platform/seccomp.h"
#include "platform/task.h"
#include "platform/trampoline.h"
#include "platform/user_namespace.h"
#include "runtime/launch/child.h"
#include "runtime/launch/find_program.h"
#include "runtime/launch/label_error.h"
#include "runtime/launch/listener.h"

namespace knarr::runtime {

namespace {

/// Sets the variables of socket activation where there are sockets. They name the one process that
/// the descriptors are for: by the pid that it knows itself by, which is known only here.
void announce_sockets(const Program& program, std::vector<std::string>& env) {
    if (program.listen_fds == 0) {
        return;
    }
    std::erase_if(env, [](const std::string& variable) {
        return variable.starts_with("LISTEN_FDS=") || variable.starts_with("LISTEN_PID=") ||
               variable.starts_with("LISTEN_FDNAMES=");
    });
    env.push_back(fmt::format("LISTEN_FDS={}", program.listen_fds));
    env.push_back(fmt::format("LISTEN_PID={}", sys::own_pid()));
    if (!program.listen_names.empty()) {
        env.push_back("LISTEN_FDNAMES=" + program.listen_names);
    }
}

Result<> set_label(const sys::Fd& file, const std::string& text, LabelOf module) {
    Result<> written = sys::write_all(file, text);
    return written ? Result<>{} : fail(explain_label(std::move(written).error(), module));
}

Result<> set_labels(const Child& child, const Identity& identity) {
    if (child.label_files[0].valid()) {
        KNARR_TRY(
            set_label(child.label_files[0], "exec " + identity.apparmor_profile, LabelOf::apparmor),
            "AppArmor profile {}",
            printable(identity.apparmor_profile));
    }
    if (child.label_files[1].valid()) {
        KNARR_TRY(set_label(child.label_files[1], identity.selinux_label, LabelOf::selinux),
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
    const bool keep = identity.groups.empty() && child.setgroups_denied;
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

/// Without no_new_privs a filter needs CAP_SYS_ADMIN: it is loaded before the capabilities go.
bool needs_privilege(const Identity& identity) {
    return identity.seccomp && !identity.no_new_privs;
}

/// Loaded here, and not as the trampoline's last act, which leaves the filter nothing to forbid but
/// the execve: one that needs privileges, and one with a listener, which the trampoline cannot hand
/// over.
bool load_early(const Identity& identity) {
    return needs_privilege(identity) || (identity.seccomp && identity.seccomp->needs_listener);
}

/// Raises what loading needs, loads, and leaves the rest to set_capabilities: from here to the
/// execve only capset, prctl and execveat are called, as with runc.
Result<> load_filter_early(const Identity& identity, const sys::Fd& report) {
    if (needs_privilege(identity)) {
        const sys::CapSets own = KNARR_TRY(sys::thread_caps());
        KNARR_TRY(sys::set_thread_caps(own.permitted, own.permitted, own.inheritable));
    }
    if (identity.seccomp->needs_listener) {
        return load_listened_filter(*identity.seccomp, report);
    }
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

/// The hooks startContainer: programs that the container brings, so with no more rights than its
/// own program will have, as with runc. Each loads the filter for itself: this process still has
/// to wait for them.
Result<> run_start_hooks(const Child& child, const std::string& state, const sys::Fd& report) {
    const Identity& identity = child.plan.identity;
    sys::Confined confined{.trampoline = &child.trampoline};
    if (load_early(identity)) {
        confined.prepare = [&]() -> Result<> {
            KNARR_TRY(load_filter_early(identity, report));
            return set_capabilities(identity);
        };
    } else if (identity.seccomp) {
        confined.filter = &*identity.seccomp;
    }
    return run_hooks(
        child.plan.hooks.start_container, "startContainer", state, child.io.hook_output, confined);
}

bool gives_home(const std::string& setting) {
    return setting.starts_with("HOME=") && setting.size() > 5;
}

/// The environment, with the HOME of the container's /etc/passwd where it has none, as runc has it:
/// Kubernetes leaves that to the runtime. A passwd that cannot be read gives "/".
std::vector<std::string> environment_of(const Program& program, const Identity& identity) {
    std::vector<std::string> env = program.env;
    if (std::ranges::any_of(env, gives_home)) {
        return env;
    }
    const Result<sys::Fd> root = sys::open_path("/", O_PATH | O_DIRECTORY);
    const std::string passwd =
        root ? bundle::read_user_file(*root, "etc/passwd").value_or("") : std::string();
    const auto user = bundle::resolve_user(fmt::format("{}", identity.uid), passwd, "");
    std::erase_if(env, [](const std::string& setting) { return setting == "HOME="; });
    env.push_back("HOME=" + (user ? user->home : "/"));
    return env;
}

Result<> enter_cwd(const Program& program) {
    Result<> entered = sys::explained(sys::change_dir(program.cwd), program.cwd);
    if (!entered && sys::is_absent(entered.error())) {
        return fail(std::move(entered)
                        .error()
                        .within("working directory")
                        .advise("name a directory of the container, or make it there (mkdir -p); a "
                                "missing one is made "
                                "where a container starts, if its root can be written"));
    }
    KNARR_TRY(std::move(entered), "working directory");
    KNARR_TRY(sys::current_dir(), "working directory {}", printable(program.cwd));
    return {};
}

}  // namespace

Result<> become_program(Child& child, const sys::Fd& report) {
    const Identity& identity = child.plan.identity;
    const Program& program = child.plan.program;
    if (program.args.empty()) {
        return fail(Errc::invalid_config, "process: missing; there is nothing to run");
    }
    const bool hooks = !child.plan.hooks.start_container.empty();
    const std::string state = hooks ? KNARR_TRY(hook_state(child, "created")) : std::string();
    std::vector<std::string> env = environment_of(program, identity);
    announce_sockets(program, env);
    // As whoever starts the container, or else as its user: a directory that only one of them may
    // enter will do, as with runc.
    const bool inside = enter_cwd(program).has_value();
    KNARR_TRY(set_labels(child, identity));
    sys::give_pipes(identity.uid);
    KNARR_TRY(become_user(child, identity));
    sys::set_umask(identity.umask.value_or(child.caller_umask));
    if (identity.no_new_privs) {
        KNARR_TRY(sys::set_no_new_privs());
    }
    const bool early = load_early(identity);
    const bool keep_privileges = needs_privilege(identity);
    KNARR_TRY(keep_privileges ? lower_effective(identity) : set_capabilities(identity));
    trace().mark("take the user and the capabilities", TraceSide::child);
    if (!inside) {
        KNARR_TRY(enter_cwd(program));
    }
    if (hooks) {
        KNARR_TRY(run_start_hooks(child, state, report));
    }
    const std::string path = KNARR_TRY(find_program(program));
    // It only serves the error of the execve: whoever opened the gate and was killed since needs
    // none.
    static_cast<void>(send_error(report, Message::suspect, suspect_program(path)));
    trace().mark("find the program", TraceSide::child);
    sys::reset_signals();
    KNARR_TRY(sys::close_on_exec_from(3 + program.preserve_fds));
    const std::vector<char*> argv = sys::exec_pointers(program.args);
    const std::vector<char*> envp = sys::exec_pointers(env);
    if (early) {
        KNARR_TRY(load_filter_early(identity, report), "seccomp");
    }
    if (keep_privileges) {
        KNARR_TRY(set_capabilities(identity));
    }
    trace().mark("hand over to the program", TraceSide::child);
    const sys::SeccompProgram* filter = identity.seccomp && !early ? &*identity.seccomp : nullptr;
    const int error = sys::exec_trampoline(
        child.trampoline, path.c_str(), argv.data(), envp.data(), report.get(), filter);
    return fail_errno(error, "execute {}", printable(path));
}

}  // namespace knarr::runtime
