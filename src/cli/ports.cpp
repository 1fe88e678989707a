#include "cli/ports.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::uint64_t kMaxPort = 65535, kMostPorts = 4096;

}  // namespace

Result<std::vector<std::string>> parse_ports(std::string_view text, std::string_view what) {
    const std::size_t slash = text.find('/');
    const std::string_view protocol =
        slash == std::string_view::npos ? "tcp" : text.substr(slash + 1);
    const std::string_view range = text.substr(0, slash);
    const std::size_t dash = range.find('-');
    const auto first = parse_number(range.substr(0, dash), kMaxPort);
    const auto last =
        dash == std::string_view::npos ? first : parse_number(range.substr(dash + 1), kMaxPort);
    constexpr std::array<std::string_view, 3> kProtocols{"tcp", "udp", "sctp"};
    const bool known = std::ranges::find(kProtocols, protocol) != kProtocols.end();
    if (!first || !last || *first == 0 || *last < *first || !known) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("{} \"{}\" is not a port", what, printable(text)),
                          .hint = "PORT or FIRST-LAST, from 1 to 65535, with /tcp, /udp or /sctp"});
    }
    if (*last - *first >= kMostPorts) {
        return fail(Errc::limit_exceeded, "{} {}: more than {} ports", what, text, kMostPorts);
    }
    std::vector<std::string> out;
    for (std::uint64_t port = *first; port <= *last; ++port) {
        out.push_back(fmt::format("{}/{}", port, protocol));
    }
    return out;
}

}  // namespace knarr::cli
