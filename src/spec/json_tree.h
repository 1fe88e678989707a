#pragma once
// How a parsed document lies in memory; private to the JSON files of this room.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spec/json_reader.h"

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
/// from an index alone, and nothing but errors pays for it. 16 bytes, because touching fresh
/// memory is the dearest part of parsing.
struct JsonNode {
    struct Text {
        std::uint32_t offset, length;  // bytes, in JsonTree::buffer
    };
    union {
        Text text;
        std::uint32_t children;  // of a container: elements or members
        std::int64_t negative;
        std::uint64_t natural;
        double real;
        bool boolean;
    };
    std::uint32_t end = 0;  // index after the last node of this value
    NodeKind kind = NodeKind::null;
};
static_assert(sizeof(JsonNode) == 16);

struct JsonTree {
    std::string name;
    Errc failure = Errc::corrupt;
    JsonValues values = JsonValues::shown;
    std::unique_ptr<char[]> buffer;  // the text, unescaped in place
    std::vector<JsonNode> nodes;

    /// The text of a string node.
    std::string_view text(const JsonNode& node) const {
        return {buffer.get() + node.text.offset, node.text.length};
    }
};

}  // namespace knarr::spec
