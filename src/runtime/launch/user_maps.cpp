#include "runtime/launch/user_maps.h"

#include <algorithm>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/user_namespace.h"

namespace knarr::runtime {

namespace {

constexpr std::size_t kMaxFileBytes = size::kMiB;
constexpr std::uint64_t kIds = 0xffffffffULL;  // 4294967295 is "no ID"
// Source: kernel/user_namespace.c, map_write: one write of less than a page, however few lines that
// is.
constexpr std::size_t kMaxTextBytes = 4096 - 1;

std::uint64_t count_of(const std::vector<spec::IdMapping>& maps) {
    std::uint64_t count = 0;
    for (const spec::IdMapping& one : maps) {
        count += one.container_id == 0 ? 0 : one.size;
    }
    return count;
}

std::string own_name() {
    return name_in_passwd(sys::read_file("/etc/passwd", kMaxFileBytes).value_or(""),
                          sys::real_uid());
}

}  // namespace

std::vector<spec::IdMapping> user_mappings(std::uint32_t own,
                                           const std::vector<SubordinateRange>& given) {
    std::vector<spec::IdMapping> out{{.container_id = 0, .host_id = own, .size = 1}};
    std::uint64_t next = 1;
    for (const SubordinateRange& range : given) {
        const bool taken = std::ranges::any_of(out, [&](const spec::IdMapping& one) {
            return range.first < std::uint64_t{one.host_id} + one.size &&
                   one.host_id < range.first + range.count;
        });
        if (taken || range.count == 0 || range.first + range.count > kIds || next >= kIds) {
            continue;
        }
        const std::uint64_t size = std::min(range.count, kIds - next);
        out.push_back({.container_id = static_cast<std::uint32_t>(next),
                       .host_id = static_cast<std::uint32_t>(range.first),
                       .size = static_cast<std::uint32_t>(size)});
        if (to_lines(out).size() > kMaxTextBytes) {
            out.pop_back();
            break;
        }
        next += size;
    }
    return out;
}

UserMaps probe_user_maps() {
    const std::string name = own_name();
    const auto side = [&](const char* file, std::uint32_t own) {
        const std::string text = sys::read_file(file, kMaxFileBytes).value_or("");
        // Groups, too, are given to the user. Source: subgid(5).
        return user_mappings(own, subordinate_ranges(text, name, sys::real_uid()));
    };
    return {.uids = side(kUserSide.file, sys::real_uid()),
            .gids = side(kGroupSide.file, sys::real_gid())};
}

std::uint64_t subordinate_count(const UserMaps& maps) {
    return std::min(count_of(maps.uids), count_of(maps.gids));
}

std::string subordinate_hint() {
    const std::string name = own_name();
    return fmt::format(
        "give this user subordinate IDs, as root: usermod --add-subuids 100000-165535 "
        "--add-subgids 100000-165535 {} (a range that nobody else has), then install newuidmap "
        "(Debian: apt-get install uidmap)",
        name.empty() ? fmt::format("{}", sys::real_uid()) : printable(name));
}

}  // namespace knarr::runtime
