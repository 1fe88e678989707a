#include "cli/confirm.h"

#include <array>

#include <fmt/format.h>

#include "cli/output.h"
#include "platform/standard_stream.h"

namespace knarr::cli {

Result<bool> confirmed(std::string_view what) {
    print_error(
        fmt::format("WARNING! This will remove {}.\n"
                    "Are you sure you want to continue? [y/N] ",
                    what));
    const sys::StandardStream input(0);
    std::array<char, 64> answer{};
    return KNARR_TRY(sys::read_some(input.fd(), answer)) > 0 &&
           (answer[0] == 'y' || answer[0] == 'Y');
}

}  // namespace knarr::cli
