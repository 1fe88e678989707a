#include "cli/chosen.h"

#include <tuple>

#include "cli/container_details.h"
#include "cli/container_filter.h"
#include "cli/containers.h"
#include "core/clock.h"
#include "core/text.h"
#include "platform/absent.h"
#include "platform/file.h"

namespace knarr::cli {

namespace {

constexpr std::size_t kMaxIdFileBytes = 4096;

bool is_ours(const ContainerInfo& info) {
    return !info.image.empty() && info.damage.empty();
}

/// The whole ID of the newest one.
Result<std::string> newest(const Engine& engine) {
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    const ContainerInfo* found = nullptr;
    for (const ContainerInfo& info : all) {
        // IDs begin with the time, which tells those of one second apart.
        if (is_ours(info) && (found == nullptr || std::tie(info.created, info.id) >
                                                      std::tie(found->created, found->id))) {
            found = &info;
        }
    }
    if (found == nullptr) {
        return fail(Errc::not_found, "--latest: there is no container of an image");
    }
    return found->id;
}

Result<bool> fits(const Engine& engine,
                  const ContainerFilter& filter,
                  const ContainerInfo& info,
                  const std::vector<ContainerInfo>& all) {
    if (!filter.may_fit(info, all) || !filter.asks_for_details()) {
        return filter.may_fit(info, all);
    }
    const Result<std::string> inspected = engine.inspect(info.id);
    if (!inspected) {
        return inspected.error().code == Errc::not_found ? Result<bool>(false)
                                                         : fail(inspected.error());
    }
    const ContainerDetails details = KNARR_TRY(read_details(*inspected));
    return filter.fits(info, all, &details);
}

/// Of --all and --filter.
Result<std::vector<std::string>> all_that_fit(const Engine& engine,
                                              const ContainerFilter& filter,
                                              bool (*fit)(const ContainerInfo& info)) {
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    KNARR_TRY(filter.check_names(all));
    std::vector<std::string> ids;
    for (const ContainerInfo& info : all) {
        if (is_ours(info) && fit(info) && KNARR_TRY(fits(engine, filter, info, all))) {
            ids.push_back(info.id);
        }
    }
    return ids;
}

/// Those of the named ones that the filter takes; what is not there stays, for its verb to miss.
Result<> keep_those(const Engine& engine,
                    const ContainerFilter& filter,
                    std::vector<std::string>& names) {
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    KNARR_TRY(filter.check_names(all));
    std::vector<std::string> kept;
    for (const std::string& name : names) {
        const auto info = engine.state(name);
        if (!info || KNARR_TRY(fits(engine, filter, *info, all))) {
            kept.push_back(name);
        }
    }
    names = std::move(kept);
    return {};
}

/// Of each --cidfile.
Result<> add_from_files(const Parsed& args, std::vector<std::string>& names) {
    for (const std::string_view file : args.all("cidfile")) {
        const auto text = sys::read_file(std::string(file), kMaxIdFileBytes);
        const bool absent = !text && sys::is_absent(text.error());
        if (absent && args.flag("ignore")) {
            continue;
        }
        if (absent) {
            return fail(Error{
                .code = Errc::invalid_argument,
                .message = fmt::format("--cidfile {}: No such file or directory", printable(file)),
                .hint = "run --cidfile FILE writes it; --ignore passes over one that "
                        "is not there"});
        }
        const std::string id(trimmed(KNARR_TRY(Result<std::string>(text), "--cidfile {}", file)));
        if (id.empty()) {
            return fail(Errc::invalid_argument, "--cidfile {} is empty", printable(file));
        }
        names.push_back(id);
    }
    return {};
}

std::vector<std::string> named(const Parsed& args) {
    return {args.positionals.begin(), args.positionals.end()};
}

}  // namespace

Result<Chosen> choose(const Engine& engine,
                      const Parsed& args,
                      bool (*fit)(const ContainerInfo& info)) {
    Chosen chosen{.names = named(args)};
    const bool files = args.has("cidfile");
    const bool filtered = args.has("filter");
    const bool whole = args.flag("all") || args.flag("running");
    for (const std::string_view alone : {"all", "running", "latest"}) {
        const bool others =
            !chosen.names.empty() || files || (alone == "latest" && (whole || filtered));
        if (args.flag(alone) && others) {
            return fail(Errc::invalid_argument,
                        "--{} names containers, and so does another argument: give one of them",
                        alone);
        }
    }
    const ContainerFilter filter = KNARR_TRY(ContainerFilter::parse(
        args.all("filter"), system_clock().wall().time_since_epoch().count()));
    if (args.flag("latest")) {
        chosen.names = {KNARR_TRY(newest(engine))};
        return chosen;
    }
    if (whole || (filtered && chosen.names.empty() && !files)) {
        return Chosen{.names = KNARR_TRY(all_that_fit(engine, filter, fit)), .one_by_one = false};
    }
    KNARR_TRY(add_from_files(args, chosen.names));
    if (chosen.names.empty() && !files) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    if (filtered) {
        KNARR_TRY(keep_those(engine, filter, chosen.names));
    }
    return chosen;
}

Result<> unless_gone(const Engine& engine,
                     const Parsed& args,
                     const Chosen& chosen,
                     bool (*fit)(const ContainerInfo& info),
                     std::string_view id,
                     Result<> done) {
    if (done) {
        return done;
    }
    if (done.error().code == Errc::not_found && (!chosen.one_by_one || args.flag("ignore"))) {
        return {};
    }
    if (done.error().code == Errc::wrong_state && !chosen.one_by_one) {
        const auto now = engine.state(id);
        return now && fit(*now) ? std::move(done) : Result<>{};
    }
    return done;
}

Result<int> for_each_chosen(const Context& context,
                            const Engine& engine,
                            const Parsed& args,
                            bool (*fit)(const ContainerInfo& info),
                            const std::function<Result<>(std::string_view id)>& work) {
    const Chosen chosen = KNARR_TRY(choose(engine, args, fit));
    return for_each_of(context, chosen.names, [&](std::string_view id) {
        return unless_gone(engine, args, chosen, fit, id, work(id));
    });
}

Result<std::string> take_container(const Engine& engine,
                                   const Parsed& args,
                                   std::vector<std::string_view>& words) {
    if (args.flag("latest")) {
        return newest(engine);
    }
    if (words.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    std::string name(words.front());
    words.erase(words.begin());
    return name;
}

Result<std::string> only_container(const Engine& engine, const Parsed& args) {
    if (!args.flag("latest")) {
        return std::string(KNARR_TRY(one_argument(args, "container ID")));
    }
    std::string name = KNARR_TRY(newest(engine));
    if (!args.positionals.empty()) {
        return fail(Errc::invalid_argument,
                    "one container ID is wanted; \"{}\" is one argument too many",
                    printable(args.positionals.front()));
    }
    return name;
}

}  // namespace knarr::cli
