// Containers by regular expression.
#include <memory>

#include <regex.h>

#include "cli/containers.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

struct FreeRegex {
    void operator()(regex_t* compiled) const {
        regfree(compiled);
        delete compiled;
    }
};

}  // namespace

Result<std::vector<std::string>> matching_ids(const Engine& engine,
                                              const std::vector<std::string_view>& expressions) {
    std::vector<std::string> out;
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    for (const std::string_view expression : expressions) {
        std::unique_ptr<regex_t, FreeRegex> compiled(new regex_t{});
        const int error =
            regcomp(compiled.get(), std::string(expression).c_str(), REG_EXTENDED | REG_NOSUB);
        if (error != 0) {
            char text[128] = {};
            regerror(error, compiled.get(), text, sizeof text);
            delete compiled.release();  // regcomp() made nothing that regfree() could free
            return fail(Errc::invalid_argument,
                        "\"{}\" is not a regular expression: {}",
                        printable(expression),
                        text);
        }
        for (const ContainerInfo& info : all) {
            if (regexec(compiled.get(), info.id.c_str(), 0, nullptr, 0) == 0) {
                out.push_back(info.id);
            }
        }
    }
    return out;
}

}  // namespace knarr::cli
