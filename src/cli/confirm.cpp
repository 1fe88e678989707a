#include "cli/confirm.h"

#include <array>

#include <fmt/format.h>

#include "cli/output.h"
#include "platform/standard_stream.h"

namespace knarr::cli {

Result<bool> confirmed(const Parsed& args, std::string_view what) {
    if (args.flag("force")) {
        return true;
    }
    print_error(
        fmt::format("WARNING! This will remove {}.\n"
                    "Are you sure you want to continue? [y/N] ",
                    what));
    const sys::StandardStream input(0);
    std::array<char, 64> answer{};
    const std::size_t size = KNARR_TRY(sys::read_some(input.fd(), answer));
    const bool yes = size > 0 && (answer[0] == 'y' || answer[0] == 'Y');
    if (!yes) {
        print_error("nothing is removed; -f removes without the question\n");
    }
    return yes;
}

}  // namespace knarr::cli
