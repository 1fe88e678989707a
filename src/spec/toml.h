#pragma once
// TOML as checked values: what podman and containerd write about registries. Files of the operator,
// so strict: what is not understood is an error with its line, and a key given twice is one too.
//
// Written here because knarr, which decides where to connect, must read them, and the libraries
// that there are drag iostreams and locales into a program that starts in under a millisecond.
// Source: toml.io v1.0.0. Dates, floats and numbers in other bases are kept as they are written.

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::spec {

struct TomlMember;

enum class TomlKind : std::uint8_t { text, boolean, integer, other, array, table };

/// One value; what belongs to other kinds is empty.
struct TomlValue {
    TomlKind kind = TomlKind::table;
    int line = 0;
    std::string text = {};  ///< text; of `other` as it was written
    bool boolean = false;
    std::int64_t integer = 0;
    std::vector<TomlValue> elements = {};
    std::list<TomlMember> members = {};  ///< in the order of the file

    /// The member of a table; null when there is none.
    const TomlValue* find(std::string_view name) const;
};

struct TomlMember {
    std::string name;
    TomlValue value;
};

/// `name` is what errors call the file: "registries.conf: line 3: ...".
/// Errors: invalid_argument; limit_exceeded past 1 MiB or 32 levels.
Result<TomlValue> parse_toml(std::string_view text, std::string_view name);

}  // namespace knarr::spec
