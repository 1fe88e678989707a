#include "bundle/passwd.h"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/ascii.h"
#include "core/text.h"
#include "platform/file.h"

namespace knarr::bundle {

namespace {

// (uid_t)-1 means "leave unchanged" to setresuid and is never an ID.
constexpr std::uint64_t kMaxId = 0xfffffffe;

struct PasswdEntry {
    std::string_view name, home;
    std::uint32_t uid = 0, gid = 0;
};
struct GroupEntry {
    std::string_view name, members;
    std::uint32_t gid = 0;
};

std::optional<std::uint32_t> parse_id(std::string_view text) {
    const auto number = parse_number(text, kMaxId);
    return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

/// Calls `visit(fields)` for each line; stops when it returns true. Lines with an ID that is no
/// number are skipped by the callers, as getpwent does.
template <typename Visit>
void each_line(std::string_view text, Visit visit) {
    for (std::string_view line : split(text, '\n')) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (visit(split(line, ':'))) {
            return;
        }
    }
}

template <typename Match>
std::optional<PasswdEntry> find_passwd(std::string_view text, Match match) {
    std::optional<PasswdEntry> found;
    each_line(text, [&](const std::vector<std::string_view>& fields) {
        if (fields.size() < 6) {
            return false;
        }
        const auto uid = parse_id(fields[2]);
        const auto gid = parse_id(fields[3]);
        if (!uid || !gid) {
            return false;
        }
        const PasswdEntry entry{.name = fields[0], .home = fields[5], .uid = *uid, .gid = *gid};
        if (match(entry)) {
            found = entry;
        }
        return found.has_value();
    });
    return found;
}

/// `visit(entry)` for each well-formed line of /etc/group until it returns true.
template <typename Visit>
void each_group(std::string_view text, Visit visit) {
    each_line(text, [&](const std::vector<std::string_view>& fields) {
        const auto gid = fields.size() >= 3 ? parse_id(fields[2]) : std::nullopt;
        return gid &&
               visit(GroupEntry{
                   .name = fields[0], .members = fields.size() > 3 ? fields[3] : "", .gid = *gid});
    });
}

Result<std::uint32_t> resolve_group(std::string_view group, std::string_view text) {
    // A number is never looked up as a name, see resolve_user.
    if (is_digits(group)) {
        const auto number = parse_id(group);
        if (!number) {
            return fail(Errc::invalid_argument, "group {} is above {}", printable(group), kMaxId);
        }
        return *number;
    }
    std::optional<std::uint32_t> gid;
    each_group(text, [&](const GroupEntry& entry) {
        if (entry.name == group) {
            gid = entry.gid;
        }
        return gid.has_value();
    });
    if (!gid) {
        return fail(Errc::invalid_argument,
                    "group \"{}\" is not in the image's /etc/group",
                    printable(group));
    }
    return *gid;
}

std::vector<std::uint32_t> groups_of(std::string_view name,
                                     std::string_view text,
                                     std::uint32_t primary) {
    std::vector<std::uint32_t> groups;
    each_group(text, [&](const GroupEntry& entry) {
        const auto members = split(entry.members, ',');
        if (entry.gid != primary &&
            std::find(members.begin(), members.end(), name) != members.end()) {
            groups.push_back(entry.gid);
        }
        return groups.size() >= kMaxGroups;
    });
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    return groups;
}

}  // namespace

Result<ResolvedUser> resolve_user(std::string_view user,
                                  std::string_view passwd,
                                  std::string_view group) {
    const std::size_t colon = user.find(':');
    std::string_view who = user.substr(0, colon);
    const bool has_group = colon != std::string_view::npos;
    const std::string_view which = has_group ? user.substr(colon + 1) : std::string_view{};
    if ((has_group && which.empty()) || which.find(':') != std::string_view::npos) {
        return fail(Errc::invalid_argument, "user \"{}\" is not USER[:GROUP]", printable(user));
    }
    if (who.empty()) {
        who = "0";
    }

    std::optional<PasswdEntry> entry;
    ResolvedUser out;
    // A number is always an ID, whatever names the image has: an entry "1000:x:0:0" would make
    // root of a caller's `--user 1000` (CVE-2016-3697).
    if (is_digits(who)) {
        const auto uid = parse_id(who);
        if (!uid) {
            return fail(Errc::invalid_argument, "user {} is above {}", printable(who), kMaxId);
        }
        out.uid = *uid;
        entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.uid == *uid; });
    } else {
        entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.name == who; });
        if (!entry && !(who == "root" && passwd.empty())) {
            return fail(Errc::invalid_argument,
                        "user \"{}\" is not in the image's /etc/passwd",
                        printable(who));
        }
    }
    if (entry) {
        out.uid = entry->uid;
        out.gid = entry->gid;
        out.name = entry->name;
        if (entry->home.starts_with('/') && entry->home.find('\0') == std::string_view::npos) {
            out.home = entry->home;
        }
    }
    if (has_group) {
        out.gid = KNARR_TRY(resolve_group(which, group), "user \"{}\"", printable(user));
    } else if (!out.name.empty()) {
        out.groups = groups_of(out.name, group, out.gid);
    }
    return out;
}

std::vector<std::uint32_t> all_groups(const ResolvedUser& user) {
    std::vector<std::uint32_t> groups = user.groups;
    if (user.gid != 0 && std::ranges::find(groups, user.gid) == groups.end()) {
        groups.insert(groups.begin(), user.gid);
    }
    return groups;
}

Result<std::string> read_user_file(const sys::Fd& root, const char* path) {
    const Result<sys::Fd> file = sys::open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file || !S_ISREG(KNARR_TRY(sys::stat_of(*file)).st_mode)) {
        return std::string();
    }
    return KNARR_TRY(sys::read_all(*file, kMaxPasswdBytes), "/{} of the container", path);
}

}  // namespace knarr::bundle
