#include "cli/json_template.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "cli/template_parse.h"
#include "cli/template_value.h"
#include "core/text.h"
#include "spec/json_reader.h"

namespace knarr::cli {

namespace {

/// Whether a member that is not there is nothing, or an error.
enum class Missing : std::uint8_t { nothing, refused };

class Renderer {
public:
    explicit Renderer(TemplateValue root) : root_(std::move(root)) {
        variables_.emplace_back("", root_);
    }
    Result<> render(const std::vector<TemplateNode>& nodes, const TemplateValue& dot);
    std::string text() && { return std::move(out_); }

private:
    Result<TemplateValue> value(const Pipeline& pipeline,
                                const TemplateValue& dot,
                                Missing missing);
    Result<TemplateValue> value(const TemplateCommand& command,
                                const TemplateValue& dot,
                                Missing missing,
                                const std::optional<TemplateValue>& piped);
    Result<TemplateValue> value(const TemplateOperand& operand,
                                const TemplateValue& dot,
                                Missing missing);
    Result<> loop(const TemplateNode& node, const TemplateValue& list, const TemplateValue& dot);
    void keep(const Pipeline& pipeline, const TemplateValue& value);

    TemplateValue root_;
    std::vector<std::pair<std::string, TemplateValue>> variables_;  // the innermost last
    std::string out_;
};

Result<TemplateValue> members(TemplateValue value,
                              const std::vector<std::string>& names,
                              Missing missing) {
    for (const std::string& name : names) {
        bool found = false;
        value = member_of(value, name, found);
        if (!found && missing == Missing::refused) {
            return fail(Errc::invalid_argument,
                        "--format: there is no member {} in .{}",
                        printable(name),
                        printable(fmt::format("{}", fmt::join(names, "."))));
        }
    }
    return value;
}

/// docker's {{.Label "name"}} of rows, whose Labels are "a=b,c=d".
Result<TemplateValue> label(const TemplateValue& dot, const std::vector<TemplateValue>& arguments) {
    bool found = false;
    const TemplateValue labels = member_of(dot, "Labels", found);
    const auto* wanted = arguments.size() == 1 ? std::get_if<std::string>(&arguments[0]) : nullptr;
    if (!found || wanted == nullptr) {
        return fail(Errc::invalid_argument, "--format: .Label wants a label's name, and labels");
    }
    const std::string all = text_of(labels);
    for (const std::string_view one : split(all, ',')) {
        const std::size_t equals = std::min(one.find('='), one.size());
        if (one.substr(0, equals) == *wanted) {
            return TemplateValue(std::string(one.substr(std::min(equals + 1, one.size()))));
        }
    }
    return TemplateValue(std::string());
}

Result<TemplateValue> Renderer::value(const TemplateOperand& operand,
                                      const TemplateValue& dot,
                                      Missing missing) {
    using Kind = TemplateOperand::Kind;
    switch (operand.kind) {
        case Kind::dot:
            return members(dot, operand.members, missing);
        case Kind::variable:
            for (auto at = variables_.rbegin(); at != variables_.rend(); ++at) {
                if (at->first == operand.text) {
                    return members(at->second, operand.members, missing);
                }
            }
            return fail(Errc::invalid_argument,
                        "--format: there is no variable ${}",
                        printable(operand.text));
        case Kind::inner:
            return members(
                KNARR_TRY(value(*operand.inner, dot, missing)), operand.members, missing);
        case Kind::text:
            return TemplateValue(operand.text);
        case Kind::number:
            return TemplateValue(operand.number);
        case Kind::boolean:
            return TemplateValue(operand.truth);
        case Kind::nil:
            break;
    }
    return TemplateValue();
}

Result<TemplateValue> Renderer::value(const TemplateCommand& command,
                                      const TemplateValue& dot,
                                      Missing missing,
                                      const std::optional<TemplateValue>& piped) {
    if (command.function.empty()) {
        if (piped) {
            return fail(Errc::invalid_argument, "--format: behind a | stands a function");
        }
        return value(command.arguments.front(), dot, missing);
    }
    const bool asks = command.function == "and" || command.function == "or" ||
                      command.function == "not" || command.function == "eq";
    std::vector<TemplateValue> arguments;
    arguments.reserve(command.arguments.size() + 1);
    for (const TemplateOperand& one : command.arguments) {
        arguments.push_back(KNARR_TRY(value(one, dot, asks ? Missing::nothing : missing)));
    }
    if (piped) {
        arguments.push_back(*piped);
    }
    if (command.function == ".Label") {
        arguments.erase(arguments.begin());  // the dot
        return label(dot, arguments);
    }
    return call_function(command.function, arguments);
}

Result<TemplateValue> Renderer::value(const Pipeline& pipeline,
                                      const TemplateValue& dot,
                                      Missing missing) {
    std::optional<TemplateValue> last;
    for (const TemplateCommand& command : pipeline.commands) {
        last = KNARR_TRY(value(command, dot, missing, last));
    }
    return *last;
}

void Renderer::keep(const Pipeline& pipeline, const TemplateValue& value) {
    for (const std::string& name : pipeline.variables) {
        const auto there = std::find_if(variables_.rbegin(),
                                        variables_.rend(),
                                        [&](const auto& one) { return one.first == name; });
        if (pipeline.assigns && there != variables_.rend()) {
            there->second = value;
        } else {
            variables_.emplace_back(name, value);
        }
    }
}

Result<> Renderer::loop(const TemplateNode& node,
                        const TemplateValue& list,
                        const TemplateValue& dot) {
    const auto* part = std::get_if<spec::JsonValue>(&list);
    if (!is_true(list)) {
        return render(node.otherwise, dot);
    }
    if (part == nullptr) {
        return fail(Errc::invalid_argument, "--format: range wants a list or a map");
    }
    const std::vector<std::string>& names = node.pipeline.variables;
    std::int64_t number = 0;
    for (const auto& [name, child] : part->children()) {
        const std::size_t before = variables_.size();
        const TemplateValue one = template_value(child);
        if (names.size() == 2) {
            variables_.emplace_back(names[0],
                                    part->kind() == spec::JsonKind::array
                                        ? TemplateValue(number)
                                        : TemplateValue(std::string(name)));
        }
        if (!names.empty()) {
            variables_.emplace_back(names.back(), one);
        }
        ++number;
        KNARR_TRY(render(node.body, one));
        variables_.resize(before);
    }
    return {};
}

Result<> Renderer::render(const std::vector<TemplateNode>& nodes, const TemplateValue& dot) {
    using Kind = TemplateNode::Kind;
    for (const TemplateNode& node : nodes) {
        if (node.kind == Kind::text) {
            out_ += node.text;
            continue;
        }
        const bool prints = node.kind == Kind::print;
        const TemplateValue found =
            KNARR_TRY(value(node.pipeline, dot, prints ? Missing::refused : Missing::nothing));
        const std::size_t before = variables_.size();
        if (node.kind == Kind::loop) {
            KNARR_TRY(loop(node, found, dot));
            continue;
        }
        keep(node.pipeline, found);
        if (prints) {
            out_ += node.pipeline.variables.empty() ? text_of(found) : "";
            continue;
        }
        const bool holds = is_true(found);
        KNARR_TRY(render(holds ? node.body : node.otherwise,
                         node.kind == Kind::with && holds ? found : dot));
        variables_.resize(before);
    }
    return {};
}

}  // namespace

Result<std::string> render_template(std::string_view text, std::string_view document) {
    const auto parsed = KNARR_TRY(spec::JsonDocument::parse(document, {.name = "document"}));
    const std::vector<TemplateNode> nodes = KNARR_TRY(parse_template(text));
    const TemplateValue root = template_value(parsed.root());
    Renderer renderer(root);
    KNARR_TRY(renderer.render(nodes, root));
    return std::move(renderer).text();
}

}  // namespace knarr::cli
