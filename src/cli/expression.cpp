#include "cli/expression.h"

#include <memory>

#include <regex.h>

namespace knarr::cli {

namespace {

struct FreeRegex {
    void operator()(regex_t* compiled) const {
        regfree(compiled);
        delete compiled;
    }
};
using Regex = std::unique_ptr<regex_t, FreeRegex>;

/// Nothing for what is no expression.
Regex compile(const std::string& text) {
    auto* const raw = new regex_t{};
    if (regcomp(raw, text.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
        delete raw;  // regcomp() made nothing that regfree() could free
        return nullptr;
    }
    return Regex(raw);
}

}  // namespace

bool is_expression(const std::string& text) {
    return compile(text) != nullptr;
}

bool matches_somewhere(const std::string& expression, const std::string& text) {
    const Regex regex = compile(expression);
    return regex && regexec(regex.get(), text.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace knarr::cli
