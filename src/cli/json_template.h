#pragma once
// The part of Go's templates that scripts use to pick a value out of a JSON document.

#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::cli {

/// `text` with each {{.A.B}} replaced by that member of `document`, a JSON text, as Go prints it,
/// and each {{json .A.B}} by its JSON. "{{.}}" and "{{json .}}" are the whole.
/// Errors: invalid_argument for a member that is not there; unsupported for what else Go's
/// templates know.
Result<std::string> render_template(std::string_view text, std::string_view document);

}  // namespace knarr::cli
