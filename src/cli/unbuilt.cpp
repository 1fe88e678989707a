#include "cli/unbuilt.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

namespace knarr::cli {

namespace {

constexpr std::string_view kBuilders =
                               "buildah build -t NAME . && buildah push NAME "
                               "docker-archive:FILE:NAME, then knarr load -i FILE; any tool "
                               "that writes an OCI or docker archive does",
                           kOneHost =
                               "it is of docker's swarm, and knarr runs the containers of "
                               "this host alone",
                           kServices =
                               "knarr run -d --restart always keeps a container running "
                               "on this host",
                           kNoPlugins = "there is no daemon that plugins could extend",
                           kPluginsInstead =
                               "knarr info --format '{{json .Plugins}}' tells what "
                               "there is without them",
                           kOneContext = "there is one context, default, which is this host",
                           kContextInstead = "run knarr on the other host, by ssh(1)",
                           kLists =
                               "lists of images are pushed as they were made, not put "
                               "together",
                           kListsInstead =
                               "buildah manifest create, add and push make one; knarr "
                               "push sends a stored one whole",
                           kSigned = "docker's content trust is not looked at",
                           kSignedInstead =
                               "name an image by digest, NAME@sha256:...; knarr image "
                               "referrers NAME lists its signatures";

constexpr std::array kUnbuilt{
    UnbuiltVerb{"build", {}, kBuilders},
    UnbuiltVerb{"buildx", {}, kBuilders},
    UnbuiltVerb{"bake", {}, kBuilders},
    UnbuiltVerb{"commit", {}, "knarr export ID | knarr import - NAME makes an image of its files"},
    UnbuiltVerb{"compose",
                "there are no networks between containers yet",
                "knarr run -d --name NAME --network host for each service"},
    UnbuiltVerb{"config",
                kOneHost,
                "-v FILE:DIR/NAME:ro shows a file in a container; knarr --config DIR is the place "
                "of logins"},
    UnbuiltVerb{"node", kOneHost, "knarr info tells of this host"},
    UnbuiltVerb{"secret", kOneHost, "-v FILE:/run/secrets/NAME:ro shows one in a container"},
    UnbuiltVerb{"service", kOneHost, kServices},
    UnbuiltVerb{"stack", kOneHost, kServices},
    UnbuiltVerb{"swarm", kOneHost, kServices},
    UnbuiltVerb{"context create", kOneContext, kContextInstead},
    UnbuiltVerb{"context export", kOneContext, kContextInstead},
    UnbuiltVerb{"context import", kOneContext, kContextInstead},
    UnbuiltVerb{"context rm", kOneContext, kContextInstead},
    UnbuiltVerb{"context update", kOneContext, kContextInstead},
    UnbuiltVerb{"manifest annotate", kLists, kListsInstead},
    UnbuiltVerb{"manifest create", kLists, kListsInstead},
    UnbuiltVerb{"manifest push", kLists, kListsInstead},
    UnbuiltVerb{"manifest rm", kLists, kListsInstead},
    UnbuiltVerb{"plugin create", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin disable", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin enable", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin install", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin push", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin rm", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin set", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{"plugin upgrade", kNoPlugins, kPluginsInstead},
    UnbuiltVerb{
        "mounts", {}, "give the mounts in config.json before create; knarr changes none later"},
    UnbuiltVerb{"play"},
    UnbuiltVerb{"kube"},
    UnbuiltVerb{"pod"},
    UnbuiltVerb{
        "prune", {}, "knarr system prune, container prune, image prune and volume prune are"},
    UnbuiltVerb{"search", {}, "name the image in full: knarr pull HOST/NAME:TAG"},
    UnbuiltVerb{"trust", kSigned, kSignedInstead},
    UnbuiltVerb{"volume update", kOneHost, "a volume's labels are those of volume create"},
};

}  // namespace

std::optional<Error> unbuilt_verb(std::string_view path) {
    const auto* at = std::ranges::find(kUnbuilt, path, &UnbuiltVerb::path);
    const std::size_t blank = path.find(' ');
    const std::string_view parent = path.substr(0, blank);
    if (at == kUnbuilt.end() && blank != std::string_view::npos &&
        (parent == "image" || parent == "container" || parent == "builder")) {
        path.remove_prefix(blank + 1);  // also a verb of its own
        at = std::ranges::find(kUnbuilt, path, &UnbuiltVerb::path);
    }
    if (at == kUnbuilt.end()) {
        return std::nullopt;
    }
    return Error{.code = Errc::unsupported,
                 .message = at->why.empty()
                                ? fmt::format("the verb {} is not built yet", path)
                                : fmt::format("the verb {} is not built: {}", path, at->why),
                 .hint = at->instead.empty() ? std::string("knarr --help shows what is built")
                                             : std::string(at->instead)};
}

}  // namespace knarr::cli
