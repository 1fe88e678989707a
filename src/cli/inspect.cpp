#include <algorithm>
#include <array>

#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/inspected.h"
#include "cli/network.h"
#include "cli/volume_filter.h"
#include "core/text.h"
#include "engine/volumes.h"
#include "platform/task.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "format",
           .letter = 'f',
           .value = "TEMPLATE",
           .help = "json (on one line), or a Go template: {{.State.Status}}, {{json .State}}",
           .fallback = "JSON, indented"},
    Option{.name = "size",
           .letter = 's',
           .help = "also SizeRw, what it wrote, and SizeRootFs, that with its image: bytes"},
    Option{.name = "type",
           .letter = 't',
           .value = "TYPE",
           .help = "container, image, network or volume",
           .fallback = "the first of them that has such a name"},
    kLatestOption,
};
constexpr std::array kContainerOptions{kOptions[0], kOptions[1], kLatestOption};

Result<std::string> inspect_other(const Context& context,
                                  const Engine& engine,
                                  std::string_view name,
                                  std::string_view type) {
    if (type == "image") {
        return engine.inspect_image(name);
    }
    if (type == "volume") {
        const std::string root = KNARR_TRY(sys::absolute(context.globals.data_root));
        const engine::VolumeInfo volume = KNARR_TRY(engine::find_volume(root, std::string(name)));
        return volume_json(volume);
    }
    if (type == "network") {
        const Network network = KNARR_TRY(find_network(name));
        return network_json(engine, network);
    }
    constexpr std::array<std::string_view, 7> kDockers{
        "config", "node", "plugin", "secret", "service", "swarm", "task"};
    const bool is_dockers = std::ranges::find(kDockers, type) != kDockers.end();
    if (!is_dockers) {
        return fail(Errc::invalid_argument,
                    "--type \"{}\" is none of container, image, network, volume",
                    printable(type));
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("--type {} is not built", printable(type)),
                      .hint = "container, image, network and volume are"});
}

/// docker's order where no type is named; what none has is missed as a container.
Result<std::string> inspect_any(const Context& context,
                                const Engine& engine,
                                std::string_view name,
                                const Parsed& args) {
    const std::string_view type = args.get("type");
    if (type.empty() || type == "container") {
        const Sizes sizes = args.flag("size") ? Sizes::shown : Sizes::left_out;
        Result<std::string> missing = engine.inspect(name, sizes);
        const bool is_there = missing || (missing.error().code != Errc::not_found &&
                                          missing.error().code != Errc::invalid_argument);
        if (is_there || !type.empty()) {
            return missing;
        }
        for (const std::string_view other : {"image", "network", "volume"}) {
            Result<std::string> found = inspect_other(context, engine, name, other);
            const Errc code = found ? Errc::not_found : found.error().code;
            if (found || (code != Errc::not_found && code != Errc::image_not_found &&
                          code != Errc::invalid_argument)) {
                return found;
            }
            if (missing.error().code == Errc::invalid_argument) {
                missing = std::move(found);  // no container is called so: NAME:TAG
            }
        }
        if (!missing && missing.error().code == Errc::not_found) {
            Error error = std::move(missing).error();
            error.message += fmt::format(" (No such object: {})", printable(name));  // docker's
            return fail(std::move(error));
        }
        return missing;
    }
    return inspect_other(context, engine, name, type);
}

/// --latest stands for the name of the container that was made last, which `newest` holds then.
Result<Parsed> with_newest(const Engine& engine, const Parsed& args, std::string& newest) {
    Parsed named = args;
    if (args.flag("latest")) {
        newest = KNARR_TRY(only_container(engine, args));
        named.positionals = {newest};
    }
    return named;
}

/// `what` is what a name may be of; `inspect` prints one.
template <typename Inspect>
Result<int> inspect_named(Context& context,
                          const Parsed& args,
                          std::string_view what,
                          Inspect inspect) {
    if (args.positionals.empty() && !args.flag("latest")) {
        return fail(Errc::invalid_argument, "which one? {} is missing", what);
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    std::string newest;
    const Parsed named = KNARR_TRY(with_newest(engine, args, newest));
    return print_inspected(context, named, "container ID", [&](std::string_view name) {
        return inspect(engine, name);
    });
}

Result<int> run_inspect(Context& context, const Parsed& args) {
    return inspect_named(context,
                         args,
                         "ID, IMAGE, NETWORK or VOLUME",
                         [&](const Engine& engine, std::string_view name) {
                             return inspect_any(context, engine, name, args);
                         });
}

/// `container inspect`: what is no container is not there, whatever image is called so.
Result<int> run_container_inspect(Context& context, const Parsed& args) {
    const Sizes sizes = args.flag("size") ? Sizes::shown : Sizes::left_out;
    return inspect_named(
        context, args, "container ID", [&](const Engine& engine, std::string_view name) {
            return engine.inspect(name, sizes);
        });
}

}  // namespace

constexpr Verb kContainerInspect{
    .name = "inspect",
    .synopsis = "[options] ID...",
    .summary = "print all about containers, and of nothing else",
    .about =
        "As `knarr inspect --type container`: images, networks and volumes are not looked for.",
    .example = "knarr container inspect -f '{{.State.Status}}' web",
    .options = kContainerOptions,
    .run = run_container_inspect,
};

constexpr Verb kInspect{
    .name = "inspect",
    .synopsis = "[options] ID|IMAGE|NETWORK|VOLUME...",
    .summary = "print all about containers, images, networks, volumes",
    .about =
        "Prints a JSON array with one object for each that is named, in the shape of docker's API. "
        "With\n"
        "a template, one line for each. An exit code that nobody saw is 255, and State.Error says "
        "so.",
    .example = "knarr inspect -f '{{.State.Status}} {{.State.ExitCode}}' web",
    .options = kOptions,
    .run = run_inspect,
};

}  // namespace knarr::cli
