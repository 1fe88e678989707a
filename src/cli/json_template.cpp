#include "cli/json_template.h"

#include <cstdint>
#include <optional>

#include "core/text.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

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

std::string as_json(const spec::JsonValue& value) {
    spec::JsonWriter json;
    write_value(json, value);
    return std::move(json).text();
}

/// As Go's fmt prints a value of that kind.
std::string as_text(const spec::JsonValue& value) {
    switch (value.kind()) {
        case spec::JsonKind::null:
            return "<no value>";
        case spec::JsonKind::string:
            return std::string(value.string().value_or(""));
        case spec::JsonKind::array: {
            std::string text = "[";
            for (const auto& [unnamed, child] : value.children()) {
                text += (text.size() > 1 ? " " : "") + as_text(child);
            }
            return text + "]";
        }
        case spec::JsonKind::object: {
            std::string text = "map[";
            for (const auto& [name, child] : value.children()) {
                text += fmt::format("{}{}:{}", text.size() > 4 ? " " : "", name, as_text(child));
            }
            return text + "]";
        }
        case spec::JsonKind::boolean:
        case spec::JsonKind::number:
            break;
    }
    return as_json(value);
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    while (text.ends_with(' ')) {
        text.remove_suffix(1);
    }
    return text;
}

Result<std::string> evaluate(std::string_view action, const spec::JsonValue& root) {
    constexpr std::string_view kJson = "json ";
    const bool json = action.starts_with(kJson);
    const std::string_view path = trimmed(json ? action.substr(kJson.size()) : action);
    if (!path.starts_with('.') || path.find_first_of(" |()\"") != std::string_view::npos) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("the template {{{{{}}}}} is not built: only "
                                                 "{{{{.Member.Member}}}} and {{{{json .Member}}}} "
                                                 "are",
                                                 printable(action)),
                          .hint = "without --format all is printed as JSON, which jq understands"});
    }
    spec::JsonValue value = root;
    for (const std::string_view name : split(path.substr(1), '.')) {
        if (name.empty() && path == ".") {
            break;
        }
        const spec::JsonValue* found = nullptr;
        std::optional<spec::JsonValue> member;
        for (const auto& [child_name, child] : value.children()) {
            if (child_name == name && value.kind() == spec::JsonKind::object) {
                member = child;
                found = &*member;
            }
        }
        if (found == nullptr) {
            return fail(Errc::invalid_argument,
                        "--format: there is no member {} in {}",
                        printable(name),
                        printable(path));
        }
        value = *found;
    }
    return json ? as_json(value) : as_text(value);
}

}  // namespace

Result<std::string> render_template(std::string_view text, std::string_view document) {
    const auto parsed = KNARR_TRY(spec::JsonDocument::parse(document, {.name = "document"}));
    std::string out;
    while (!text.empty()) {
        const std::size_t begin = text.find("{{");
        out += text.substr(0, begin);
        if (begin == std::string_view::npos) {
            break;
        }
        const std::size_t end = text.find("}}", begin);
        if (end == std::string_view::npos) {
            return fail(Errc::invalid_argument, "--format: a {{{{ has no }}}}");
        }
        out += KNARR_TRY(evaluate(trimmed(text.substr(begin + 2, end - begin - 2)), parsed.root()));
        text.remove_prefix(end + 2);
    }
    return out;
}

}  // namespace knarr::cli
