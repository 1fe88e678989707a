#include "cli/unbuilt.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace knarr::cli {

namespace {

struct Unbuilt {
    std::string_view name;
    std::string_view instead = {};  // what does the job today; empty: nothing does
};

constexpr std::array kUnbuilt{
    Unbuilt{"build", "build with another tool, then knarr pull oci:DIR or docker-archive:FILE"},
    Unbuilt{"buildx", "build with another tool, then knarr pull oci:DIR or docker-archive:FILE"},
    Unbuilt{"commit"},
    Unbuilt{"compose"},
    Unbuilt{"context", "there is no daemon to choose: what knarr runs is on this host"},
    Unbuilt{"manifest", "knarr image inspect IMAGE, knarr image tags NAME"},
    Unbuilt{"plugin", "knarr info --format '{{json .Plugins}}' tells what there is"},
    Unbuilt{"mounts", "give the mounts in config.json before create; knarr changes none later"},
    Unbuilt{"play"},
    Unbuilt{"kube"},
    Unbuilt{"pod"},
    Unbuilt{"prune", "knarr system prune, container prune, image prune and volume prune are"},
    Unbuilt{"search", "name the image in full: knarr pull HOST/NAME:TAG"},
};

}  // namespace

std::optional<Error> unbuilt_verb(std::string_view name) {
    const auto* const at = std::ranges::find(kUnbuilt, name, &Unbuilt::name);
    if (at == kUnbuilt.end()) {
        return std::nullopt;
    }
    return Error{.code = Errc::unsupported,
                 .message = fmt::format("the verb {} is not built yet", name),
                 .hint = at->instead.empty() ? std::string("knarr --help shows what is built")
                                             : std::string(at->instead)};
}

}  // namespace knarr::cli
