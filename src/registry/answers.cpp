#include "registry/answers.h"

#include "core/limits.h"
#include "spec/json_reader.h"

namespace knarr::registry {
namespace {

constexpr std::size_t kMaxErrorsShown = 3;

std::string member(const spec::JsonValue& object, std::string_view name) {
    const auto value = object.find(name);
    const auto text = value ? value->string() : Result<std::string_view>(std::string_view());
    return std::string(text.value_or(""));
}

}  // namespace

Result<std::string> decode_token(std::string_view json) {
    const spec::JsonDocument document =
        KNARR_TRY(spec::JsonDocument::parse(json,
                                            {.name = "token answer",
                                             .failure = Errc::registry_failed,
                                             .max_bytes = limits::kMaxHttpBodyBytes}));
    std::string token = member(document.root(), "token");
    if (token.empty()) {
        token = member(document.root(), "access_token");
    }
    if (token.empty()) {
        return fail(Errc::registry_failed, "token answer: there is no token in it");
    }
    return token;
}

std::string decode_error_text(std::string_view json) {
    const auto document =
        spec::JsonDocument::parse(json, {.name = "error", .max_bytes = limits::kMaxHttpBodyBytes});
    const auto errors = document ? document->root().find("errors") : std::nullopt;
    std::string text;
    std::size_t shown = 0;
    if (!errors || errors->kind() != spec::JsonKind::array) {
        return text;
    }
    for (const auto& [name, error] : errors->children()) {
        if (shown++ == kMaxErrorsShown) {
            break;
        }
        const std::string code = member(error, "code"), message = member(error, "message");
        text += (text.empty() ? "" : "; ") + code;
        text += code.empty() || message.empty() ? message : ": " + message;
    }
    return text;
}

}  // namespace knarr::registry
