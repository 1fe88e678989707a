#include "knarr/types.h"

#include <array>

#include "core/ascii.h"
#include "core/text.h"

namespace knarr {

namespace {
constexpr std::size_t kMaxIdBytes = 128;
constexpr std::array<std::string_view, 4> kIsolations{"native", "microvm", "wasm", "host"};
constexpr std::array<std::string_view, 5> kStates{
    "creating", "created", "running", "paused", "stopped"};
}  // namespace

std::string_view name_of(Isolation isolation) {
    return kIsolations[static_cast<std::size_t>(isolation)];
}

Result<Isolation> parse_isolation(std::string_view text) {
    for (std::size_t i = 0; i < kIsolations.size(); ++i) {
        if (text == kIsolations[i]) {
            return static_cast<Isolation>(i);
        }
    }
    return fail(Errc::invalid_argument,
                "isolation \"{}\" is none of native, microvm, wasm, host",
                printable(text));
}

std::string_view name_of(ContainerState state) {
    return kStates[static_cast<std::size_t>(state)];
}

Result<ContainerId> ContainerId::parse(std::string_view text) {
    bool good = !text.empty() && text.size() <= kMaxIdBytes &&
                (is_alnum(text.front()) || text.front() == '_');
    for (const char c : text) {
        good = good && (is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '+');
    }
    if (!good) {
        return fail(Errc::invalid_argument,
                    "container ID \"{}\" is not 1 to {} letters, digits, '-', '_', '.' or '+' that "
                    "start with a letter, digit or '_'",
                    printable(text),
                    kMaxIdBytes);
    }
    return ContainerId(std::string(text));
}

}  // namespace knarr
