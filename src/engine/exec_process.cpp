#include "engine/exec_process.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "bundle/passwd.h"
#include "bundle/settings.h"
#include "core/ascii.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/pidfd.h"

namespace knarr::engine {

namespace {

std::string_view name_part(std::string_view user) {
    return user.substr(0, user.find(':'));
}

std::string_view home_of(const spec::Process& process) {
    std::string_view home;
    for (const std::string_view variable : process.env) {
        if (variable.starts_with("HOME=")) {
            home = variable.substr(5);
        }
    }
    return home;
}

/// The last one of a name counts, at the place of the first.
void set_variable(std::vector<std::string>& env, std::string_view setting) {
    const std::string_view name = setting.substr(0, setting.find('=') + 1);
    const auto same = [&](const std::string& have) { return have.starts_with(name); };
    const auto found = std::ranges::find_if(env, same);
    if (found == env.end()) {
        env.emplace_back(setting);
        return;
    }
    *found = setting;
    env.erase(std::remove_if(std::next(found), env.end(), same), env.end());
}

Result<> change_user(spec::User& user,
                     const std::string& wanted,
                     const UserFiles& files,
                     const ExecBase& base) {
    const std::string_view who = name_part(wanted);
    if (who.empty()) {
        // Nobody named must not become root by default (compare CVE-2026-30892).
        return fail(Errc::invalid_argument, "user \"{}\" names no user", printable(wanted));
    }
    const bundle::ResolvedUser found =
        KNARR_TRY(bundle::resolve_user(wanted, files.passwd, files.group));
    user.uid = found.uid;
    const bool has_group = who.size() != wanted.size();
    const bool brings_groups = base.of_image || !is_digits(who);
    if (has_group || brings_groups) {
        user.gid = found.gid;
    }
    if (brings_groups) {
        user.additional_gids = base.of_image ? bundle::all_groups(found) : found.groups;
    }
    for (const std::string& name : base.groups) {
        const bundle::ResolvedUser group =
            KNARR_TRY(bundle::resolve_user("0:" + name, "", files.group), "further group");
        if (std::ranges::find(user.additional_gids, group.gid) == user.additional_gids.end()) {
            user.additional_gids.push_back(group.gid);
        }
    }
    return {};
}

void add_capabilities(spec::Process& process, const std::vector<std::string>& names) {
    if (names.empty()) {
        return;
    }
    if (!process.capabilities) {
        process.capabilities.emplace();
    }
    spec::Capabilities& have = *process.capabilities;
    for (const std::string& name : names) {
        // Never inheritable, and so never ambient (CVE-2022-29162).
        for (auto* set : {&have.bounding, &have.permitted, &have.effective}) {
            set->push_back(name);
        }
    }
}

}  // namespace

Result<UserFiles> read_user_files(pid_t pid, const sys::Fd& process) {
    const Result<sys::Fd> root =
        sys::open_path(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY);
    // The descriptor first, the look at the process after: it was its root, and no stranger's.
    const Result<> there = sys::pidfd_send_signal(process, 0);
    if (!root || !there) {
        const bool gone = !there && there.error().sys_errno == ESRCH;
        return gone ? fail(Errc::wrong_state, "the container has ended")
                    : fail(root ? there.error() : root.error());
    }
    return UserFiles{.passwd = KNARR_TRY(bundle::read_user_file(*root, "etc/passwd")),
                     .group = KNARR_TRY(bundle::read_user_file(*root, "etc/group"))};
}

bool needs_user_files(const spec::Process& process,
                      const ExecRequest& request,
                      const ExecBase& base) {
    const auto gives_home = [](const std::string& setting) {
        return setting.starts_with("HOME=") && setting.size() > 5;
    };
    const bool only_digits = request.user.find_first_not_of("0123456789:") == std::string::npos;
    return !only_digits || (base.of_image && !request.user.empty()) ||
           (home_of(process).empty() && std::ranges::none_of(request.env, gives_home));
}

Result<spec::Process> base_process(const ExecRequest& request,
                                   const spec::Process& own,
                                   const ExecBase& base) {
    if (request.process_file.empty()) {
        spec::Process process = own;
        process.terminal = false;
        if (base.own_home && !request.user.empty()) {
            std::erase_if(process.env, [](const auto& one) { return one.starts_with("HOME="); });
        }
        return process;
    }
    if (!request.command.empty()) {
        return fail(Errc::invalid_argument,
                    "a process file says what to run: a command beside it is one too many");
    }
    const std::string text = KNARR_TRY(
        sys::read_file(request.process_file, limits::kMaxBundleConfigBytes), "process file");
    return spec::decode_process(text, request.process_file);
}

Result<> change_process(spec::Process& process,
                        const ExecRequest& request,
                        const UserFiles& files,
                        const ExecBase& base) {
    if (!request.command.empty()) {
        process.args = request.command;
    }
    for (const std::string& setting : request.env) {
        if (setting.find('=') == 0 || setting.find('=') == std::string::npos) {
            return fail(
                Errc::invalid_argument, "environment \"{}\" is not NAME=VALUE", printable(setting));
        }
        set_variable(process.env, setting);
    }
    if (!request.workdir.empty()) {
        process.cwd = request.workdir;
    }
    if (!request.user.empty()) {
        KNARR_TRY(change_user(process.user, request.user, files, base));
    }
    for (const std::uint32_t gid : request.additional_gids) {
        process.user.additional_gids.push_back(gid);
    }
    if (request.privileged) {
        add_capabilities(process, KNARR_TRY(bundle::choose_capabilities({.privileged = true})));
        process.apparmor_profile.clear();
    }
    add_capabilities(process, request.capabilities);
    process.no_new_privileges = request.no_new_privileges.value_or(process.no_new_privileges);
    process.terminal = process.terminal || request.terminal;
    const auto is_term = [](const std::string& one) { return one.starts_with("TERM="); };
    if (base.of_image && request.terminal && std::ranges::none_of(process.env, is_term)) {
        process.env.emplace_back("TERM=xterm");  // docker's
    }
    if (!request.apparmor_profile.empty()) {
        process.apparmor_profile = request.apparmor_profile;
    }
    if (!request.selinux_label.empty()) {
        process.selinux_label = request.selinux_label;
    }
    if (home_of(process).empty()) {
        const bundle::ResolvedUser user = KNARR_TRY(
            bundle::resolve_user(fmt::format("{}", process.user.uid), files.passwd, files.group));
        set_variable(process.env, "HOME=" + user.home);
    }
    return {};
}

}  // namespace knarr::engine
