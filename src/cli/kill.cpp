#include <chrono>
#include <csignal>
#include <optional>

#include "cli/chosen.h"
#include "cli/containers.h"
#include "platform/signal.h"
#include "platform/timer.h"

namespace knarr::cli {

namespace {

constexpr std::chrono::seconds kMaxEnding{10};  // docker's

constexpr std::array kOptions{
    Option{.name = "all",
           .letter = 'a',
           .help =
               "every process in the container's cgroup, also after the first has ended; without "
               "ID: all containers of images that run"},
    kLatestOption,
    kCidfileOption,
    Option{.name = "regex",
           .letter = 'r',
           .help = "ID is an extended regular expression: every container whose ID it matches"},
    Option{.name = "signal",
           .letter = 's',
           .value = "SIGNAL",
           .help = "name or number; the second argument does the same",
           .fallback = "TERM; KILL for a container of an image"},
};

/// What a command line names: IDs, and a signal where it names one.
struct Named {
    std::vector<std::string_view> ids;
    std::optional<int> signal;
};

/// As runc, ID and SIGNAL; as docker, any number of IDs, with --signal or without.
Result<Named> read_words(const Engine& engine, const Parsed& args) {
    Named out{.ids = args.positionals, .signal = std::nullopt};
    const bool chosen =
        !args.flag("regex") && (args.flag("all") || args.flag("latest") || args.has("cidfile"));
    if (out.ids.empty() && !chosen) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "which one? container ID is missing",
                          .hint = "knarr kill ID TERM, or knarr kill --signal TERM ID..."});
    }
    if (const auto text = args.find("signal")) {
        out.signal = KNARR_TRY(sys::parse_signal(*text));
        return out;
    }
    if (out.ids.empty()) {
        return out;
    }
    // A second word that no container is called by can only be meant as a signal.
    if (out.ids.size() == 2 && (args.flag("regex") || !engine.state(out.ids.back()))) {
        out.signal = KNARR_TRY(sys::parse_signal(out.ids.back()));
        out.ids.pop_back();
    }
    for (const std::string_view word : std::span(out.ids).subspan(1)) {
        if (out.ids.size() > 2 && sys::parse_signal(word)) {
            return fail(Error{.code = Errc::invalid_argument,
                              .message = fmt::format("{} is a signal among container IDs", word),
                              .hint = "knarr kill --signal SIGNAL ID..."});
        }
    }
    return out;
}

Result<> kill_one(Engine& engine,
                  std::string_view id,
                  std::optional<int> signal,
                  KillTarget target) {
    const auto info = engine.state(id);
    const bool of_image = info && !info->image.empty();
    // docker's default for its containers, runc's for those of bundles.
    const int number = signal.value_or(of_image ? SIGKILL : SIGTERM);
    KNARR_TRY(engine.kill(id, number, target));
    if (!of_image) {
        return {};
    }
    if (number == SIGKILL) {
        // As docker: the next command finds it stopped. One that hangs in the kernel is left.
        const sys::Fd patience = KNARR_TRY(sys::make_timer(kMaxEnding));
        static_cast<void>(engine.wait(id, patience.get()));
    }
    return print(fmt::format("{}\n", id));
}

bool has_processes(const ContainerInfo& info) {
    return info.state == ContainerState::running || info.state == ContainerState::paused;
}

Result<int> run_kill(Context& context, const Parsed& args) {
    Engine engine = KNARR_TRY(open_engine(context));
    const Named named = KNARR_TRY(read_words(engine, args));
    const bool of_one =
        args.flag("all") && !named.ids.empty();  // runc's; podman's names containers
    const KillTarget target = of_one ? KillTarget::every_process : KillTarget::init;
    const auto kill = [&](std::string_view id) {
        return kill_one(engine, id, named.signal, target);
    };
    if (named.ids.empty() || args.has("cidfile") || args.flag("latest")) {
        return for_each_chosen(context, engine, args, has_processes, kill);
    }
    if (!args.flag("regex")) {
        return for_each_of(context, named.ids, kill);
    }
    const std::vector<std::string> ids = KNARR_TRY(matching_ids(engine, named.ids));
    return for_each_of(context, ids, kill);
}

}  // namespace

constexpr Verb kKill{
    .name = "kill",
    .synopsis =
        "[options] ID [SIGNAL]\n[options] ID...\n--all [--signal SIGNAL]\n--regex [options] "
        "EXPRESSION [SIGNAL]",
    .summary = "send a signal to a container",
    .about =
        "Sends SIGNAL to the container's first process. Names are taken with and without SIG, in\n"
        "upper or lower case, also RTMIN+n. A process that ends meanwhile is success; a stopped\n"
        "container is an error. After KILL the end of a container of an image is waited for.",
    .example = "knarr kill web KILL",
    .options = kOptions,
    .run = run_kill,
};

}  // namespace knarr::cli
