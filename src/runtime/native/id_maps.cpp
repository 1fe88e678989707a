#include "runtime/native/id_maps.h"

#include <algorithm>

#include "runtime/launch/id_maps.h"

namespace knarr::runtime::native {

namespace {

// Source: include/linux/user_namespace.h, UID_GID_MAP_MAX_EXTENTS; kernel/user_namespace.c,
// map_write: one write of less than a page.
constexpr std::size_t kMaxLines = 340;
constexpr std::size_t kMaxTextBytes = 4096 - 1;
constexpr std::uint64_t kIds = 0xffffffffULL;  // 4294967295 is "no ID"

constexpr std::uint64_t kCapSetgid = 1ULL << 6U;
constexpr std::uint64_t kCapSetuid = 1ULL << 7U;

std::uint64_t end_of(std::uint32_t first, std::uint32_t size) {
    return std::uint64_t{first} + size;
}

/// "0-65535, 100000-165535"
template <typename Ranges, typename First>
std::string ranges_text(const Ranges& ranges, First first) {
    std::string out;
    for (const auto& one : ranges) {
        const std::uint64_t begin = one.*first;
        out += fmt::format("{}{}", out.empty() ? "" : ", ", begin);
        if (one.size > 1) {
            out += fmt::format("-{}", begin + one.size - 1);
        }
    }
    return out.empty() ? "none" : out;
}

Result<> check_against(const std::vector<spec::IdMapping>& maps,
                       std::size_t index,
                       const char* property) {
    const spec::IdMapping& one = maps[index];
    if (one.size == 0 || end_of(one.container_id, one.size) > kIds ||
        end_of(one.host_id, one.size) > kIds) {
        return fail(Errc::invalid_config,
                    "{}[{}]: size {} is 0 or leaves the range of 32-bit IDs",
                    property,
                    index,
                    one.size);
    }
    for (std::size_t k = 0; k < index; ++k) {
        const auto meet = [&](std::uint32_t a, std::uint32_t b) {
            return a < end_of(b, maps[k].size) && b < end_of(a, one.size);
        };
        if (meet(one.container_id, maps[k].container_id) || meet(one.host_id, maps[k].host_id)) {
            return fail(
                Errc::invalid_config, "{}[{}]: overlaps {}[{}]", property, index, property, k);
        }
    }
    return {};
}

/// A range must lie in one range of our own user namespace.
Result<> check_known(const spec::IdMapping& one,
                     std::size_t index,
                     const char* property,
                     const std::vector<sys::IdRange>& own) {
    const bool known = std::ranges::any_of(own, [&](const sys::IdRange& range) {
        return one.host_id >= range.inside &&
               end_of(one.host_id, one.size) <= end_of(range.inside, range.size);
    });
    if (known) {
        return {};
    }
    return fail(Error{.code = Errc::invalid_config,
                      .message = fmt::format("{}[{}]: host IDs {} to {} do not exist in the user "
                                             "namespace that knarr runs in, which has {}",
                                             property,
                                             index,
                                             one.host_id,
                                             end_of(one.host_id, one.size) - 1,
                                             ranges_text(own, &sys::IdRange::inside)),
                      .hint = "map IDs that this user namespace has, or give it more of them"});
}

Result<> check_mappings(const std::vector<spec::IdMapping>& maps,
                        const char* property,
                        const std::vector<sys::IdRange>* own) {
    if (maps.size() > kMaxLines) {
        return fail(Errc::invalid_config,
                    "{}: {} ranges, the kernel takes at most {}",
                    property,
                    maps.size(),
                    kMaxLines);
    }
    for (std::size_t i = 0; i < maps.size(); ++i) {
        KNARR_TRY(check_against(maps, i, property));
        if (own != nullptr) {
            KNARR_TRY(check_known(maps[i], i, property, *own));
        }
    }
    const std::size_t bytes = to_lines(maps).size();
    if (bytes > kMaxTextBytes) {
        return fail(Errc::invalid_config,
                    "{}: {} ranges make {} bytes, the kernel takes at most {}",
                    property,
                    maps.size(),
                    bytes,
                    kMaxTextBytes);
    }
    return {};
}

bool is_only(const std::vector<spec::IdMapping>& maps, std::uint32_t id) {
    return maps.size() == 1 && maps.front().host_id == id && maps.front().size == 1;
}

Result<> check_one(const char* property,
                   std::uint32_t id,
                   const std::vector<spec::IdMapping>* made,
                   const std::vector<sys::IdRange>& own) {
    const auto holds = [id](std::uint32_t first, std::uint32_t size) {
        return id >= first && id < end_of(first, size);
    };
    const bool known =
        made != nullptr
            ? std::ranges::any_of(
                  *made,
                  [&](const spec::IdMapping& one) { return holds(one.container_id, one.size); })
            : std::ranges::any_of(
                  own, [&](const sys::IdRange& one) { return holds(one.inside, one.size); });
    if (known) {
        return {};
    }
    return fail(Error{
        .code = Errc::invalid_config,
        .message = fmt::format("{}: {} does not exist in the container's user namespace, "
                               "which has {}",
                               property,
                               id,
                               made != nullptr ? ranges_text(*made, &spec::IdMapping::container_id)
                                               : ranges_text(own, &sys::IdRange::inside)),
        .hint = "choose another user, or map the ID in linux.uidMappings and gidMappings"});
}

}  // namespace

Result<IdMaps> plan_id_maps(const spec::Linux& config, const sys::HostFacts& host) {
    if (config.uid_mappings.empty() || config.gid_mappings.empty()) {
        return fail(Errc::invalid_config,
                    "linux.{}: a new user namespace needs it",
                    config.uid_mappings.empty() ? "uidMappings" : "gidMappings");
    }
    const bool nested = !host.initial_user_namespace;
    KNARR_TRY(
        check_mappings(config.uid_mappings, "linux.uidMappings", nested ? &host.uid_map : nullptr));
    KNARR_TRY(
        check_mappings(config.gid_mappings, "linux.gidMappings", nested ? &host.gid_map : nullptr));
    const bool may_set_gid = (host.effective_caps & kCapSetgid) != 0;
    const bool may_set_uid = (host.effective_caps & kCapSetuid) != 0;
    const bool own_gid = is_only(config.gid_mappings, host.gid);
    return IdMaps{.uids = config.uid_mappings,
                  .gids = config.gid_mappings,
                  .deny_setgroups = !may_set_gid && own_gid,
                  .uids_by_helper = !may_set_uid && !is_only(config.uid_mappings, host.uid),
                  .gids_by_helper = !may_set_gid && !own_gid};
}

Result<> check_user_is_mapped(const spec::User& user,
                              const IdMaps* maps,
                              const sys::HostFacts& host) {
    if (maps == nullptr && host.initial_user_namespace) {
        return {};
    }
    const auto* uids = maps != nullptr ? &maps->uids : nullptr;
    const auto* gids = maps != nullptr ? &maps->gids : nullptr;
    KNARR_TRY(check_one("process.user.uid", user.uid, uids, host.uid_map));
    KNARR_TRY(check_one("process.user.gid", user.gid, gids, host.gid_map));
    for (const std::uint32_t gid : user.additional_gids) {
        KNARR_TRY(check_one("process.user.additionalGids", gid, gids, host.gid_map));
    }
    return {};
}

bool is_group_mapped(std::uint32_t gid, const IdMaps* maps, const sys::HostFacts& host) {
    if (maps == nullptr && host.initial_user_namespace) {
        return true;
    }
    return check_one("", gid, maps != nullptr ? &maps->gids : nullptr, host.gid_map).has_value();
}

}  // namespace knarr::runtime::native
