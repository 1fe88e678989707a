#pragma once
// How a parsed document lies in memory; private to the JSON files of this room.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/error.h"

namespace knarr::spec {

enum class NodeKind : std::uint8_t {
    null,
    boolean,
    negative,  // number as int64
    natural,   // number as uint64
    real,      // number with a fraction or exponent, or beyond 64 bits
    string,
    array,
    object
};

/// Nodes lie in the order of the text. A container's children follow it, up to its `end`; in an
/// object each child is a string node (the name) and the value's nodes. So a path can be found
/// from an index alone, and nothing but errors pays for it.
struct JsonNode {
    union {
        const char* text;  // into JsonTree::buffer, not NUL-terminated
        std::int64_t negative;
        std::uint64_t natural;
        double real;
        bool boolean;
    };
    std::uint32_t length = 0;  // bytes of a string; children of a container
    std::uint32_t end = 0;     // index after the last node of this value
    NodeKind kind = NodeKind::null;

    std::string_view view() const { return {text, length}; }
};

struct JsonTree {
    std::string name;
    Errc failure = Errc::corrupt;
    std::unique_ptr<char[]> buffer;  // the text, unescaped in place
    std::vector<JsonNode> nodes;
};

}  // namespace knarr::spec
