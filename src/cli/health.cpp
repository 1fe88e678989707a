#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/verb.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "run", .help = "make a probe now; the exit status is 1 when it fails"},
};

/// What a program in the container wrote, without what would steer a terminal.
std::string shown(std::string_view output) {
    std::string out;
    while (!output.empty()) {
        const std::size_t end = output.find('\n');
        out += printable(output.substr(0, end), SIZE_MAX);
        out += end == std::string_view::npos ? "" : "\n";
        output.remove_prefix(end == std::string_view::npos ? output.size() : end + 1);
    }
    return out;
}

Result<int> run_health(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    Engine engine = KNARR_TRY(open_engine(context));
    if (args.flag("run")) {
        const ProbeResult result = KNARR_TRY(engine.probe(id));
        KNARR_TRY(print(shown(result.output)));
        return result.exit_code == 0 ? 0 : 1;
    }
    const ContainerInfo info = KNARR_TRY(engine.state(id));
    if (!info.health) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} has no health check", info.id),
                          .hint = "give one: knarr run -d --health-cmd \"COMMAND\" ..."});
    }
    const HealthReport& health = *info.health;
    KNARR_TRY(print(fmt::format("{}\n", name_of(health.status))));
    if (!health.log.empty()) {
        const ProbeResult& last = health.log.back();
        KNARR_TRY(print(fmt::format("last probe: {}, exit code {}, failures in a row: {}\n{}",
                                    last.start,
                                    last.exit_code,
                                    health.failing_streak,
                                    shown(last.output))));
    }
    return 0;
}

/// podman's word for a probe.
Result<int> run_healthcheck(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    Engine engine = KNARR_TRY(open_engine(context));
    context.failure_status = kOwnFailure;
    const ProbeResult result = KNARR_TRY(engine.probe(id));
    if (result.exit_code == 0) {
        return 0;
    }
    KNARR_TRY(print("unhealthy\n"));
    return 1;
}

constexpr Verb kHealthcheckRun{
    .name = "run",
    .synopsis = "ID",
    .summary = "make a probe of a container's health check",
    .about =
        "Makes a probe now. The exit status is 1, and \"unhealthy\" printed, when it fails; the\n"
        "exit status is 125 where none could be made.",
    .example = "knarr healthcheck run web",
    .usage_status = kOwnFailure,
    .run = run_healthcheck,
};
constexpr std::array kHealthcheckVerbs{&kHealthcheckRun};

}  // namespace

constexpr Verb kHealthcheck{
    .name = "healthcheck",
    .synopsis = "run ID",
    .summary = "podman's spelling of health --run: healthcheck run",
    .about = "Holds podman's verb on health checks; `knarr health` shows how one goes.",
    .example = "knarr healthcheck run web",
    .inner = kHealthcheckVerbs,
};

constexpr Verb kHealth{
    .name = "health",
    .synopsis = "[--run] ID",
    .summary = "show how a container's health check goes, or make a probe",
    .about =
        "Prints starting, healthy or unhealthy, and what the last probe said. A container in the\n"
        "background has a health check by --health-cmd or by its image's HEALTHCHECK.",
    .example = "knarr health web",
    .options = kOptions,
    .run = run_health,
};

}  // namespace knarr::cli
