#include "spec/json_writer.h"

#include <charconv>

#include <fmt/format.h>

#include "core/text.h"
#include "spec/utf8.h"

namespace knarr::spec {

namespace {

/// Of a sequence of three bytes. Source: RFC 3629, section 3.
unsigned code_point(std::string_view three) {
    const auto bits = [&](std::size_t at, unsigned mask) {
        return static_cast<unsigned char>(three[at]) & mask;
    };
    return bits(0, 0x0f) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f);
}

}  // namespace

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
        const std::size_t length = utf8_sequence_length(text.substr(at));
        // Also U+0080 to U+009F, which some terminals act upon.
        const bool c1 =
            length == 2 && c == '\xc2' && static_cast<unsigned char>(text[at + 1]) < 0xa0;
        const bool turns = turns_text_around(text.substr(at));
        if (length > 0 && static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' &&
            c != '\x7f' && !c1 && !turns) {
            at += length;
            continue;
        }
        text_ += text.substr(copied, at - copied);
        if (length == 0) {
            text_ += "\xef\xbf\xbd";  // U+FFFD
        } else if (turns) {
            text_ += fmt::format("\\u{:04x}", code_point(text.substr(at)));
            at += 2;
        } else if (c1) {
            text_ += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++at]));
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
            text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        }
        copied = ++at;
    }
    text_ += text.substr(copied);
    text_ += '"';
}

}  // namespace knarr::spec
