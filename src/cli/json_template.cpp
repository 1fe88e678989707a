#include "cli/json_template.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "cli/template_parse.h"
#include "cli/template_value.h"
#include "core/ascii.h"
#include "core/text.h"
#include "platform/standard_stream.h"
#include "platform/terminal.h"
#include "spec/json_reader.h"

namespace knarr::cli {

namespace {

/// Whether a member that is not there is nothing, or an error.
enum class Missing : std::uint8_t { nothing, refused };

/// How it goes on behind a node.
enum class Going : std::uint8_t { on, stop, next };

constexpr unsigned kMaxCalls = 100;        // of templates within each other
constexpr unsigned kMaxAllCalls = 10'000;  // and one after the other

class Renderer {
public:
    Renderer(const TemplateTree& tree, const TemplateValue& root, Controls controls)
        : tree_(tree), controls_(controls) {
        variables_.emplace_back("", root);
    }
    Result<Going> render(const std::vector<TemplateNode>& nodes, const TemplateValue& dot);
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
    Result<Going> loop(const TemplateNode& node,
                       const TemplateValue& list,
                       const TemplateValue& dot);
    Result<> call(const TemplateNode& node, const TemplateValue& dot);
    Result<Going> act(const TemplateNode& node, const TemplateValue& dot);
    void show(const TemplateValue& value);
    void keep(const Pipeline& pipeline, const TemplateValue& value);

    const TemplateTree& tree_;
    Controls controls_;
    unsigned calls_ = 0, all_calls_ = 0;
    std::vector<std::pair<std::string, TemplateValue>> variables_;  // the innermost last
    std::string out_;
};

/// Whether people choose the names of its members: one that is not there is no mistake then.
bool is_free_map(std::string_view name) {
    constexpr std::array<std::string_view, 8> kMaps{"Labels",
                                                    "Attributes",
                                                    "Annotations",
                                                    "Sysctls",
                                                    "Options",
                                                    "Tmpfs",
                                                    "ExposedPorts",
                                                    "PortBindings"};
    return std::ranges::find(kMaps, name) != kMaps.end();
}

/// Whether docker's types have it, and print nothing's name or an empty list where a container has
/// none.
bool may_be_left_out(std::string_view name) {
    constexpr std::array<std::string_view, 7> kNames{
        "Healthcheck", "Health", "StopTimeout", "SizeRw", "SizeRootFs", "Mounts", "Volumes"};
    return std::ranges::find(kNames, name) != kNames.end();
}

/// What docker's types have, and its JSON leaves out where it is empty.
struct LeftOut {
    std::string_view beside;  // a member that only this type has
    std::string_view name;
    TemplateValue value;
};

/// The value of such a member of `object`.
std::optional<TemplateValue> left_out(const TemplateValue& object, std::string_view name) {
    static const std::array kLeftOut{
        LeftOut{"Propagation", "Name", std::string()},  // of a mount
        LeftOut{"Propagation", "Driver", std::string()},
        LeftOut{"StdinOnce", "MacAddress", std::string()},  // of Config
        LeftOut{"StdinOnce", "StopSignal", std::string()},
        LeftOut{"StdinOnce", "NetworkDisabled", false},
        LeftOut{"StdinOnce", "ArgsEscaped", false},
        LeftOut{"StdinOnce", "Shell", TemplateValue()},
        LeftOut{"CgroupParent", "StorageOpt", TemplateValue()},  // of HostConfig
        LeftOut{"RepoTags", "Variant", std::string()},           // of an image
        LeftOut{"RepoTags", "OsVersion", std::string()},
    };
    for (const LeftOut& one : kLeftOut) {
        bool found = false;
        if (one.name == name && (member_of(object, one.beside, found), found)) {
            return one.value;
        }
    }
    return std::nullopt;
}

/// What of these is a list, or a map: empty ones are printed so, and are null as JSON.
std::string_view text_of_nothing(const Pipeline& pipeline) {
    const TemplateCommand& last = pipeline.commands.back();
    if (!last.function.empty() || last.arguments.front().members.empty()) {
        return {};
    }
    constexpr std::array<std::string_view, 12> kLists{"Mounts",
                                                      "Entrypoint",
                                                      "Cmd",
                                                      "Shell",
                                                      "OnBuild",
                                                      "ExecIDs",
                                                      "Links",
                                                      "VolumesFrom",
                                                      "GroupAdd",
                                                      "DeviceRequests",
                                                      "Aliases",
                                                      "Warnings"};
    const std::string& name = last.arguments.front().members.back();
    return name == "Volumes" || name == "StorageOpt"         ? "map[]"
           : std::ranges::find(kLists, name) != kLists.end() ? "[]"
                                                             : std::string_view();
}

/// A member by its name, or, since those of docker's types and of its JSON differ in that (ID, Id,
/// id), by one that differs in nothing but capitals.
TemplateValue named_member(const TemplateValue& value, const std::string& name, bool& found) {
    TemplateValue exact = member_of(value, name, found);
    const auto* part = std::get_if<spec::JsonValue>(&value);
    if (found || part == nullptr || part->kind() != spec::JsonKind::object) {
        return exact;
    }
    for (const auto& [child_name, child] : part->children()) {
        if (to_lower(std::string(child_name)) == to_lower(name)) {
            found = true;
            return template_value(child);
        }
    }
    return exact;
}

Result<TemplateValue> members(TemplateValue value,
                              const std::vector<std::string>& names,
                              Missing missing) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string& name = names[i];
        const bool in_map = i > 0 && is_free_map(names[i - 1]);
        bool found = false;
        const TemplateValue object = std::move(value);
        value = in_map ? member_of(object, name, found) : named_member(object, name, found);
        auto empty = found || in_map ? std::nullopt : left_out(object, name);
        if (empty && i + 1 == names.size()) {
            return std::move(*empty);
        }
        if (!found && i > 0 && names[i - 1] == "Networks") {
            return TemplateValue(std::string());  // it is in no such network, and has no address
        }
        if (!found && i + 1 == names.size() && may_be_left_out(name)) {
            return TemplateValue();
        }
        if (!found && missing == Missing::refused && in_map) {
            return TemplateValue(std::string("<no value>"));  // as Go prints what a map lacks
        }
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

Result<Going> Renderer::loop(const TemplateNode& node,
                             const TemplateValue& list,
                             const TemplateValue& dot) {
    if (!is_true(list)) {
        return render(node.otherwise, dot);
    }
    std::vector<std::pair<TemplateValue, TemplateValue>> items;  // each with its number or name
    if (const auto* texts = std::get_if<Texts>(&list)) {
        for (const std::string& text : *texts) {
            items.emplace_back(static_cast<std::int64_t>(items.size()), text);
        }
    } else if (const auto* part = std::get_if<spec::JsonValue>(&list)) {
        const bool is_list = part->kind() == spec::JsonKind::array;
        for (const auto& [name, child] : part->children()) {
            items.emplace_back(is_list ? TemplateValue(static_cast<std::int64_t>(items.size()))
                                       : TemplateValue(std::string(name)),
                               template_value(child));
        }
    } else {
        return fail(Errc::invalid_argument, "--format: range wants a list or a map");
    }
    const std::vector<std::string>& names = node.pipeline.variables;
    for (const auto& [name, one] : items) {
        const std::size_t before = variables_.size();
        if (names.size() == 2) {
            variables_.emplace_back(names[0], name);
        }
        if (!names.empty()) {
            variables_.emplace_back(names.back(), one);
        }
        const Going going = KNARR_TRY(render(node.body, one));
        variables_.resize(before);
        if (going == Going::stop) {
            break;
        }
    }
    return Going::on;
}

/// A named template sees its value and nothing of ours.
Result<> Renderer::call(const TemplateNode& node, const TemplateValue& dot) {
    const auto found = tree_.named.find(node.text);
    if (found == tree_.named.end()) {
        return fail(Errc::invalid_argument,
                    "--format: there is no template \"{}\"",
                    printable(node.text, 64));
    }
    if (calls_ >= kMaxCalls || ++all_calls_ > kMaxAllCalls) {
        return fail(Errc::invalid_argument,
                    "--format: the template \"{}\" is called without end",
                    printable(node.text, 64));
    }
    const TemplateValue value_given = node.pipeline.commands.empty()
                                          ? TemplateValue()
                                          : KNARR_TRY(value(node.pipeline, dot, Missing::nothing));
    auto ours = std::exchange(variables_, {{"", value_given}});
    ++calls_;
    KNARR_TRY(render(found->second, value_given));
    --calls_;
    variables_ = std::move(ours);
    return {};
}

void Renderer::show(const TemplateValue& value) {
    const std::string text = text_of(value);
    if (controls_ == Controls::pass) {
        out_ += text;
        return;
    }
    std::string_view left = text;
    while (!left.empty()) {
        const std::size_t length = std::min(left.find_first_of("\n\t"), left.size());
        out_ += printable(left.substr(0, length), SIZE_MAX);
        out_ += left.substr(length, 1);
        left.remove_prefix(std::min(length + 1, left.size()));
    }
}

/// What has a pipeline.
Result<Going> Renderer::act(const TemplateNode& node, const TemplateValue& dot) {
    using Kind = TemplateNode::Kind;
    const bool prints = node.kind == Kind::print;
    const TemplateValue found =
        KNARR_TRY(value(node.pipeline, dot, prints ? Missing::refused : Missing::nothing));
    const std::size_t before = variables_.size();
    if (node.kind == Kind::loop) {
        return loop(node, found, dot);
    }
    keep(node.pipeline, found);
    if (prints) {
        if (node.pipeline.variables.empty()) {
            const std::string_view empty = std::holds_alternative<std::monostate>(found)
                                               ? text_of_nothing(node.pipeline)
                                               : std::string_view();
            show(empty.empty() ? found : TemplateValue(std::string(empty)));
        }
        return Going::on;
    }
    const bool holds = is_true(found);
    const Going going = KNARR_TRY(
        render(holds ? node.body : node.otherwise, node.kind == Kind::with && holds ? found : dot));
    variables_.resize(before);
    return going;
}

Result<Going> Renderer::render(const std::vector<TemplateNode>& nodes, const TemplateValue& dot) {
    using Kind = TemplateNode::Kind;
    for (const TemplateNode& node : nodes) {
        Going going = Going::on;
        if (node.kind == Kind::text) {
            out_ += node.text;
        } else if (node.kind == Kind::call) {
            KNARR_TRY(call(node, dot));
        } else if (node.kind == Kind::stop || node.kind == Kind::next) {
            going = node.kind == Kind::stop ? Going::stop : Going::next;
        } else {
            going = KNARR_TRY(act(node, dot));
        }
        if (going != Going::on) {
            return going;
        }
    }
    return Going::on;
}

}  // namespace

Controls controls_of_output() {
    return sys::is_terminal(sys::StandardStream(1).fd()) ? Controls::escape : Controls::pass;
}

Result<Template> Template::parse(std::string_view text) {
    return Template(std::make_shared<const TemplateTree>(KNARR_TRY(parse_template(text))));
}

Result<std::string> Template::render(std::string_view document, Controls controls) const {
    const auto parsed = KNARR_TRY(spec::JsonDocument::parse(document, {.name = "document"}));
    const TemplateValue root = template_value(parsed.root());
    Renderer renderer(*tree_, root, controls);
    KNARR_TRY(renderer.render(tree_->nodes, root));
    return std::move(renderer).text();
}

Result<std::string> render_template(std::string_view text, std::string_view document) {
    if (text == "json") {
        return std::string(document);
    }
    return KNARR_TRY(Template::parse(text)).render(document);
}

Result<std::string> formatted(const Parsed& args, std::string_view document) {
    return render_template(args.get("format", "json"), document);
}

}  // namespace knarr::cli
