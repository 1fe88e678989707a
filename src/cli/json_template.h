#pragma once
// Go's templates over a JSON document, as docker's --format has them.

#include <memory>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "knarr/result.h"

namespace knarr::cli {

struct TemplateTree;

/// What becomes of control characters in values: a container may have put them there.
enum class Controls : std::uint8_t {
    pass,    // for programs, which get the bytes as they are
    escape,  // for terminals, as \xNN, but line breaks and tabs
};
/// By what our standard output is.
Controls controls_of_output();

/// A template, read once for many documents: {{.A.B}}, {{json .A}}, {{range}} with {{break}} and
/// {{continue}}, {{if}}, {{with}}, {{define}}, {{template}}, {{block}}, variables, pipes and the
/// functions of template_value.h.
class Template {
public:
    /// Errors: invalid_argument, naming the action.
    static Result<Template> parse(std::string_view text);
    /// The text with its actions done on `document`, a JSON text. Errors: invalid_argument for a
    /// member that is not there, but where a condition asks for it; unsupported for a function that
    /// is not built.
    Result<std::string> render(std::string_view document,
                               Controls controls = controls_of_output()) const;

private:
    explicit Template(std::shared_ptr<const TemplateTree> tree) : tree_(std::move(tree)) {}
    std::shared_ptr<const TemplateTree> tree_;  // shared by copies, which nobody changes
};

/// Both at once; "json" is the document itself.
Result<std::string> render_template(std::string_view text, std::string_view document);

/// --format of a verb that prints one document.
inline constexpr Option kTemplateOption{.name = "format",
                                        .letter = 'f',
                                        .value = "TEMPLATE",
                                        .help = "json, or a Go template of members of --json"};
/// What it says of the document: the document itself for json, and where it is not given.
Result<std::string> formatted(const Parsed& args, std::string_view document);

}  // namespace knarr::cli
