#pragma once
// A JSON document as checked values. Hides the library that parses it.
//
//   JsonDocument doc = KNARR_TRY(JsonDocument::parse(text, {.name = "state.json"}));
//   KNARR_TRY(doc.root().required("id", record.id));      // missing or null: an error
//   KNARR_TRY(doc.root().optional("pid", record.pid));    // missing or null: left as it is
//
// Every error reads "NAME: JSON.PATH: what is wrong": "state.json: pid: -1 is not between 0 and
// 4294967295". Refused while parsing: invalid UTF-8, nesting deeper than kMaxJsonDepth,
// anything after the document, NUL in a string (the texts go to the kernel), and a member given
// twice: parsers disagree about which one counts (Go merges objects, most keep the last), and a
// document that two programs read differently is an attack (compare CVE-2021-41190).
// Integers must be written as integers, as Go demands: 1e3 and 1.0 are refused.

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "knarr/result.h"

namespace knarr::spec {

inline constexpr std::size_t kMaxJsonDepth = 64;

struct JsonTree;
class JsonValue;
class JsonMembers;

/// Whether errors may show the values of a document.
enum class JsonValues : std::uint8_t { shown, secret };

/// What a document is called in errors, which code its errors have, and how large it may be.
struct JsonSource {
    std::string_view name;
    Errc failure = Errc::corrupt;
    std::size_t max_bytes = limits::kMaxStateBytes;
    JsonValues values = JsonValues::shown;
};

/// A parsed document; owns the text of all its values.
class JsonDocument {
public:
    /// Errors: `source.failure` for anything that is not JSON, with line and column;
    /// limit_exceeded past `source.max_bytes` or the nesting bound.
    static Result<JsonDocument> parse(std::string_view text, const JsonSource& source);

    JsonDocument(JsonDocument&&) noexcept;
    JsonDocument& operator=(JsonDocument&&) noexcept;
    ~JsonDocument();

    JsonValue root() const;

private:
    explicit JsonDocument(std::unique_ptr<JsonTree> tree);
    std::unique_ptr<JsonTree> tree_;
};

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// One value of a document; a small handle that must not outlive the document.
class JsonValue {
public:
    JsonKind kind() const;
    bool is_null() const { return kind() == JsonKind::null; }

    /// Where it stands: "linux.namespaces[2].type", "annotations[\"a.b\"]"; empty for the root.
    std::string path() const;

    /// The member `name` of an object; nothing when it is absent or null, or this is no object.
    std::optional<JsonValue> find(std::string_view name) const;

    /// Elements of an array, or members of an object; nothing for other kinds.
    JsonMembers children() const;
    /// How many there are.
    std::size_t size() const;

    /// Errors: the document's code and the path when the value is of another kind.
    Result<std::string_view> string() const;
    Result<bool> boolean() const;
    Result<> expect(JsonKind kind) const;
    /// Errors: also when the number is no whole one, or not between `min` and `max`.
    Result<std::int64_t> integer(std::int64_t min, std::int64_t max) const;
    Result<std::uint64_t> unsigned_integer(std::uint64_t max) const;

    /// Reads the member `name` into `out` through read_json(). Errors: when it is missing, null,
    /// or not what `out` takes.
    template <typename T>
    Result<> required(std::string_view name, T& out) const;
    /// The same; leaves `out` alone when the member is missing or null, as Go does.
    template <typename T>
    Result<> optional(std::string_view name, T& out) const;

    /// The document's error about this value: "NAME: PATH: text".
    Error error(std::string_view text) const;
    /// The document's error about what is `below` this value ("limit", "rules[2].name"); it need
    /// not exist.
    Error error_at(std::string_view below, std::string_view text) const;
    /// The value as an error shows it: `"12" is a string`, `7 is a number`, `this is an array`;
    /// `this is a string` in a document of secrets.
    std::string shown() const;

private:
    friend class JsonDocument;
    friend class JsonMembers;
    JsonValue(const JsonTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}
    const JsonTree* tree_;
    std::uint32_t index_;
};

/// The children of an array or object, in the order of the text, for range-for.
class JsonMembers {
public:
    struct Child {
        std::string_view name;  // empty in an array
        JsonValue value;
    };
    class Iterator {
    public:
        Child operator*() const;
        Iterator& operator++();
        bool operator!=(const Iterator& other) const { return at_ != other.at_; }

    private:
        friend class JsonMembers;
        Iterator(const JsonTree* tree, std::uint32_t at, bool named)
            : tree_(tree), at_(at), named_(named) {}
        const JsonTree* tree_;
        std::uint32_t at_;
        bool named_;
    };
    Iterator begin() const { return {tree_, first_, named_}; }
    Iterator end() const { return {tree_, end_, named_}; }

private:
    friend class JsonValue;
    JsonMembers(const JsonTree* tree, std::uint32_t first, std::uint32_t end, bool named)
        : tree_(tree), first_(first), end_(end), named_(named) {}
    const JsonTree* tree_;
    std::uint32_t first_, end_;
    bool named_;
};

// read_json(value, out): how a value becomes a T. Rooms add overloads for their own structs beside
// the struct; they are found by argument-dependent lookup.

Result<> read_json(const JsonValue& value, std::string& out);
Result<> read_json(const JsonValue& value, bool& out);

template <typename T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>)
Result<> read_json(const JsonValue& value, T& out) {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_signed_v<T>) {
        out = static_cast<T>(KNARR_TRY(value.integer(Limits::min(), Limits::max())));
    } else {
        out = static_cast<T>(KNARR_TRY(value.unsigned_integer(Limits::max())));
    }
    return {};
}

template <typename T>
Result<> read_json(const JsonValue& value, std::optional<T>& out) {
    return read_json(value, out.emplace());
}

template <typename T>
Result<> read_json(const JsonValue& value, std::vector<T>& out) {
    KNARR_TRY(value.expect(JsonKind::array));
    out.clear();
    out.reserve(value.size());
    for (const auto& [name, element] : value.children()) {
        KNARR_TRY(read_json(element, out.emplace_back()));
    }
    return {};
}

template <typename T>
Result<> read_json(const JsonValue& value, std::map<std::string, T>& out) {
    KNARR_TRY(value.expect(JsonKind::object));
    out.clear();
    for (const auto& [name, member] : value.children()) {
        KNARR_TRY(read_json(member, out[std::string(name)]));
    }
    return {};
}

template <typename T>
Result<> JsonValue::required(std::string_view name, T& out) const {
    KNARR_TRY(expect(JsonKind::object));
    const std::optional<JsonValue> member = find(name);
    if (!member) {
        return fail(error_at(name, "is missing"));
    }
    return read_json(*member, out);
}

template <typename T>
Result<> JsonValue::optional(std::string_view name, T& out) const {
    KNARR_TRY(expect(JsonKind::object));
    const std::optional<JsonValue> member = find(name);
    return member ? read_json(*member, out) : Result<>{};
}

}  // namespace knarr::spec
