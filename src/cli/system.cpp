// docker's `system`: what its scripts ask of everything at once.

#include <array>

#include "cli/confirm.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/image_verbs.h"
#include "cli/moment.h"
#include "cli/prune.h"
#include "cli/table.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kPruneOptions{
    Option{.name = "all",
           .letter = 'a',
           .help = "all images that no container uses, not only those without a name"},
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{.name = "volumes", .help = "anonymous volumes that no container has, too"},
};

std::string question(const Parsed& args) {
    return fmt::format(
        "all stopped containers{}, {}, and what is left over",
        args.flag("volumes") ? ", anonymous volumes that no container has" : "",
        args.flag("all") ? "all images that no container uses" : "images without a name");
}

Result<int> run_prune(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    if (!args.flag("force") && !KNARR_TRY(confirmed(question(args)))) {
        print_error("nothing is removed; -f removes without the question\n");
        return 0;
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const ContainerFilter every = KNARR_TRY(ContainerFilter::parse({}, now_s()));
    // In this order: what goes no longer needs what comes after it.
    Pruned containers = KNARR_TRY(prune_containers(engine, every));
    std::string text = containers.text + (containers.text.empty() ? "" : "\n");
    Pruned volumes;
    if (args.flag("volumes")) {
        volumes = KNARR_TRY(prune_volumes(context, {}, false));
        text += volumes.text + (volumes.text.empty() ? "" : "\n");
    }
    const PrunedImages images = KNARR_TRY(engine.prune_images({.all = args.flag("all")}));
    text += removed_images_text(images);
    KNARR_TRY(print(fmt::format(
        "{}Total reclaimed space: {}\n", text, decimal_size(images.bytes + volumes.bytes))));
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

constexpr std::array kInner{&kImageDf, &kSystemPrune, &kInfo, &kEvents};

}  // namespace

constexpr Verb kSystem{
    .name = "system",
    .synopsis = "VERB [options] [arguments]",
    .summary = "docker's verbs on everything at once: system df, prune, info, events",
    .about =
        "Holds what docker has there: `df` is `knarr image df`, `prune` removes containers that "
        "have\n"
        "ended and images without a name, `info` and `events` are the verbs of that name.",
    .example = "knarr system prune --force",
    .inner = kInner,
};

}  // namespace knarr::cli
