#pragma once
// Go's templates over a JSON document, as docker's --format has them.

#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::cli {

/// `text` with its actions done on `document`, a JSON text: {{.A.B}}, {{json .A}}, {{range}},
/// {{if}},
/// {{with}}, variables, pipes and the functions of template_value.h.
/// Errors: invalid_argument for a member that is not there, but where a condition asks for it;
/// unsupported for what else Go's templates know.
Result<std::string> render_template(std::string_view text, std::string_view document);

}  // namespace knarr::cli
