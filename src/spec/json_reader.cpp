#include "spec/json_reader.h"

#include <algorithm>
#include <cmath>

#include "core/ascii.h"
#include "core/text.h"
#include "spec/json_tree.h"

namespace knarr::spec {

namespace {

constexpr std::size_t kShownBytes = 60;

bool is_plain_name(std::string_view name) {
    const auto plain = [](char c) { return is_alnum(c) || c == '_' || c == '-'; };
    return !name.empty() && std::all_of(name.begin(), name.end(), plain);
}

/// Adds a member's name to a path: ".type", or ["a.b"] where a dot would mislead.
void append_name(std::string& path, std::string_view name) {
    if (is_plain_name(name)) {
        path += path.empty() ? "" : ".";
        path += name;
    } else {
        path += fmt::format("[\"{}\"]", printable(name, kShownBytes));
    }
}

std::string_view kind_name(JsonKind kind) {
    switch (kind) {
        case JsonKind::null:
            return "null";
        case JsonKind::boolean:
            return "true or false";
        case JsonKind::number:
            return "a number";
        case JsonKind::string:
            return "a string";
        case JsonKind::array:
            return "an array";
        case JsonKind::object:
            return "an object";
    }
    return "";
}

Error make_error(const JsonTree& tree, std::string_view path, std::string_view text) {
    std::string message = tree.name;
    for (const std::string_view part : {path, text}) {
        if (!part.empty()) {
            message += message.empty() ? "" : ": ";
            message += part;
        }
    }
    return Error{.code = tree.failure, .message = std::move(message), .hint = {}};
}

}  // namespace

JsonDocument::JsonDocument(std::unique_ptr<JsonTree> tree) : tree_(std::move(tree)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonValue JsonDocument::root() const {
    return {tree_.get(), 0};
}

JsonKind JsonValue::kind() const {
    switch (tree_->nodes[index_].kind) {
        case NodeKind::null:
            return JsonKind::null;
        case NodeKind::boolean:
            return JsonKind::boolean;
        case NodeKind::negative:
        case NodeKind::natural:
        case NodeKind::real:
            return JsonKind::number;
        case NodeKind::string:
            return JsonKind::string;
        case NodeKind::array:
            return JsonKind::array;
        case NodeKind::object:
            return JsonKind::object;
    }
    return JsonKind::null;
}

std::string JsonValue::path() const {
    const std::vector<JsonNode>& nodes = tree_->nodes;
    std::string path;
    std::uint32_t at = 0;
    while (at != index_) {  // each round steps from a container to the child that holds index_
        const bool named = nodes[at].kind == NodeKind::object;
        std::uint32_t child = at + 1;
        std::size_t position = 0;
        while (nodes[child + (named ? 1 : 0)].end <= index_) {
            child = nodes[child + (named ? 1 : 0)].end;
            ++position;
        }
        if (named) {
            append_name(path, tree_->text(nodes[child]));
            ++child;
        } else {
            path += fmt::format("[{}]", position);
        }
        at = child;
    }
    return path;
}

std::optional<JsonValue> JsonValue::find(std::string_view name) const {
    const std::vector<JsonNode>& nodes = tree_->nodes;
    if (nodes[index_].kind != NodeKind::object) {
        return std::nullopt;
    }
    for (std::uint32_t at = index_ + 1; at < nodes[index_].end; at = nodes[at + 1].end) {
        if (tree_->text(nodes[at]) == name) {
            return nodes[at + 1].kind == NodeKind::null ? std::nullopt
                                                        : std::optional(JsonValue(tree_, at + 1));
        }
    }
    return std::nullopt;
}

JsonMembers JsonValue::children() const {
    const JsonNode& node = tree_->nodes[index_];
    const bool container = node.kind == NodeKind::array || node.kind == NodeKind::object;
    const std::uint32_t first = container ? index_ + 1 : node.end;
    return {tree_, first, node.end, node.kind == NodeKind::object};
}

std::size_t JsonValue::size() const {
    const JsonNode& node = tree_->nodes[index_];
    return node.kind == NodeKind::array || node.kind == NodeKind::object ? node.children : 0;
}

JsonMembers::Child JsonMembers::Iterator::operator*() const {
    if (named_) {
        return {tree_->text(tree_->nodes[at_]), JsonValue(tree_, at_ + 1)};
    }
    return {{}, JsonValue(tree_, at_)};
}

JsonMembers::Iterator& JsonMembers::Iterator::operator++() {
    at_ = tree_->nodes[at_ + (named_ ? 1 : 0)].end;
    return *this;
}

std::string JsonValue::shown() const {
    const JsonNode& node = tree_->nodes[index_];
    if (tree_->values == JsonValues::secret) {
        return fmt::format("this is {}", kind_name(kind()));
    }
    switch (node.kind) {
        case NodeKind::boolean:
            return node.boolean ? "true is a boolean" : "false is a boolean";
        case NodeKind::negative:
            return fmt::format("{} is a number", node.negative);
        case NodeKind::natural:
            return fmt::format("{} is a number", node.natural);
        case NodeKind::real:
            return fmt::format("{} is a number", node.real);
        case NodeKind::string:
            return fmt::format("\"{}\" is a string", printable(tree_->text(node), kShownBytes));
        default:
            return fmt::format("this is {}", kind_name(kind()));
    }
}

Error JsonValue::error(std::string_view text) const {
    return make_error(*tree_, path(), text);
}

Error JsonValue::error_at(std::string_view below, std::string_view text) const {
    std::string where = path();
    where += where.empty() ? "" : ".";
    where += below;
    return make_error(*tree_, where, text);
}

Result<> JsonValue::expect(JsonKind wanted) const {
    if (kind() != wanted) {
        return fail(error(fmt::format("{}, not {}", shown(), kind_name(wanted))));
    }
    return {};
}

Result<std::string_view> JsonValue::string() const {
    KNARR_TRY(expect(JsonKind::string));
    return tree_->text(tree_->nodes[index_]);
}

Result<bool> JsonValue::boolean() const {
    KNARR_TRY(expect(JsonKind::boolean));
    return tree_->nodes[index_].boolean;
}

namespace {

/// Why a number is not what was wanted. Doubles beyond 2^64 are whole, but out of every range.
template <typename T>
std::string number_problem(const JsonTree& tree, const JsonNode& node, T min, T max) {
    constexpr double kBeyondIntegers = 9.2e18;
    const std::string range = fmt::format("is not between {} and {}", min, max);
    if (tree.values == JsonValues::secret) {
        return "the number " + range;
    }
    if (node.kind == NodeKind::real) {
        return std::abs(node.real) > kBeyondIntegers
                   ? fmt::format("{} {}", node.real, range)
                   : fmt::format(
                         "{} is written with a fraction or an exponent, not as a whole number",
                         node.real);
    }
    return node.kind == NodeKind::negative ? fmt::format("{} {}", node.negative, range)
                                           : fmt::format("{} {}", node.natural, range);
}

}  // namespace

Result<std::int64_t> JsonValue::integer(std::int64_t min, std::int64_t max) const {
    KNARR_TRY(expect(JsonKind::number));
    const JsonNode& node = tree_->nodes[index_];
    if (node.kind == NodeKind::negative && node.negative >= min && node.negative <= max) {
        return node.negative;
    }
    if (node.kind == NodeKind::natural && std::in_range<std::int64_t>(node.natural)) {
        const auto value = static_cast<std::int64_t>(node.natural);
        if (value >= min && value <= max) {
            return value;
        }
    }
    return fail(error(number_problem(*tree_, node, min, max)));
}

Result<std::uint64_t> JsonValue::unsigned_integer(std::uint64_t max) const {
    KNARR_TRY(expect(JsonKind::number));
    const JsonNode& node = tree_->nodes[index_];
    if (node.kind == NodeKind::natural && node.natural <= max) {
        return node.natural;
    }
    return fail(error(number_problem(*tree_, node, std::uint64_t{0}, max)));
}

Result<> read_json(const JsonValue& value, std::string& out) {
    out = KNARR_TRY(value.string());
    return {};
}

Result<> read_json(const JsonValue& value, bool& out) {
    out = KNARR_TRY(value.boolean());
    return {};
}

}  // namespace knarr::spec
