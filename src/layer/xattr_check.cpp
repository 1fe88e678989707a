// What the kernel wants of the attributes that mean something to it. A driver that writes images of
// file systems itself would store anything else, for the kernel to stumble over when it is read.
// Source: security/commoncap.c validheader(); fs/posix_acl.c posix_acl_from_xattr(),
// posix_acl_valid().

#include "layer/view.h"

namespace knarr::layer {

namespace {

/// A little-endian number of `bytes` bytes.
std::uint32_t number_at(std::string_view value, std::size_t at, std::size_t bytes) {
    std::uint32_t out = 0;
    for (std::size_t i = bytes; i > 0; --i) {
        out = out << 8U | static_cast<unsigned char>(value[at + i - 1]);
    }
    return out;
}

bool is_capability(std::string_view value) {
    constexpr std::uint32_t kRevision2 = 0x02000000, kRevision3 = 0x03000000, kEffective = 1;
    constexpr std::size_t kBytes2 = 20, kBytes3 = 24;
    if (value.size() != kBytes2 && value.size() != kBytes3) {
        return false;
    }
    const std::uint32_t magic = number_at(value, 0, 4) & ~kEffective;
    return magic == (value.size() == kBytes2 ? kRevision2 : kRevision3);
}

/// In this order: the owner, users, the owning group, groups, a mask where there are either,
/// others.
bool is_acl(std::string_view value) {
    constexpr std::size_t kHeader = 4, kEntry = 8;
    constexpr std::uint32_t kVersion = 2, kAllBits = 7, kNobody = UINT32_MAX;
    enum Tag : std::uint32_t {
        owner = 1,
        user = 2,
        own_group = 4,
        group = 8,
        mask = 16,
        others = 32
    };
    if (value.size() < kHeader || (value.size() - kHeader) % kEntry != 0 ||
        number_at(value, 0, 4) != kVersion) {
        return false;
    }
    std::uint32_t last = 0;
    bool named = false;
    for (std::size_t at = kHeader; at < value.size(); at += kEntry) {
        const std::uint32_t tag = number_at(value, at, 2);
        const bool is_named = tag == user || tag == group;
        const bool follows = tag == owner       ? last == 0
                             : tag == user      ? last == owner || last == user
                             : tag == own_group ? last == owner || last == user
                             : tag == group     ? last == own_group || last == group
                             : tag == mask      ? last == own_group || last == group
                             : tag == others    ? last == mask || (last == own_group && !named)
                                                : false;
        if (!follows || (number_at(value, at + 2, 2) & ~kAllBits) != 0 ||
            (is_named && number_at(value, at + 4, 4) == kNobody)) {
            return false;
        }
        named = named || is_named;
        last = tag;
    }
    return last == others || last == 0;  // without entries: there is no list
}

}  // namespace

Result<> check_xattr(std::string_view name, std::string_view value) {
    const bool right = name == "security.capability"       ? is_capability(value)
                       : name == "system.posix_acl_access" ? is_acl(value)
                                                           : true;
    if (!right) {
        return fail(Errc::invalid_image,
                    "the extended attribute {} of {} bytes is none that the kernel knows",
                    name,
                    value.size());
    }
    return {};
}

}  // namespace knarr::layer
