#include "spec/toml.h"

#include <algorithm>
#include <optional>

#include "core/ascii.h"
#include "core/core.h"

namespace knarr::spec {

namespace {

constexpr std::size_t kMaxBytes = size::kMiB;
constexpr int kMaxDepth = 32;

bool is_bare(char c) {
    return is_alnum(c) || c == '_' || c == '-';
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xc0 | code >> 6);
        byte(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        byte(0xe0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    }
}

class Parser {
public:
    Parser(std::string_view text, std::string_view name) : rest_(text), name_(name) {}

    Result<TomlValue> run() {
        TomlValue root;
        TomlValue* table = &root;
        while (true) {
            KNARR_TRY(skip_lines());
            if (rest_.empty()) {
                return root;
            }
            if (peek() == '[') {
                table = KNARR_TRY(header(root));
            } else {
                KNARR_TRY(member(*table, 0));
            }
            KNARR_TRY(end_of_line());
        }
    }

private:
    std::unexpected<Error> bad(std::string_view why) const {
        return fail(Errc::invalid_argument, "{}: line {}: {}", name_, line_, why);
    }
    char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    void skip(std::size_t bytes) { rest_.remove_prefix(std::min(bytes, rest_.size())); }
    bool take(std::string_view what) {
        if (!rest_.starts_with(what)) {
            return false;
        }
        skip(what.size());
        return true;
    }
    void skip_blanks() {
        while (peek() == ' ' || peek() == '\t') {
            skip(1);
        }
    }
    bool take_newline() {
        if (take("\n") || take("\r\n")) {
            ++line_;
            return true;
        }
        return false;
    }
    Result<> skip_comment() {
        if (peek() != '#') {
            return {};
        }
        while (!rest_.empty() && peek() != '\n') {
            const char c = peek();
            if (c == 0x7f || (c >= 0 && c < ' ' && c != '\t' && c != '\r')) {
                return bad("a control character in a comment");
            }
            skip(1);
        }
        return {};
    }
    /// Blanks, comments and line ends.
    Result<> skip_lines() {
        do {
            skip_blanks();
            KNARR_TRY(skip_comment());
        } while (take_newline());
        return {};
    }
    Result<> end_of_line() {
        skip_blanks();
        KNARR_TRY(skip_comment());
        if (!rest_.empty() && !take_newline()) {
            return bad("more than one thing in a line");
        }
        return {};
    }

    Result<std::vector<std::string>> key() {
        std::vector<std::string> parts;
        do {
            skip_blanks();
            std::string part;
            if (peek() == '"') {
                part = KNARR_TRY(basic());
            } else if (peek() == '\'') {
                part = KNARR_TRY(literal());
            } else {
                while (is_bare(peek())) {
                    part += peek();
                    skip(1);
                }
                if (part.empty()) {
                    return bad("a name is missing");
                }
            }
            parts.push_back(std::move(part));
            skip_blanks();
        } while (take("."));
        if (parts.size() > kMaxDepth) {
            return fail(Errc::limit_exceeded, "{}: line {}: nested too deep", name_, line_);
        }
        return parts;
    }

    TomlValue* find(TomlValue& table, const std::string& name) {
        const auto at = std::ranges::find(table.members, name, &TomlMember::name);
        return at == table.members.end() ? nullptr : &at->value;
    }
    TomlValue& add(TomlValue& table, std::string name, TomlValue value) {
        value.line = line_;
        return table.members.emplace_back(TomlMember{std::move(name), std::move(value)}).value;
    }

    /// The table that a further part of a name is in, made when it is not there. Of an array of
    /// tables the last one is meant.
    Result<TomlValue*> enter(TomlValue& table, const std::string& name) {
        TomlValue* next = find(table, name);
        if (next == nullptr) {
            return &add(table, name, TomlValue{});
        }
        if (next->kind == TomlKind::array && is_open(*next)) {
            next = &next->elements.back();
        }
        if (next->kind != TomlKind::table || is_closed(*next)) {
            return bad(fmt::format("\"{}\" is no table to add to", printable(name)));
        }
        return next;
    }

    Result<TomlValue*> header(TomlValue& root) {
        skip(1);
        const bool array = take("[");
        const std::vector<std::string> parts = KNARR_TRY(key());
        if (!take(array ? "]]" : "]")) {
            return bad("the bracket is not closed");
        }
        TomlValue* table = &root;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            table = KNARR_TRY(enter(*table, parts[i]));
        }
        TomlValue* last = find(*table, parts.back());
        if (!array) {
            if (last == nullptr) {
                last = &add(*table, parts.back(), TomlValue{});
            } else if (last->kind != TomlKind::table || last->boolean) {
                return bad(fmt::format("\"{}\" is there already", printable(parts.back())));
            }
            last->boolean = true;  // has had its header; see is_closed
            return last;
        }
        if (last == nullptr) {
            last = &add(*table, parts.back(), TomlValue{.kind = TomlKind::array, .boolean = true});
        } else if (!is_open(*last)) {
            return bad(fmt::format("\"{}\" is no array of tables", printable(parts.back())));
        }
        TomlValue& element = last->elements.emplace_back();
        element.line = line_;
        element.boolean = true;
        return &element;
    }

    // A table's `boolean` says that it has had its header, `integer` that it was written inline and
    // is complete; an array's `boolean` that [[headers]] made it.
    static bool is_closed(const TomlValue& table) { return table.integer != 0; }
    static bool is_open(const TomlValue& array) {
        return array.kind == TomlKind::array && array.boolean;
    }

    Result<> member(TomlValue& table, int depth) {
        const std::vector<std::string> parts = KNARR_TRY(key());
        if (!take("=")) {
            return bad("= is missing");
        }
        skip_blanks();
        TomlValue* at = &table;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            at = KNARR_TRY(enter(*at, parts[i]));
        }
        if (find(*at, parts.back()) != nullptr) {
            return bad(fmt::format("\"{}\" is given twice", printable(parts.back())));
        }
        TomlValue read = KNARR_TRY(value(depth + 1));
        add(*at, parts.back(), std::move(read));
        return {};
    }

    Result<TomlValue> value(int depth) {
        if (depth > kMaxDepth) {
            return fail(Errc::limit_exceeded, "{}: line {}: nested too deep", name_, line_);
        }
        TomlValue out{.kind = TomlKind::text, .line = line_};
        switch (peek()) {
            case '"':
                out.text =
                    rest_.starts_with("\"\"\"") ? KNARR_TRY(long_text('"')) : KNARR_TRY(basic());
                return out;
            case '\'':
                out.text =
                    rest_.starts_with("'''") ? KNARR_TRY(long_text('\'')) : KNARR_TRY(literal());
                return out;
            case '[':
                return array(depth);
            case '{':
                return inline_table(depth);
            default:
                return word();
        }
    }

    Result<TomlValue> word() {
        TomlValue out{.kind = TomlKind::other, .line = line_};
        while (is_bare(peek()) || peek() == '+' || peek() == '.' || peek() == ':') {
            out.text += peek();
            skip(1);
        }
        if (out.text.empty()) {
            return bad("a value is missing");
        }
        if (out.text == "true" || out.text == "false") {
            out.kind = TomlKind::boolean;
            out.boolean = out.text == "true";
            return out;
        }
        std::string digits = out.text;
        std::erase(digits, '_');
        const bool negative = digits.starts_with('-');
        const std::string_view plain =
            std::string_view(digits).substr(negative || digits.starts_with('+') ? 1 : 0);
        if (const auto number = parse_number(plain, INT64_MAX)) {
            out.kind = TomlKind::integer;
            out.integer =
                negative ? -static_cast<std::int64_t>(*number) : static_cast<std::int64_t>(*number);
        } else if (plain.empty() || (plain.front() >= 'a' && plain != "inf" && plain != "nan")) {
            return bad(
                fmt::format("\"{}\" is no value: texts stand in quotes", printable(out.text)));
        }
        return out;
    }

    Result<TomlValue> array(int depth) {
        TomlValue out{.kind = TomlKind::array, .line = line_};
        skip(1);
        while (true) {
            KNARR_TRY(skip_lines());
            if (take("]")) {
                return out;
            }
            out.elements.push_back(KNARR_TRY(value(depth + 1)));
            KNARR_TRY(skip_lines());
            if (!take(",") && peek() != ']') {
                return bad("an array wants , or ]");
            }
        }
    }

    Result<TomlValue> inline_table(int depth) {
        TomlValue out{.kind = TomlKind::table, .line = line_};
        skip(1);
        skip_blanks();
        if (!take("}")) {
            do {
                KNARR_TRY(member(out, depth));
                skip_blanks();
            } while (take(","));
            if (!take("}")) {
                return bad("a table in braces wants , or }");
            }
        }
        out.integer = 1;
        return out;
    }

    Result<std::string> literal() {
        skip(1);
        std::string out;
        while (peek() != '\'') {
            if (rest_.empty() || peek() == '\n') {
                return bad("the text is not closed");
            }
            KNARR_TRY(plain(out));
        }
        skip(1);
        return out;
    }

    Result<std::string> basic() {
        skip(1);
        std::string out;
        while (peek() != '"') {
            if (rest_.empty() || peek() == '\n') {
                return bad("the text is not closed");
            }
            if (peek() == '\\') {
                KNARR_TRY(escape(out));
            } else {
                KNARR_TRY(plain(out));
            }
        }
        skip(1);
        return out;
    }

    Result<> plain(std::string& out) {
        const char c = peek();
        if (c == 0x7f || (c >= 0 && c < ' ' && c != '\t')) {
            return bad("a control character in a text");
        }
        out += c;
        skip(1);
        return {};
    }

    /// """...""" and '''...''': a first line end is left out, as are line ends after a backslash.
    Result<std::string> long_text(char quote) {
        const std::string close(3, quote);
        skip(3);
        take_newline();
        std::string out;
        while (!rest_.starts_with(close)) {
            if (rest_.empty()) {
                return bad("the text is not closed");
            }
            if (take_newline()) {
                out += '\n';
            } else if (quote == '"' && peek() == '\\') {
                KNARR_TRY(long_escape(out));
            } else {
                KNARR_TRY(plain(out));
            }
        }
        skip(3);
        for (int more = 0; more < 2 && peek() == quote; ++more) {  // quotes before the last three
            out += quote;
            skip(1);
        }
        return out;
    }

    Result<> long_escape(std::string& out) {
        const std::size_t next = rest_.find_first_not_of(" \t", 1);
        if (next == std::string_view::npos || (rest_[next] != '\n' && rest_[next] != '\r')) {
            return escape(out);
        }
        skip(1);
        do {
            skip_blanks();
        } while (take_newline());
        return {};
    }

    Result<> escape(std::string& out) {
        skip(1);
        const char c = peek();
        skip(1);
        constexpr std::string_view kLetters = "btnfr\"\\", kMeanings = "\b\t\n\f\r\"\\";
        if (const std::size_t at = kLetters.find(c); at != std::string_view::npos && c != '\0') {
            out += kMeanings[at];
            return {};
        }
        if (c != 'u' && c != 'U') {
            return bad("an unknown escape in a text");
        }
        const std::size_t digits = c == 'u' ? 4 : 8;
        std::uint32_t code = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            constexpr std::string_view kHex = "0123456789abcdef0123456789ABCDEF";
            const std::size_t digit = rest_.empty() ? std::string_view::npos : kHex.find(peek());
            if (digit == std::string_view::npos) {
                return bad("an escape wants hex digits");
            }
            code = code << 4 | static_cast<std::uint32_t>(digit % 16);
            skip(1);
        }
        if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            return bad("an escape that is no character");
        }
        append_utf8(out, code);
        return {};
    }

    std::string_view rest_;
    std::string_view name_;
    int line_ = 1;
};

}  // namespace

const TomlValue* TomlValue::find(std::string_view name) const {
    const auto at = std::ranges::find(members, name, &TomlMember::name);
    return at == members.end() ? nullptr : &at->value;
}

Result<TomlValue> parse_toml(std::string_view text, std::string_view name) {
    if (text.size() > kMaxBytes) {
        return fail(Errc::limit_exceeded,
                    "{}: {} bytes; at most {} are allowed",
                    name,
                    text.size(),
                    kMaxBytes);
    }
    return Parser(text, name).run();
}

}  // namespace knarr::spec
