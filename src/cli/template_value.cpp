#include "cli/template_value.h"

#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

using Values = std::vector<TemplateValue>;

void write_value(spec::JsonWriter& json, const spec::JsonValue& value) {
    switch (value.kind()) {
        case spec::JsonKind::null:
            json.null();
            return;
        case spec::JsonKind::boolean:
            json.value(value.boolean().value_or(false));
            return;
        case spec::JsonKind::number:
            if (const auto small = value.integer(INT64_MIN, INT64_MAX)) {
                json.value(*small);
            } else {
                json.value(value.unsigned_integer(UINT64_MAX).value_or(0));
            }
            return;
        case spec::JsonKind::string:
            json.value(value.string().value_or(""));
            return;
        case spec::JsonKind::array:
            json.begin_array();
            for (const auto& [unnamed, child] : value.children()) {
                write_value(json, child);
            }
            json.end_array();
            return;
        case spec::JsonKind::object:
            json.begin_object();
            for (const auto& [name, child] : value.children()) {
                json.key(name);
                write_value(json, child);
            }
            json.end_object();
            return;
    }
}

std::string as_json(const TemplateValue& value) {
    spec::JsonWriter json;
    if (const auto* part = std::get_if<spec::JsonValue>(&value)) {
        write_value(json, *part);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        json.value(*text);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        json.value(*number);
    } else if (const auto* truth = std::get_if<bool>(&value)) {
        json.value(*truth);
    } else if (const auto* texts = std::get_if<Texts>(&value)) {
        json.value(*texts);
    } else {
        json.null();
    }
    return std::move(json).text();
}

std::vector<TemplateValue> items_of(const TemplateValue& value) {
    Values items;
    if (const auto* part = std::get_if<spec::JsonValue>(&value)) {
        for (const auto& [name, child] : part->children()) {
            items.push_back(template_value(child));
        }
    }
    if (const auto* texts = std::get_if<Texts>(&value)) {
        items.assign(texts->begin(), texts->end());
    }
    return items;
}

Error misfit(std::string_view name, std::string_view wanted) {
    return fail(Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--format: {} wants {}", name, wanted),
                      .hint = {}})
        .error();
}

Result<TemplateValue> index(const Values& arguments) {
    TemplateValue value = arguments.empty() ? TemplateValue() : arguments[0];
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        if (const auto* name = std::get_if<std::string>(&arguments[i])) {
            bool found = false;
            value = member_of(value, *name, found);
            if (!found) {
                return TemplateValue(std::string());  // as a Go map of texts has it
            }
            continue;
        }
        const auto* number = std::get_if<std::int64_t>(&arguments[i]);
        const Values items = items_of(value);
        if (number == nullptr || *number < 0 || static_cast<std::size_t>(*number) >= items.size()) {
            return fail(misfit("index", "a member's name, or a number that the list has"));
        }
        value = items[static_cast<std::size_t>(*number)];
    }
    return value;
}

/// %s %v %d %q %t and %%, with a width: what scripts use.
Result<TemplateValue> format(const Values& arguments) {
    const auto* pattern = arguments.empty() ? nullptr : std::get_if<std::string>(&arguments[0]);
    if (pattern == nullptr) {
        return fail(misfit("printf", "a text first"));
    }
    constexpr std::uint64_t kMostWidth = 1000;
    std::string out;
    std::size_t used = 1;
    for (std::size_t i = 0; i < pattern->size(); ++i) {
        if ((*pattern)[i] != '%') {
            out += (*pattern)[i];
            continue;
        }
        const std::size_t end =
            std::min(pattern->find_first_not_of("-+#0123456789.", i + 1), pattern->size());
        std::string_view width = std::string_view(*pattern).substr(i + 1, end - i - 1);
        // Of %+v and %#v, which name types, no more is known here than of %v.
        width.remove_prefix(std::min(width.find_first_not_of("+#"), width.size()));
        const std::size_t dot = width.find('.');
        const auto most = dot == std::string_view::npos
                              ? std::nullopt
                              : parse_number(width.substr(dot + 1), kMostWidth);
        const bool cuts = dot != std::string_view::npos;
        width = width.substr(0, dot);
        const char verb = end < pattern->size() ? (*pattern)[end] : '\0';
        i = end;
        if (verb == '%') {
            out += '%';
            continue;
        }
        const bool left = width.starts_with('-');
        const auto columns = parse_number(width.substr(left ? 1 : 0), kMostWidth);
        if (std::string_view("svdqt").find(verb) == std::string_view::npos || verb == '\0' ||
            used >= arguments.size() || (!columns && !width.empty()) ||
            (cuts && (!most || verb != 's'))) {
            return fail(misfit("printf", "a value for each of its %s, %v, %d, %q, %t"));
        }
        const TemplateValue& value = arguments[used++];
        std::string text = verb == 'q' ? as_json(text_of(value)) : text_of(value);
        text.resize(std::min<std::size_t>(text.size(), most.value_or(text.size())));
        const std::size_t blanks = static_cast<std::size_t>(columns.value_or(0)) -
                                   std::min<std::size_t>(columns.value_or(0), text.size());
        out += left ? text + std::string(blanks, ' ') : std::string(blanks, ' ') + text;
    }
    return TemplateValue(std::move(out));
}

Result<TemplateValue> compare(std::string_view name, const Values& arguments) {
    if (arguments.size() < 2 || (name != "eq" && arguments.size() > 2)) {
        return fail(misfit(name, "two values"));
    }
    const auto* a = std::get_if<std::int64_t>(&arguments[0]);
    const auto order = [&](const TemplateValue& other) {
        const auto* b = std::get_if<std::int64_t>(&other);
        if (a != nullptr && b != nullptr) {
            return *a < *b ? -1 : *a > *b ? 1 : 0;
        }
        return text_of(arguments[0]).compare(text_of(other));
    };
    if (name == "eq") {
        return TemplateValue(std::any_of(arguments.begin() + 1,
                                         arguments.end(),
                                         [&](const auto& one) { return order(one) == 0; }));
    }
    const int found = order(arguments[1]);
    return TemplateValue(name == "ne"   ? found != 0
                         : name == "lt" ? found < 0
                         : name == "le" ? found <= 0
                         : name == "gt" ? found > 0
                                        : found >= 0);
}

/// Go's text[FROM:TO]; lists are not cut.
Result<TemplateValue> slice(const Values& arguments) {
    const auto* text = arguments.empty() ? nullptr : std::get_if<std::string>(&arguments[0]);
    std::size_t from = 0, to = text != nullptr ? text->size() : 0;
    bool fits = text != nullptr && arguments.size() <= 3;
    for (std::size_t i = 1; fits && i < arguments.size(); ++i) {
        const auto* number = std::get_if<std::int64_t>(&arguments[i]);
        fits =
            number != nullptr && *number >= 0 && static_cast<std::size_t>(*number) <= text->size();
        if (fits) {
            (i == 1 ? from : to) = static_cast<std::size_t>(*number);
        }
    }
    return fits && from <= to ? Result<TemplateValue>(text->substr(from, to - from))
                              : fail(misfit("slice", "a text, and places that it has"));
}

Texts parts_of(std::string_view text, std::string_view between) {
    Texts parts;
    for (std::size_t at = text.find(between); at != std::string_view::npos;
         at = text.find(between)) {
        parts.emplace_back(text.substr(0, at));
        text.remove_prefix(at + between.size());
    }
    parts.emplace_back(text);
    return parts;
}

/// docker's pad TEXT BEFORE AFTER: so many blanks.
Result<TemplateValue> pad(const Values& arguments) {
    constexpr std::int64_t kMostBlanks = 1000;
    const auto blanks = [&](std::size_t i) -> const std::int64_t* {
        const auto* count =
            arguments.size() == 3 ? std::get_if<std::int64_t>(&arguments[i]) : nullptr;
        return count != nullptr && *count >= 0 && *count <= kMostBlanks ? count : nullptr;
    };
    if (blanks(1) == nullptr || blanks(2) == nullptr) {
        return fail(misfit("pad", "a text and two numbers of blanks"));
    }
    const std::string text = text_of(arguments[0]);
    return TemplateValue(text.empty()
                             ? text
                             : std::string(static_cast<std::size_t>(*blanks(1)), ' ') + text +
                                   std::string(static_cast<std::size_t>(*blanks(2)), ' '));
}

TemplateValue joined(const Values& arguments, std::string_view between, std::string_view end) {
    std::string out;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        out += i > 0 ? between : "";
        out += text_of(arguments[i]);
    }
    return TemplateValue(out + std::string(end));
}

/// As Go has it: a blank between two of which neither is a text.
TemplateValue printed(const Values& arguments) {
    std::string out;
    const auto is_text = [&](std::size_t i) {
        return std::holds_alternative<std::string>(arguments[i]);
    };
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        out += i > 0 && !is_text(i - 1) && !is_text(i) ? " " : "";
        out += text_of(arguments[i]);
    }
    return TemplateValue(std::move(out));
}

/// Of lists and texts.
Result<TemplateValue> of_texts(std::string_view name, const Values& arguments) {
    const auto* last = arguments.empty() ? nullptr : std::get_if<std::string>(&arguments.back());
    if (name == "join" && arguments.size() == 2) {
        return joined(items_of(arguments[0]), text_of(arguments[1]), "");
    }
    if (name == "pad") {
        return pad(arguments);
    }
    if (name == "split") {
        const auto* text =
            arguments.size() == 2 ? std::get_if<std::string>(&arguments[0]) : nullptr;
        return text != nullptr && last != nullptr && !last->empty()
                   ? Result<TemplateValue>(parts_of(*text, *last))
                   : fail(misfit(name, "a text and what stands between its parts"));
    }
    if (name == "truncate") {
        const auto* text =
            arguments.size() == 2 ? std::get_if<std::string>(&arguments[0]) : nullptr;
        const auto* most = text != nullptr ? std::get_if<std::int64_t>(&arguments[1]) : nullptr;
        return most != nullptr && *most >= 0
                   ? Result<TemplateValue>(text->substr(0, static_cast<std::size_t>(*most)))
                   : fail(misfit(name, "a text and a length"));
    }
    if (last == nullptr) {
        return fail(misfit(name, "a text"));
    }
    if (name == "lower" || name == "upper") {
        return TemplateValue(name == "lower" ? to_lower(*last) : to_upper(*last));
    }
    if (name == "title") {
        return TemplateValue(last->empty() ? *last
                                           : to_upper(last->substr(0, 1)) + last->substr(1));
    }
    return fail(misfit(name, "one value more"));
}

}  // namespace

TemplateValue template_value(const spec::JsonValue& value) {
    switch (value.kind()) {
        case spec::JsonKind::null:
            return {};
        case spec::JsonKind::boolean:
            return value.boolean().value_or(false);
        case spec::JsonKind::number:
            if (const auto small = value.integer(INT64_MIN, INT64_MAX)) {
                return *small;
            }
            return fmt::format("{}", value.unsigned_integer(UINT64_MAX).value_or(0));
        case spec::JsonKind::string:
            return std::string(value.string().value_or(""));
        case spec::JsonKind::array:
        case spec::JsonKind::object:
            break;
    }
    return value;
}

std::string text_of(const TemplateValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        return *text;
    }
    if (const auto* texts = std::get_if<Texts>(&value)) {
        return fmt::format("[{}]", fmt::join(*texts, " "));
    }
    const auto* part = std::get_if<spec::JsonValue>(&value);
    if (part == nullptr) {
        return std::holds_alternative<std::monostate>(value) ? "<nil>" : as_json(value);
    }
    const bool list = part->kind() == spec::JsonKind::array;
    std::string text = list ? "[" : "map[";
    bool first = true;
    for (const auto& [name, child] : part->children()) {
        text += first ? "" : " ";
        text += list ? "" : fmt::format("{}:", name);
        text += text_of(template_value(child));
        first = false;
    }
    return text + "]";
}

bool is_true(const TemplateValue& value) {
    if (const auto* truth = std::get_if<bool>(&value)) {
        return *truth;
    }
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return *number != 0;
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        return !text->empty();
    }
    if (const auto* texts = std::get_if<Texts>(&value)) {
        return !texts->empty();
    }
    const auto* part = std::get_if<spec::JsonValue>(&value);
    return part != nullptr && part->size() > 0;
}

TemplateValue member_of(const TemplateValue& value, std::string_view name, bool& found) {
    found = false;
    const auto* part = std::get_if<spec::JsonValue>(&value);
    if (part == nullptr || part->kind() != spec::JsonKind::object) {
        return {};
    }
    // Not find(), to which a member that is null is not there.
    for (const auto& [child_name, child] : part->children()) {
        if (child_name == name) {
            found = true;
            return template_value(child);
        }
    }
    return {};
}

Result<TemplateValue> call_function(std::string_view name, const Values& arguments) {
    if (name == "and" || name == "or") {
        const bool wanted = name == "or";
        const auto first = std::ranges::find_if(
            arguments, [&](const TemplateValue& one) { return is_true(one) == wanted; });
        return arguments.empty()          ? fail(misfit(name, "values"))
               : first == arguments.end() ? Result<TemplateValue>(arguments.back())
                                          : Result<TemplateValue>(*first);
    }
    if (name == "println") {
        return joined(arguments, " ", "\n");
    }
    if (name == "print") {
        return printed(arguments);
    }
    if (name == "printf") {
        return format(arguments);
    }
    if (name == "index") {
        return index(arguments);
    }
    constexpr std::array<std::string_view, 6> kComparisons{"eq", "ne", "lt", "le", "gt", "ge"};
    if (std::ranges::find(kComparisons, name) != kComparisons.end()) {
        return compare(name, arguments);
    }
    constexpr std::array<std::string_view, 7> kOfTexts{
        "join", "lower", "upper", "title", "truncate", "split", "pad"};
    if (std::ranges::find(kOfTexts, name) != kOfTexts.end()) {
        return of_texts(name, arguments);
    }
    if (name == "slice") {
        return slice(arguments);
    }
    if (name != "json" && name != "not" && name != "len") {
        return fail(
            Error{.code = Errc::unsupported,
                  .message = fmt::format("--format: the function {} is not built", printable(name)),
                  .hint = "json, index, len, slice, join, split, printf, print, println, upper, "
                          "lower, title, pad, truncate, eq, ne, lt, le, gt, ge, and, or, not are"});
    }
    if (arguments.size() != 1) {
        return fail(misfit(name, "one value"));
    }
    if (name == "json") {
        return TemplateValue(as_json(arguments[0]));
    }
    if (name == "not") {
        return TemplateValue(!is_true(arguments[0]));
    }
    const auto* text = std::get_if<std::string>(&arguments[0]);
    return TemplateValue(
        static_cast<std::int64_t>(text != nullptr ? text->size() : items_of(arguments[0]).size()));
}

}  // namespace knarr::cli
