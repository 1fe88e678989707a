#pragma once
// The IDs that an administrator gives to ordinary users, subuid(5) and subgid(5), and the writing
// of a user namespace's mappings with them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/launch/plan.h"

namespace knarr::runtime {

struct SubordinateRange {
    std::uint64_t first = 0, count = 0;
    bool operator==(const SubordinateRange&) const = default;
};

/// What the text of /etc/subuid or /etc/subgid gives to a user, by name or by number; malformed
/// lines give nothing. Source: subuid(5).
std::vector<SubordinateRange> subordinate_ranges(std::string_view text,
                                                 std::string_view name,
                                                 std::uint32_t uid);
/// The name of `uid` in the text of /etc/passwd; empty when it has none.
std::string name_in_passwd(std::string_view text, std::uint32_t uid);

/// One of the two sides, with all that differs between them.
struct MapSide {
    const char* helper;    // "newuidmap"
    const char* file;      // "/etc/subuid"
    const char* property;  // "linux.uidMappings"
    const char* option;    // of usermod: "--add-subuids"
};
extern const MapSide kUserSide, kGroupSide;

/// Why the helper refused: the first range that the file does not give to the user, with the
/// command that mends it; else the helper's own words. Code: denied.
Error why_refused(const MapSide& side,
                  const std::vector<spec::IdMapping>& maps,
                  std::string_view user,
                  std::uint32_t own_id,
                  const std::vector<SubordinateRange>& given,
                  std::string_view helper_words);

/// "0 1000 1\n..." as /proc/PID/uid_map wants it.
std::string to_lines(const std::vector<spec::IdMapping>& mappings);

/// CLONE_NEW* that the child makes itself: the network, because that is most of a clone's time; in
/// a user namespace also ipc, whose files belong to who makes it.
int namespaces_of_child(const LaunchPlan& plan);

/// Writes the mappings of the new user namespace of process `pid`.
/// Errors: denied, with the file, the range and the command that mends it; unsupported when a
/// helper is needed and not installed.
Result<> write_id_maps(pid_t pid, const IdMaps& maps);

}  // namespace knarr::runtime
