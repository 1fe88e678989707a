#pragma once
// What extended headers say of the entry behind them: PAX records, and GNU's long names.
// Source: POSIX pax(1) "pax Header Block"; GNU tar manual, "Storing Sparse Files".

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "knarr/result.h"

namespace knarr::layer {

inline constexpr std::size_t kMaxXattrBytes = size::kMiB;  // all of one entry, with names
/// A PAX header holds names and attributes; room for the short records beside them.
inline constexpr std::size_t kMaxPaxBytes = kMaxXattrBytes + 64 * size::kKiB;
inline constexpr std::size_t kMaxSparseRuns = 1 << 20;  // 16 MiB of memory

using PaxRecords = std::map<std::string, std::string>;
/// Whether a PAX header speaks of the next entry, or of all that follow.
enum class PaxScope : std::uint8_t { entry, global };

struct TarExtended {
    PaxRecords& global;       // of earlier headers; outlives this
    PaxRecords records = {};  // of PAX, without attributes
    std::vector<std::pair<std::string, std::string>> xattrs = {};
    std::size_t xattr_bytes = 0;
    std::vector<std::uint64_t> sparse_numbers = {};  // offset, bytes, offset, ... of format 0.0
    std::optional<std::string> long_name = {}, long_link = {};

    /// The record that holds for the entry; an empty one is as if it were not there.
    const std::string* find(const std::string& key) const;
    /// Takes in the records of one PAX header. Errors: invalid_image; limit_exceeded.
    Result<> add_pax(std::string_view body, PaxScope scope);
};

}  // namespace knarr::layer
