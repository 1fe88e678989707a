// doctor and explain: what is wrong with the machine, or with one container, and what to do.

#include "engine/doctor.h"

#include <array>

#include "cli/containers.h"
#include "cli/explanation.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

using Verdict = engine::Finding::Verdict;

constexpr std::array kDoctorOptions{Option{.name = "json", .help = "print an array of objects"}};
constexpr std::array kExplainOptions{Option{.name = "json", .help = "print an object"}};

std::string_view word_of(Verdict verdict) {
    return verdict == Verdict::good ? "ok" : verdict == Verdict::limited ? "limited" : "broken";
}

Result<int> run_doctor(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    const auto findings =
        engine::diagnose(host,
                         engine::report_host(host, {}),
                         engine::try_out(context.globals.root, context.globals.data_root));
    spec::JsonWriter json;
    json.begin_array();
    std::string text;
    bool broken = false;
    for (const engine::Finding& one : findings) {
        broken = broken || one.verdict == Verdict::broken;
        json.begin_object().member("name", one.name).member("verdict", word_of(one.verdict));
        json.member("what", one.what).member("mend", one.mend).end_object();
        text += fmt::format("{:<8} {:<16} {}\n", word_of(one.verdict), one.name, one.what);
        text += one.mend.empty() ? "" : fmt::format("{:<8} {:<16} mend: {}\n", "", "", one.mend);
    }
    json.end_array();
    KNARR_TRY(print(args.flag("json") ? json.text() + "\n" : text));
    return broken ? 1 : 0;
}

Result<int> run_explain(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const Engine engine = KNARR_TRY(open_engine(context));
    Result<ContainerInfo> info = engine.state(id);
    if (!info && info.error().code == Errc::corrupt) {
        ContainerInfo damaged;
        damaged.id = id;
        damaged.damage = info.error().message;
        info = std::move(damaged);
    }
    const auto failure = !info && info.error().code == Errc::not_found
                             ? KNARR_TRY(engine.last_failure(id))
                             : std::nullopt;
    const Explanation told = failure ? explain(*failure) : explain(KNARR_TRY(std::move(info)));
    if (args.flag("json")) {
        spec::JsonWriter json;
        json.begin_object().member("id", told.id).member("what", told.what);
        json.member("why", told.why).member("undone", told.undone);
        json.member("next", told.next).end_object();
        KNARR_TRY(print(std::move(json).text() + "\n"));
        return 0;
    }
    std::string text = fmt::format("what: {}\n", told.what);
    for (const std::string& line : told.why) {
        text += fmt::format("why:  {}\n", line);
    }
    text += told.undone.empty() ? "" : fmt::format("undone: {}\n", told.undone);
    for (const std::string& line : told.next) {
        text += fmt::format("next: {}\n", line);
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kDoctor{
    .name = "doctor",
    .synopsis = "[--json]",
    .summary = "try what this machine can do, and say how to mend it",
    .about =
        "Tries what containers need (namespaces, cgroups, directories, programs) and prints a "
        "line\n"
        "for each: ok, limited (some things do not work) or broken, with what to do about it. The\n"
        "exit status is 1 when containers cannot run. Leaves nothing behind.",
    .example = "knarr doctor",
    .options = kDoctorOptions,
    .run = run_doctor,
};

constexpr Verb kExplain{
    .name = "explain",
    .synopsis = "[--json] ID",
    .summary = "say what became of a container, why, and what to do next",
    .about =
        "Says in words how a container ended, or why it does not run: its exit code and signals,\n"
        "memory, its restart policy, what its monitor could not do, what is left of it. And which\n"
        "verbs go on from there. Of a launch that failed, also of one that left nothing (`run`):\n"
        "at which step, why, what was undone and what to do; the last ones are remembered.",
    .example = "knarr explain web",
    .options = kExplainOptions,
    .run = run_explain,
};

}  // namespace knarr::cli
