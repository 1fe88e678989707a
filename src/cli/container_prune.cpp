#include "cli/confirm.h"
#include "cli/container_details.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/prune.h"
#include "cli/table.h"
#include "core/clock.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{
        .name = "filter",
        .value = "KEY=VALUE",
        .help = "only those: until=24h (made so long ago), label=KEY[=VALUE], label!=KEY[=VALUE]",
        .repeatable = true},
};

Result<int> run_prune(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const PruneFilter filter = KNARR_TRY(prune_filter(args));
    if (!KNARR_TRY(confirmed(args, "all stopped containers"))) {
        return 0;
    }
    Engine engine = KNARR_TRY(open_engine(context));
    Pruned pruned = KNARR_TRY(prune_containers(engine, filter));
    KNARR_TRY(print(fmt::format("{}{}Total reclaimed space: {}\n",
                                pruned.text,
                                pruned.text.empty() ? "" : "\n",
                                decimal_size(pruned.bytes))));
    KNARR_TRY(std::move(pruned.failure));
    return 0;
}

/// What it has written; 0 where nobody can tell.
std::uint64_t bytes_of(const Engine& engine, const std::string& id) {
    const auto text = engine.inspect(id, Sizes::shown);
    const auto details = text ? read_details(*text) : fail(text.error());
    return details ? details->written_bytes.value_or(0) : 0;
}

}  // namespace

Result<PruneFilter> prune_filter(const Parsed& args, PruneKeys keys) {
    const std::int64_t now = system_clock().wall().time_since_epoch().count();
    return PruneFilter::parse(args.all("filter"), keys, now);
}

Result<Pruned> prune_containers(Engine& engine, const PruneFilter& filter) {
    Pruned pruned;
    for (const ContainerInfo& info : KNARR_TRY(engine.list())) {
        // Those of bundles belong to whoever made them by the OCI verbs.
        const bool ended =
            info.state == ContainerState::stopped || info.state == ContainerState::created;
        if (info.image.empty() || !info.damage.empty() || !ended ||
            !filter.fits(info.labels, info.created)) {
            continue;
        }
        const std::uint64_t bytes = bytes_of(engine, info.id);
        Result<> done = engine.remove(info.id, RemoveMode::when_stopped);
        if (done) {
            pruned.text += (pruned.text.empty() ? "Deleted Containers:\n" : "") + info.id + "\n";
            pruned.bytes += bytes;
        } else if (done.error().code != Errc::wrong_state && done.error().code != Errc::not_found &&
                   pruned.failure) {
            pruned.failure = std::move(done);  // it was not started or removed meanwhile
        }
    }
    return pruned;
}

constexpr Verb kContainerPrune{
    .name = "prune",
    .synopsis = "[options]",
    .summary = "remove all containers of images that do not run",
    .about =
        "Removes the containers of images that have ended or were never started. Asks before, "
        "unless\n"
        "--force is given. Containers of bundles stay.",
    .example = "knarr container prune -f",
    .options = kOptions,
    .run = run_prune,
};

}  // namespace knarr::cli
