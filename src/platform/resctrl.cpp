#include "platform/resctrl.h"

#include <algorithm>
#include <cerrno>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/mountinfo.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxSchemataBytes = 64 * std::size_t{1024};
constexpr std::size_t kMaxStatusBytes = 4096;
// The kernel's own directories, which are no classes.
constexpr std::string_view kNoClasses[] = {"info", "mon_data", "mon_groups"};

/// A number's text without what the kernel pads it with.
std::string_view unpadded(std::string_view text) {
    text = trimmed(text);
    const std::size_t first = text.find_first_not_of('0');
    return first == std::string_view::npos ? "0" : text.substr(first);
}

using Domains = std::map<std::string, std::string, std::less<>>;

/// "L3:0=0f;1=ff" as domain -> mask.
Domains parse_line(std::string_view line) {
    Domains domains;
    for (const std::string_view part : split(line.substr(line.find(':') + 1), ';')) {
        const std::size_t equals = part.find('=');
        if (equals != std::string_view::npos) {
            domains.emplace(unpadded(part.substr(0, equals)), unpadded(part.substr(equals + 1)));
        }
    }
    return domains;
}

/// "L3" of "    L3:0=f".
std::string_view resource_of(std::string_view line) {
    return trimmed(line.substr(0, line.find(':')));
}

bool has_line(std::string_view schemata, std::string_view expected) {
    for (const std::string_view line : split(schemata, '\n')) {
        if (resource_of(line) != resource_of(expected)) {
            continue;
        }
        const Domains have = parse_line(line);
        return std::ranges::all_of(parse_line(expected), [&](const auto& wanted) {
            const auto found = have.find(wanted.first);
            return found != have.end() && found->second == wanted.second;
        });
    }
    return false;
}

std::string below(const ResctrlGroup& group, std::string_view file) {
    return group.name.empty() ? std::string(file) : fmt::format("{}/{}", group.name, file);
}

std::string monitor_path(const ResctrlGroup& group) {
    return below(group, "mon_groups/" + group.monitor);
}

Result<> write_in(const Fd& root, const std::string& path, std::string_view text) {
    // O_CREAT: so that a directory of a test's can stand for the kernel's, whose files are there.
    const Fd file = KNARR_TRY(open_at(root, path, O_WRONLY | O_CREAT, 0600));
    KNARR_TRY(write_all(file, text), "write {}", printable(path));
    return {};
}

Result<> make_one(const Fd& root, const std::string& path) {
    Result<> made = make_dir_at(root, path, 0755);
    if (!made && made.error().sys_errno == ENOSPC) {
        return fail(std::move(made).error().advise(
            "the CPU has no class or monitor left: remove one below the resctrl file system"));
    }
    return made;
}

/// The kernel's own word on the last line that it refused.
std::string last_status(const Fd& root) {
    const std::string text =
        read_file_at(root, "info/last_cmd_status", kMaxStatusBytes).value_or("");
    const std::string line(text.substr(0, text.find('\n')));
    return line.empty() || line == "ok" ? "" : fmt::format(" ({})", printable(line));
}

Result<> write_line(const Fd& root, const ResctrlGroup& group, const std::string& line) {
    const Result<> written = write_in(root, below(group, "schemata"), line + "\n");
    if (written) {
        return {};
    }
    Error error = written.error();
    if (error.sys_errno == EINVAL || error.sys_errno == ENODEV) {
        error.code = Errc::invalid_config;
    }
    error.message =
        fmt::format("schemata \"{}\": {}{}", printable(line), error.message, last_status(root));
    return fail(std::move(error).advise(
        fmt::format("{}/schemata shows what this CPU has", group.mount_point)));
}

Result<> fill(const Fd& root, const ResctrlGroup& group) {
    if (!group.expected.empty()) {
        const std::string have =
            KNARR_TRY(read_file_at(root, below(group, "schemata"), kMaxSchemataBytes));
        for (const std::string& line : group.expected) {
            if (!has_line(have, line)) {
                return fail(Error{
                    .code = Errc::invalid_config,
                    .message = fmt::format("class {} is there, but its schemata has not \"{}\"",
                                           printable(group.path()),
                                           printable(line)),
                    .hint = "leave the schema out to use the class as it is, or name another "
                            "closID"});
            }
        }
    }
    for (const std::string& line : group.schemata) {
        KNARR_TRY(write_line(root, group, line));
    }
    return group.monitor.empty() ? Result<>{} : make_one(root, monitor_path(group));
}

Result<> remove_parts(const Fd& root, const ResctrlGroup& group, bool class_too) {
    if (!group.monitor.empty()) {
        KNARR_TRY(unlink_at(root, monitor_path(group), AT_REMOVEDIR));
    }
    return class_too ? unlink_at(root, group.name, AT_REMOVEDIR) : Result<>{};
}

}  // namespace

std::optional<ResctrlFacts> find_resctrl(std::string_view mountinfo) {
    if (mountinfo.find(" - resctrl ") == std::string_view::npos) {
        return std::nullopt;
    }
    for (const std::string_view line : split(mountinfo, '\n')) {
        auto mount = parse_mount_line(line);
        if (!mount || mount->fstype != "resctrl") {
            continue;
        }
        ResctrlFacts facts{.mount_point = std::move(mount->mount_point), .classes = {}};
        const Result<Fd> dir = open_path(facts.mount_point, O_RDONLY | O_DIRECTORY);
        if (!dir) {
            return facts;
        }
        facts.classes = list_dir(*dir).value_or(std::vector<std::string>{});
        std::erase_if(facts.classes, [&](const std::string& name) {
            const auto entry = stat_at(*dir, name);
            return std::ranges::find(kNoClasses, name) != std::end(kNoClasses) || !entry ||
                   !*entry || !S_ISDIR((*entry)->st_mode);
        });
        const auto monitor = stat_at(*dir, "info/L3_MON");
        facts.monitors = monitor && *monitor;
        return facts;
    }
    return std::nullopt;
}

Result<Fd> open_resctrl(const ResctrlGroup& group) {
    return open_path(group.mount_point, O_RDONLY | O_DIRECTORY);
}

Result<> make_resctrl(const Fd& root, const ResctrlGroup& group) {
    if (group.make) {
        KNARR_TRY(make_one(root, group.name));
    }
    Result<> filled = fill(root, group);
    if (!filled && group.make) {
        // The first error is the one to report. The monitoring group comes last: there is none.
        static_cast<void>(unlink_at(root, group.name, AT_REMOVEDIR));
    }
    return filled;
}

Result<> join_resctrl(const Fd& root, const ResctrlGroup& group, pid_t pid) {
    const std::string text = fmt::format("{}", pid);
    KNARR_TRY(write_in(root, below(group, "tasks"), text));
    return group.monitor.empty() ? Result<>{}
                                 : write_in(root, monitor_path(group) + "/tasks", text);
}

Result<> unmake_resctrl(const Fd& root, const ResctrlGroup& group) {
    return remove_parts(root, group, group.make);
}

Result<> remove_resctrl(const Fd& root, const ResctrlGroup& group) {
    return remove_parts(root, group, group.owned);
}

}  // namespace knarr::sys
