#pragma once
// Writes JSON text: records, states, and what --json prints.
//
//   JsonWriter json(JsonLayout::indented);
//   json.begin_object();
//   json.member("id", id);
//   json.key("layers").begin_array();
//   for (const auto& layer : layers) json.value(layer.text());
//   json.end_array().end_object();
//   puts(json.text().c_str());
//
// Texts are escaped as RFC 8259 demands and no further (no HTML escaping); bytes that are not UTF-8
// become U+FFFD, so that the output is always valid. Calls must nest properly; nothing checks it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace knarr::spec {

/// A JSON text that means the same, without what a terminal may act upon, which can stand in texts
/// only: controls but tab and line breaks, U+0080 to U+009F, and what turns text around. Bytes that
/// are not UTF-8 become U+FFFD.
std::string without_controls(std::string_view json);

enum class JsonLayout : std::uint8_t { compact, indented };  // indented by two blanks

class JsonWriter {
public:
    explicit JsonWriter(JsonLayout layout = JsonLayout::compact) : layout_(layout) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    /// The name of the member whose value comes next.
    JsonWriter& key(std::string_view name);

    JsonWriter& null();
    JsonWriter& value(std::string_view text);
    JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    template <typename T>
        requires std::is_integral_v<T>
    JsonWriter& value(T number) {
        if constexpr (std::is_same_v<T, bool>) {
            return literal(number ? "true" : "false");
        } else if constexpr (std::is_signed_v<T>) {
            return signed_number(number);
        } else {
            return unsigned_number(number);
        }
    }
    /// Null when there is no value.
    template <typename T>
    JsonWriter& value(const std::optional<T>& maybe) {
        return maybe ? value(*maybe) : null();
    }
    template <typename T>
    JsonWriter& value(const std::vector<T>& elements) {
        begin_array();
        for (const T& element : elements) {
            value(element);
        }
        return end_array();
    }
    template <typename T>
    JsonWriter& value(const std::map<std::string, T>& members) {
        begin_object();
        for (const auto& [name, member_value] : members) {
            member(name, member_value);
        }
        return end_object();
    }

    template <typename T>
    JsonWriter& member(std::string_view name, const T& content) {
        key(name);
        return value(content);
    }

    /// What was written; without a line break at the end.
    const std::string& text() const& { return text_; }
    std::string text() && { return std::move(text_); }

private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    JsonWriter& literal(std::string_view word);
    JsonWriter& signed_number(std::int64_t number);
    JsonWriter& unsigned_number(std::uint64_t number);
    void before_value();
    void line_break();
    void append_string(std::string_view text);

    std::string text_;
    JsonLayout layout_;
    std::size_t depth_ = 0;
    bool empty_ = true;  // nothing yet in the innermost container
    bool after_key_ = false;
};

}  // namespace knarr::spec
