// docker's `system`: what its scripts ask of everything at once.

#include <array>

#include "cli/confirm.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/image_verbs.h"
#include "cli/prune.h"
#include "cli/table.h"

namespace knarr::cli {

namespace {

constexpr std::array kPruneOptions{
    Option{.name = "all",
           .letter = 'a',
           .help = "all images that no container uses, not only those without a name"},
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{.name = "volumes", .help = "anonymous volumes that no container has, too"},
    Option{.name = "filter",
           .value = "KEY=VALUE",
           .help = "only what fits: until=24h, of containers and images; label=KEY[=VALUE] and "
                   "label!=KEY[=VALUE]",
           .repeatable = true},
};

std::string question(const Parsed& args) {
    return fmt::format(
        "all stopped containers{}, {}, and what is left over",
        args.flag("volumes") ? ", anonymous volumes that no container has" : "",
        args.flag("all") ? "all images that no container uses" : "images without a name");
}

Result<int> run_prune(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const PruneFilter filter = KNARR_TRY(prune_filter(args));
    if (filter.has_until() && args.flag("volumes")) {
        return fail(Errc::invalid_argument,
                    "--filter until says nothing of volumes: leave --volumes out");
    }
    if (!KNARR_TRY(confirmed(args, question(args)))) {
        return 0;
    }
    Engine engine = KNARR_TRY(open_engine(context));
    // In this order: what goes no longer needs what comes after it.
    Pruned containers = KNARR_TRY(prune_containers(engine, filter));
    std::string text = containers.text + (containers.text.empty() ? "" : "\n");
    Pruned volumes;
    if (args.flag("volumes")) {
        volumes = KNARR_TRY(prune_volumes(context, filter, false));
        text += volumes.text + (volumes.text.empty() ? "" : "\n");
    }
    const PrunedImages images =
        KNARR_TRY(engine.prune_images(images_to_prune(filter, args.flag("all"))));
    text += removed_images_text(images);
    KNARR_TRY(print(fmt::format("{}Total reclaimed space: {}\n",
                                text,
                                decimal_size(containers.bytes + images.bytes + volumes.bytes))));
    KNARR_TRY(std::move(containers.failure));
    KNARR_TRY(std::move(volumes.failure));
    return 0;
}

constexpr Verb kSystemPrune{
    .name = "prune",
    .synopsis = "[options]",
    .summary = "remove containers that do not run, images without a name, and what is left over",
    .about =
        "Does what `container prune` and `image prune` do, with --volumes also `volume prune`. "
        "Asks\n"
        "first, unless -f is given. Named volumes and containers of bundles stay.",
    .example = "knarr system prune -f --volumes",
    .options = kPruneOptions,
    .run = run_prune,
};

constexpr std::array kInner{&kSystemDf, &kSystemPrune, &kInfo, &kEvents};

/// docker's, for scripts that clean up: there is no builder whose leftovers could go.
Result<int> run_builder_prune(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    KNARR_TRY(print("Total reclaimed space: 0B\n"));
    return 0;
}

constexpr std::array kBuilderOptions{
    Option{.name = "all", .letter = 'a', .help = "no effect, as of the others"},
    Option{.name = "force", .letter = 'f', .help = "no effect"},
    Option{.name = "filter", .value = "KEY=VALUE", .help = "no effect", .repeatable = true},
    Option{.name = "keep-storage", .value = "SIZE", .help = "no effect"},
};

constexpr Verb kBuilderPrune{
    .name = "prune",
    .synopsis = "[options]",
    .summary = "remove nothing: knarr builds no images, and keeps nothing for it",
    .about = "Says so in docker's words and succeeds, so that scripts which clean up go on.",
    .example = "knarr builder prune -f",
    .options = kBuilderOptions,
    .run = run_builder_prune,
};

constexpr std::array kBuilderVerbs{&kBuilderPrune};

}  // namespace

constexpr Verb kBuilder{
    .name = "builder",
    .synopsis = "VERB [options]",
    .summary = "docker's builder prune, which has nothing to remove here",
    .about = "Is there for scripts that clean up after docker's builder.",
    .example = "knarr builder prune -f",
    .inner = kBuilderVerbs,
};

constexpr Verb kSystem{
    .name = "system",
    .synopsis = "VERB [options] [arguments]",
    .summary = "docker's verbs on everything at once: system df, prune, info, events",
    .about =
        "Holds what docker has there: `df` tells what takes room, `prune` removes containers "
        "that have\n"
        "ended and images without a name, `info` and `events` are the verbs of that name.",
    .example = "knarr system prune --force",
    .inner = kInner,
};

}  // namespace knarr::cli
