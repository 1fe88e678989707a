#include "spec/json_writer.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "core/text.h"
#include "spec/utf8.h"

namespace knarr::spec {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

/// Whether a terminal may act upon the character of `length` bytes that `text` begins with: also
/// U+0080 to U+009F, as some do.
bool is_control(std::string_view text, std::size_t length) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    return (length == 1 && (byte(0) < 0x20 || byte(0) == 0x7f)) ||
           (length == 2 && byte(0) == 0xc2 && byte(1) < 0xa0) || turns_text_around(text);
}

/// JSON's escape for a character of up to three bytes. Source: RFC 3629, section 3.
std::string hex_escape(std::string_view text, std::size_t length) {
    const auto bits = [&](std::size_t at, unsigned mask) {
        return static_cast<unsigned char>(text[at]) & mask;
    };
    return fmt::format("\\u{:04x}",
                       length == 1   ? bits(0, 0x7f)
                       : length == 2 ? bits(0, 0x1f) << 6 | bits(1, 0x3f)
                                     : bits(0, 0x0f) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f));
}

}  // namespace

std::string without_controls(std::string_view json) {
    std::string out;
    for (std::size_t at = 0; at < json.size();) {
        const std::string_view rest = json.substr(at);
        const std::size_t length = utf8_sequence_length(rest);
        const bool blank = rest[0] == '\n' || rest[0] == '\t' || rest[0] == '\r';
        if (length == 0) {
            out += kReplacement;
        } else if (!blank && is_control(rest, length)) {
            out += hex_escape(rest, length);
        } else {
            out += rest.substr(0, length);
        }
        at += std::max<std::size_t>(length, 1);
    }
    return out;
}

JsonWriter& JsonWriter::open(char bracket) {
    before_value();
    text_ += bracket;
    ++depth_;
    empty_ = true;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    --depth_;
    if (!empty_) {
        line_break();
    }
    text_ += bracket;
    empty_ = false;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
    before_value();
    append_string(name);
    text_ += layout_ == JsonLayout::compact ? ":" : ": ";
    after_key_ = true;
    return *this;
}

JsonWriter& JsonWriter::null() {
    return literal("null");
}

JsonWriter& JsonWriter::value(std::string_view text) {
    before_value();
    append_string(text);
    return *this;
}

JsonWriter& JsonWriter::literal(std::string_view word) {
    before_value();
    text_ += word;
    return *this;
}

JsonWriter& JsonWriter::signed_number(std::int64_t number) {
    return literal(fmt::format_int(number).c_str());
}

JsonWriter& JsonWriter::unsigned_number(std::uint64_t number) {
    return literal(fmt::format_int(number).c_str());
}

void JsonWriter::before_value() {
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (depth_ > 0) {
        if (!empty_) {
            text_ += ',';
        }
        line_break();
    }
    empty_ = false;
}

void JsonWriter::line_break() {
    if (layout_ == JsonLayout::indented) {
        text_ += '\n';
        text_.append(2 * depth_, ' ');
    }
}

void JsonWriter::append_string(std::string_view text) {
    text_ += '"';
    std::size_t copied = 0;  // text up to here is in text_
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const std::string_view rest = text.substr(at);
        const std::size_t length = utf8_sequence_length(rest);
        if (length > 0 && c != '"' && c != '\\' && !is_control(rest, length)) {
            at += length;
            continue;
        }
        text_ += text.substr(copied, at - copied);
        if (length == 0) {
            text_ += kReplacement;
        } else if (c == '"' || c == '\\') {
            text_ += '\\';
            text_ += c;
        } else if (c == '\n') {
            text_ += "\\n";
        } else if (c == '\t') {
            text_ += "\\t";
        } else if (c == '\r') {
            text_ += "\\r";
        } else {
            text_ += hex_escape(rest, length);
        }
        at += std::max<std::size_t>(length, 1);
        copied = at;
    }
    text_ += text.substr(copied);
    text_ += '"';
}

}  // namespace knarr::spec
