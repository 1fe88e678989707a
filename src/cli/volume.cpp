#include "cli/volume.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 8> kPropagations{
    "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"};
constexpr std::array<std::string_view, 3> kFlags{"nosuid", "nodev", "noexec"};

Result<> apply_option(std::string_view option, std::string_view text, ParsedVolume& out) {
    VolumeRequest& volume = out.volume;
    if (option == "ro" || option == "rw") {
        volume.read_only = option == "ro";
    } else if (option == "bind" || option == "rbind") {
        volume.recursive = option == "rbind";
    } else if (std::find(kPropagations.begin(), kPropagations.end(), option) !=
               kPropagations.end()) {
        volume.propagation = option;
    } else if (std::find(kFlags.begin(), kFlags.end(), option) != kFlags.end()) {
        volume.flags.emplace_back(option);
    } else if (option == "z" || option == "Z") {
        out.warnings.push_back(
            fmt::format("volume option {} does nothing: SELinux labels are not set", option));
    } else {
        return fail(
            Error{.code = Errc::invalid_argument,
                  .message = fmt::format(
                      "volume \"{}\": unknown option \"{}\"", printable(text), printable(option)),
                  .hint = "ro, rw, bind, rbind, nosuid, nodev, noexec and the propagations "
                          "(rprivate, rslave, rshared, ...) are known"});
    }
    return {};
}

}  // namespace

Result<ParsedVolume> parse_volume(std::string_view text) {
    const auto parts = split(text, ':');
    if (parts.size() == 1) {
        return fail(Error{
            .code = Errc::unsupported,
            .message =
                fmt::format("volume \"{}\": anonymous volumes are not built yet", printable(text)),
            .hint = "name a host directory: --volume HOST:CONTAINER"});
    }
    if (parts.size() > 3 || parts[0].empty() || parts[1].empty()) {
        return fail(Errc::invalid_argument,
                    "volume \"{}\" is not HOST:CONTAINER[:OPTIONS]",
                    printable(text));
    }
    if (parts[0].front() != '/' && parts[0].front() != '.') {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("volume \"{}\": named volumes are not built yet",
                                                 printable(text)),
                          .hint = fmt::format("for a directory, say ./{}", printable(parts[0]))});
    }
    if (parts[1].front() != '/') {
        return fail(Errc::invalid_argument,
                    "volume \"{}\": {} is not an absolute path",
                    printable(text),
                    printable(parts[1]));
    }
    ParsedVolume out;
    out.volume.source = parts[0];
    out.volume.target = parts[1];
    if (parts.size() == 3) {
        for (const std::string_view option : split(parts[2], ',')) {
            KNARR_TRY(apply_option(option, text, out));
        }
    }
    return out;
}

}  // namespace knarr::cli
