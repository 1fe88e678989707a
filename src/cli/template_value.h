#pragma once
// Values of templates, and the functions that docker's templates have. Pure.
// Source: Go's package text/template, "Functions"; docker's "Format command and log output".

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "knarr/result.h"
#include "spec/json_reader.h"

namespace knarr::cli {

using Texts = std::vector<std::string>;
/// Nothing, or a value; of JSON those alone that have children.
using TemplateValue =
    std::variant<std::monostate, bool, std::int64_t, std::string, spec::JsonValue, Texts>;

TemplateValue template_value(const spec::JsonValue& value);
/// As Go's fmt prints it.
std::string text_of(const TemplateValue& value);
/// Neither nothing, false, 0 nor empty.
bool is_true(const TemplateValue& value);
/// Nothing where it has no such member.
TemplateValue member_of(const TemplateValue& value, std::string_view name, bool& found);

/// Errors: invalid_argument for arguments that do not fit; unsupported for other functions.
Result<TemplateValue> call_function(std::string_view name,
                                    const std::vector<TemplateValue>& arguments);

}  // namespace knarr::cli
