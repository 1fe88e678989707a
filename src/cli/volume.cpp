#include "cli/volume.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 8> kPropagations{
    "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"};
constexpr std::array<std::string_view, 4> kConsistencies{
    "cached", "delegated", "consistent", "default"};
constexpr std::array<std::string_view, 3> kFlags{"nosuid", "nodev", "noexec"};

Result<> apply_option(std::string_view option, std::string_view text, ParsedVolume& out) {
    VolumeRequest& volume = out.volume;
    if (option == "ro" || option == "rw") {
        volume.read_only = option == "ro";
    } else if ((option == "bind" || option == "rbind") && volume.kind == VolumeKind::bind) {
        volume.recursive = option == "rbind";
    } else if (is_propagation(option) && volume.kind == VolumeKind::bind) {
        volume.propagation = option;
    } else if (std::find(kFlags.begin(), kFlags.end(), option) != kFlags.end()) {
        volume.flags.emplace_back(option);
    } else if (option == "nocopy" && volume.kind == VolumeKind::volume) {
        volume.no_copy = true;
    } else if (std::ranges::find(kConsistencies, option) != kConsistencies.end()) {
        // How a virtual machine's share may lag behind: here there is none.
    } else if (option == "z" || option == "Z") {
        out.warnings.push_back(
            fmt::format("volume option {} does nothing: SELinux labels are not set", option));
    } else {
        return fail(
            Error{.code = Errc::invalid_argument,
                  .message = fmt::format(
                      "volume \"{}\": unknown option \"{}\"", printable(text), printable(option)),
                  .hint = volume.kind == VolumeKind::volume
                              ? "ro, rw, nosuid, nodev, noexec and nocopy are known of a volume"
                              : "ro, rw, bind, rbind, nosuid, nodev, noexec and the propagations "
                                "(rprivate, rslave, rshared, ...) are known of a bind"});
    }
    return {};
}

}  // namespace

bool is_propagation(std::string_view text) {
    return std::ranges::find(kPropagations, text) != kPropagations.end();
}

Result<> check_volume_driver(std::string_view driver) {
    return driver == "local" ? Result<>{}
                             : fail(Error{.code = Errc::unsupported,
                                          .message = fmt::format("there is no volume driver {}",
                                                                 printable(driver)),
                                          .hint = "local is; it keeps volumes in the data root"});
}

Result<ParsedVolume> parse_volume(std::string_view text) {
    auto parts = split(text, ':');
    const bool anonymous = parts.size() == 1 && !parts[0].empty();
    if (anonymous) {
        parts.insert(parts.begin(), std::string_view{});
    }
    if (parts.size() > 3 || (parts[0].empty() && !anonymous) || parts.size() < 2 ||
        parts[1].empty()) {
        return fail(Errc::invalid_argument,
                    "volume \"{}\" is neither HOST:CONTAINER[:OPTIONS] nor "
                    "NAME:CONTAINER[:OPTIONS] nor CONTAINER",
                    printable(text));
    }
    if (parts[1].front() != '/') {
        return fail(Error{
            .code = Errc::invalid_argument,
            .message = fmt::format(
                "volume \"{}\": {} is not an absolute path", printable(text), printable(parts[1])),
            .hint = "a volume is NAME:DIR, a directory of the host /HOST:DIR or ./HOST:DIR; a "
                    "volume without a name is /DIR alone"});
    }
    ParsedVolume out;
    out.volume.source = parts[0];
    out.volume.target = parts[1];
    if (anonymous || (parts[0].front() != '/' && parts[0].front() != '.')) {
        out.volume.kind = VolumeKind::volume;
    }
    out.volume.make_source = out.volume.kind == VolumeKind::bind;
    if (parts.size() == 3) {
        for (const std::string_view option : split(parts[2], ',')) {
            KNARR_TRY(apply_option(option, text, out));
        }
    }
    return out;
}

}  // namespace knarr::cli
