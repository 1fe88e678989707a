#include "runtime/launch/id_maps.h"

#include <algorithm>

#include <sched.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/process.h"
#include "platform/run_program.h"
#include "platform/spawn.h"
#include "platform/task.h"
#include "platform/user_namespace.h"

namespace knarr::runtime {

namespace {

constexpr std::size_t kMaxIdFileBytes = size::kMiB;
constexpr std::chrono::seconds kHelperTimeout{10};  // it may ask a directory service

/// A helper of the shadow package, as the user would find it.
Result<std::string> find_helper(const MapSide& side) {
    const std::string path = sys::environment("PATH");
    const std::string all = path + (path.empty() ? "" : ":") + "/usr/local/bin:/usr/bin:/bin";
    for (const std::string_view dir : split(all, ':')) {
        std::string candidate = fmt::format("{}/{}", dir, side.helper);
        if (dir.starts_with('/') && sys::can_execute(candidate)) {
            return candidate;
        }
    }
    return fail(Error{
        .code = Errc::unsupported,
        .message = fmt::format("{}: maps more than the caller's own ID, which takes the program "
                               "{}; it is not installed",
                               side.property,
                               side.helper),
        .hint = "install it (Debian: apt-get install uidmap), or map only your own ID, as one "
                "range of size 1"});
}

Result<> write_by_helper(pid_t pid,
                         const MapSide& side,
                         const std::vector<spec::IdMapping>& maps,
                         std::uint32_t own_id) {
    const std::string helper = KNARR_TRY(find_helper(side));
    sys::Program program{.path = helper,
                         .args = {side.helper, fmt::format("{}", pid)},
                         .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                         .input = {},
                         .timeout = kHelperTimeout};
    for (const spec::IdMapping& one : maps) {
        program.args.push_back(fmt::format("{}", one.container_id));
        program.args.push_back(fmt::format("{}", one.host_id));
        program.args.push_back(fmt::format("{}", one.size));
    }
    const sys::Ended ended = KNARR_TRY(sys::run_program(program), "{}", side.property);
    if (ended.timed_out) {
        return fail(Errc::timed_out,
                    "{}: {} did not end within {} s",
                    side.property,
                    helper,
                    kHelperTimeout.count());
    }
    if (ended.exit_code == 0 && ended.signal == 0) {
        return {};
    }
    // Only for the message: what cannot be read explains nothing.
    const std::uint32_t uid = sys::real_uid();
    const std::string name =
        name_in_passwd(sys::read_file("/etc/passwd", kMaxIdFileBytes).value_or(""), uid);
    const auto given =
        subordinate_ranges(sys::read_file(side.file, kMaxIdFileBytes).value_or(""), name, uid);
    return fail(why_refused(side,
                            maps,
                            name.empty() ? fmt::format("{}", uid) : name,
                            own_id,
                            given,
                            ended.error_output));
}

std::string ranges_text(const std::vector<SubordinateRange>& ranges) {
    std::string out;
    for (const SubordinateRange& one : ranges) {
        out += fmt::format(
            "{}{} to {}", out.empty() ? "" : ", ", one.first, one.first + one.count - 1);
    }
    return out.empty() ? "none" : out;
}

}  // namespace

constexpr MapSide kUserSide{.helper = "newuidmap",
                            .file = "/etc/subuid",
                            .property = "linux.uidMappings",
                            .option = "--add-subuids"};
constexpr MapSide kGroupSide{.helper = "newgidmap",
                             .file = "/etc/subgid",
                             .property = "linux.gidMappings",
                             .option = "--add-subgids"};

std::vector<SubordinateRange> subordinate_ranges(std::string_view text,
                                                 std::string_view name,
                                                 std::uint32_t uid) {
    constexpr std::uint64_t kMaxId = 0xffffffffULL;
    std::vector<SubordinateRange> out;
    const std::string number = fmt::format("{}", uid);
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() != 3 || fields[0].empty() || (fields[0] != name && fields[0] != number)) {
            continue;
        }
        const auto first = parse_number(fields[1], kMaxId);
        const auto count = parse_number(fields[2], kMaxId);
        if (first && count && *count > 0) {
            out.push_back({.first = *first, .count = *count});
        }
    }
    return out;
}

std::string name_in_passwd(std::string_view text, std::uint32_t uid) {
    const std::string number = fmt::format("{}", uid);
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() >= 3 && fields[2] == number) {
            return std::string(fields[0]);
        }
    }
    return {};
}

Error why_refused(const MapSide& side,
                  const std::vector<spec::IdMapping>& maps,
                  std::string_view user,
                  std::uint32_t own_id,
                  const std::vector<SubordinateRange>& given,
                  std::string_view helper_words) {
    for (std::size_t i = 0; i < maps.size(); ++i) {
        const spec::IdMapping& one = maps[i];
        const std::uint64_t last = std::uint64_t{one.host_id} + one.size - 1;
        const bool own = one.size == 1 && one.host_id == own_id;
        const bool covered = std::ranges::any_of(given, [&](const SubordinateRange& range) {
            return one.host_id >= range.first && last < range.first + range.count;
        });
        if (own || covered) {
            continue;
        }
        return Error{
            .code = Errc::denied,
            .message = fmt::format("{}[{}]: {} refuses the host IDs {} to {}: {} gives the user {} "
                                   "{}",
                                   side.property,
                                   i,
                                   side.helper,
                                   one.host_id,
                                   last,
                                   side.file,
                                   printable(user),
                                   ranges_text(given)),
            .hint = fmt::format("map what {} gives, or have it give more, as root: usermod {} "
                                "{}-{} {}",
                                side.file,
                                side.option,
                                one.host_id,
                                last,
                                printable(user))};
    }
    std::string words = printable(helper_words.substr(0, helper_words.find('\n')), 256);
    return Error{
        .code = Errc::denied,
        .message = fmt::format(
            "{}: {} failed: {}", side.property, side.helper, words.empty() ? "no word" : words),
        .hint = fmt::format("{} must be set-user-ID root or have the file capability "
                            "cap_set{}id; no_new_privs and nosuid mounts take both away",
                            side.helper,
                            side.helper[3])};
}

std::string to_lines(const std::vector<spec::IdMapping>& mappings) {
    std::string lines;
    for (const spec::IdMapping& one : mappings) {
        lines += fmt::format("{} {} {}\n", one.container_id, one.host_id, one.size);
    }
    return lines;
}

int namespaces_of_child(const LaunchPlan& plan) {
    return plan.new_namespaces &
           (plan.own_user_namespace() ? CLONE_NEWNET | CLONE_NEWIPC : CLONE_NEWNET);
}

Result<> write_id_maps(pid_t pid, const IdMaps& maps) {
    if (!maps.gids_by_helper) {
        KNARR_TRY(sys::write_gid_map(pid, to_lines(maps.gids), maps.deny_setgroups),
                  "linux.gidMappings");
    } else {
        KNARR_TRY(write_by_helper(pid, kGroupSide, maps.gids, sys::real_gid()));
    }
    if (!maps.uids_by_helper) {
        return sys::write_uid_map(pid, to_lines(maps.uids));
    }
    return write_by_helper(pid, kUserSide, maps.uids, sys::real_uid());
}

}  // namespace knarr::runtime
