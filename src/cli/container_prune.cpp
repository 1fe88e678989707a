#include "cli/confirm.h"
#include "cli/container_details.h"
#include "cli/container_filter.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/moment.h"
#include "cli/prune.h"
#include "cli/table.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{
        .name = "filter",
        .value = "KEY=VALUE",
        .help =
            "only those that fit, as of ps: label=KEY[=VALUE], label!=KEY[=VALUE], until=24h, ...",
        .repeatable = true},
};

Result<int> run_prune(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const ContainerFilter filter = KNARR_TRY(ContainerFilter::parse(args.all("filter"), now_s()));
    if (!args.flag("force") && !KNARR_TRY(confirmed("all stopped containers"))) {
        print_error("nothing is removed; -f removes without the question\n");
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

Result<Pruned> prune_containers(Engine& engine, const ContainerFilter& filter) {
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    KNARR_TRY(filter.check_names(all));
    Pruned pruned;
    for (const ContainerInfo& info : all) {
        // Those of bundles belong to whoever made them by the OCI verbs.
        const bool ended =
            info.state == ContainerState::stopped || info.state == ContainerState::created;
        if (info.image.empty() || !info.damage.empty() || !ended || !filter.fits(info, all)) {
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
