#pragma once
// Go's templates, as far as scripts for docker use them, as a tree. Pure.
// Source: Go's package text/template, "Actions", "Pipelines".

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::cli {

struct Pipeline;

/// What a command is given, and the members taken of it: ".A.B", "$x.A", "(...).A", "text", 5.
struct TemplateOperand {
    enum class Kind : std::uint8_t { dot, variable, text, number, boolean, nil, inner };
    Kind kind = Kind::dot;
    std::string text;  // of text; of a variable its name, "" is $
    std::int64_t number = 0;
    bool truth = false;
    std::vector<std::string> members;
    std::shared_ptr<const Pipeline> inner;  // shared by copies of the tree, which nobody changes
};

/// A function's call, or one operand alone.
struct TemplateCommand {
    std::string function;  // empty: the operand
    std::vector<TemplateOperand> arguments;
};

/// a | b | c, perhaps kept in variables: "$x :=", "$i, $x :=".
struct Pipeline {
    std::vector<std::string> variables;
    bool assigns = false;  // "=" to one that is there
    std::vector<TemplateCommand> commands;
};

struct TemplateNode {
    enum class Kind : std::uint8_t { text, print, condition, loop, with, call, stop, next };
    Kind kind = Kind::text;
    std::string text;  // of a call the template's name; its pipeline may have no commands
    Pipeline pipeline;
    std::vector<TemplateNode> body, otherwise;
};

struct TemplateTree {
    std::vector<TemplateNode> nodes;
    std::map<std::string, std::vector<TemplateNode>> named;  // by {{define}} and {{block}}
};

/// Errors: invalid_argument, naming the action.
Result<TemplateTree> parse_template(std::string_view text);

}  // namespace knarr::cli
