// knarr: global options, the verb, and what an error becomes.

#include <algorithm>
#include <cstdlib>

#include "cli/help.h"
#include "cli/places.h"
#include "cli/verb.h"
#include "cli/version.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/trace.h"
#include "engine/own_log.h"
#include "engine/policy.h"
#include "platform/environment.h"
#include "platform/process.h"
#include "platform/task.h"

namespace knarr::cli {

namespace {

std::string from_environment(const char* name, std::string_view fallback) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && *value != '\0' ? std::string_view(value) : fallback);
}

Result<std::string> absolute_dir(const Parsed& globals,
                                 std::string_view option,
                                 const char* variable,
                                 std::string_view fallback) {
    const auto given = globals.find(option);
    std::string path = given ? std::string(*given) : from_environment(variable, fallback);
    if (path.empty()) {
        return fail(Errc::invalid_argument, "--{} is empty", option);
    }
    return sys::absolute(path);
}

/// --systemd-cgroup is runc's spelling, --cgroup-manager crun's.
Result<CgroupManager> choose_manager(const Parsed& globals) {
    const bool systemd = globals.flag("systemd-cgroup");
    const std::string_view manager =
        globals.get("cgroup-manager", systemd ? "systemd" : "cgroupfs");
    if (manager == "systemd") {
        return CgroupManager::systemd;
    }
    if (systemd) {
        return fail(Errc::invalid_argument,
                    "--systemd-cgroup and --cgroup-manager {} contradict each other",
                    printable(manager));
    }
    if (manager == "disabled") {
        return CgroupManager::disabled;
    }
    if (manager != "cgroupfs") {
        return fail(Errc::invalid_argument,
                    "--cgroup-manager \"{}\" is none of cgroupfs, systemd, disabled",
                    printable(manager));
    }
    return CgroupManager::cgroupfs;
}

/// Where things live, and whether the caller counts as the host's root.
Result<> choose_places(const Parsed& globals, Globals& out) {
    const std::string_view rootless = globals.get("rootless", "auto");
    if (rootless == "true" || rootless == "false") {
        out.rootless = rootless == "true";
    } else if (rootless != "auto") {
        return fail(Errc::invalid_argument,
                    "--rootless \"{}\" is none of auto, true, false",
                    printable(rootless));
    }
    const Places places = default_places(out.rootless, probe_caller());
    out.root = KNARR_TRY(absolute_dir(globals, "root", "KNARR_ROOT", places.root));
    out.data_root =
        KNARR_TRY(absolute_dir(globals, "data-root", "KNARR_DATA_ROOT", places.data_root));
    return {};
}

/// crun's spelling of destinations: file:PATH, journald:NAME, syslog:NAME. An absolute path, which
/// monitors can open, too.
Result<std::string> log_destination(std::string_view text, std::string_view from) {
    constexpr std::string_view kFile = "file:";
    for (const std::string_view other : {"journald:", "syslog:"}) {
        if (text.starts_with(other)) {
            return fail(Error{
                .code = Errc::unsupported,
                .message = fmt::format("{} {}: only files are written", from, printable(text)),
                .hint = "name a file, or leave it out and let the caller's own "
                        "service log standard error"});
        }
    }
    text = text.starts_with(kFile) ? text.substr(kFile.size()) : text;
    if (text.empty()) {
        return std::string();
    }
    return KNARR_TRY(sys::absolute(std::string(text)), "{}", from);
}

/// An option, or the variable where it is not given; what it says, and which of them does.
struct Chosen {
    std::string value, from;
    bool is_option = false;
};

Chosen choose(const Parsed& globals, std::string_view option, const char* variable) {
    if (const auto given = globals.find(option)) {
        return {
            .value = std::string(*given), .from = fmt::format("--{}", option), .is_option = true};
    }
    return {.value = from_environment(variable, ""), .from = variable};
}

/// What is wrong with an option is an error before anything is done. A variable that is wrong, or
/// whose file is gone since, is a warning: else not even `stop` would work.
template <typename T>
Result<T> or_warn(Result<T> found, T instead, const Chosen& chosen, const Reporter& reporter) {
    if (found || chosen.is_option) {
        return found;
    }
    const std::string_view hint = found.error().effective_hint();
    reporter.warn(fmt::format("{}{}{}{}: the log goes without it",
                              found.error().message,
                              hint.empty() ? "" : " (",
                              hint,
                              hint.empty() ? "" : ")"));
    return instead;
}

/// The file that is named, where it can be opened.
Result<std::string> log_file(const Chosen& chosen) {
    std::string file = KNARR_TRY(log_destination(chosen.value, chosen.from));
    const Result<> opened = engine::check_own_log({.file = file, .any_way = chosen.is_option});
    if (!opened) {
        return fail(Error(opened.error())
                        .within(chosen.from)
                        .advise("name a file that can be written, or none"));
    }
    return file;
}

/// The command's own log, and that of the monitors that it starts.
Result<> choose_logs(const Parsed& globals, Context& context) {
    const Reporter& reporter = context.reporter;
    const Chosen file = choose(globals, "log", engine::kLogVariable);
    const Chosen format = choose(globals, "log-format", engine::kLogFormatVariable);
    const Chosen level = choose(globals, "log-level", engine::kLogLevelVariable);
    OwnLog log;
    if (!level.value.empty() || level.is_option) {
        log.level = KNARR_TRY(
            or_warn(engine::parse_log_level(level.value, level.from), log.level, level, reporter));
    }
    if (globals.flag("debug")) {
        log.level = LogLevel::debug;
    }
    context.reporter.own_log.level = log.level;  // of the warnings here, too
    if (!format.value.empty() || format.is_option) {
        log.format = KNARR_TRY(or_warn(
            engine::parse_log_format(format.value, format.from), log.format, format, reporter));
    }
    log.file = KNARR_TRY(or_warn(log_file(file), {}, file, reporter));
    context.reporter.own_log = log;
    // As runc's --log: podman names one in a directory that a container's root owns, by number.
    context.reporter.own_log.any_way = file.is_option;
    const Chosen other{.value = from_environment(engine::kMonitorLogVariable, ""),
                       .from = engine::kMonitorLogVariable};
    if (!other.value.empty()) {
        log.file = KNARR_TRY(or_warn(log_file(other), {}, other, reporter));
    }
    context.globals.monitor_log = std::move(log);
    return {};
}

/// docker's -H and -c: there is no other daemon, nor any.
Result<> check_daemon(const Parsed& globals) {
    const std::string_view host = globals.get("host", "unix://");
    const std::string_view named = globals.get("context", "default");
    if (!host.starts_with("unix://") || (named != "default" && !named.empty())) {
        return fail(
            Error{.code = Errc::unsupported,
                  .message = fmt::format("{} {}: there is no daemon, and none is asked",
                                         host.starts_with("unix://") ? "--context" : "--host",
                                         printable(host.starts_with("unix://") ? named : host)),
                  .hint = "run knarr on that host, by ssh(1)"});
    }
    return {};
}

Result<> apply_globals(const Parsed& globals, Context& context) {
    KNARR_TRY(check_daemon(globals));
    KNARR_TRY(choose_logs(globals, context));
    if (context.reporter.own_log.level == LogLevel::debug) {
        trace().open(KNARR_TRY(sys::shared_memory(Trace::kBytes)));
    }
    if (globals.has("config")) {
        const std::string dir = KNARR_TRY(absolute_dir(globals, "config", "DOCKER_CONFIG", ""));
        setenv("DOCKER_CONFIG", dir.c_str(), 1);  // who looks for logins looks there
    }
    KNARR_TRY(choose_places(globals, context.globals));
    context.globals.policy = globals.has("policy")
                                 ? std::string(globals.get("policy"))
                                 : from_environment("KNARR_POLICY", kDefaultLimits.policy);
    KNARR_TRY(engine::limits_of_policy(context.globals.policy));
    context.globals.cgroup_manager = KNARR_TRY(choose_manager(globals));
    context.globals.snapshot_driver = globals.has("snapshot-driver")
                                          ? std::string(globals.get("snapshot-driver"))
                                          : from_environment("KNARR_SNAPSHOT_DRIVER", "");
    return engine::check_snapshot_driver(context.globals.snapshot_driver);
}

using Words = std::span<const std::string_view>;

/// An unknown verb; when its help was asked for in runc's words, which its users' scripts may look
/// for.
Error unknown_verb_of(std::span<const Verb* const> verbs,
                      std::string_view name,
                      std::string_view before,
                      Words rest) {
    Error unknown = unknown_verb(verbs, name, before);
    const bool help = std::any_of(rest.begin(), rest.end(), [](std::string_view word) {
        return word == "-h" || word == "--help";
    });
    return help ? std::move(unknown).within(fmt::format("No help topic for '{}'", printable(name)))
                : std::move(unknown);
}

/// The verb's own name, for its help, and as it was typed, for its errors: "delete", "rm".
struct VerbPath {
    std::string own, typed;
};

Result<int> run_verb(const Verb& verb, VerbPath path, Words words, Context& context) {
    context.reporter.verb = path.typed;
    context.reporter.op = path.own;
    if (!verb.inner.empty() && !words.empty() && !words.front().starts_with('-')) {
        const Verb* inner = find_verb(verb.inner, words.front());
        if (inner == nullptr) {
            Error unknown = unknown_verb_of(verb.inner, words.front(), path.own, words.subspan(1));
            if (unknown.hint.starts_with("knarr --help")) {
                unknown.hint = fmt::format("knarr {} --help shows its verbs", path.typed);
            }
            return fail(std::move(unknown));
        }
        path.own += fmt::format(" {}", inner->name);
        path.typed += fmt::format(" {}", words.front());
        return run_verb(*inner, std::move(path), words.subspan(1), context);
    }
    // Errors of the parse itself are JSON too where the caller asks for JSON.
    const bool has_json = std::any_of(
        verb.options.begin(), verb.options.end(), [](const auto& o) { return o.name == "json"; });
    const auto end = std::find(words.begin(), words.end(), "--");
    context.reporter.json_errors = has_json && std::find(words.begin(), end, "--json") != end;

    context.failure_status = verb.usage_status;
    const Parsed args = KNARR_TRY(parse(verb.options, words, verb.rules));
    context.failure_status = 0;
    if (args.help) {
        KNARR_TRY(print(verb_help(verb, path.own)));
        return 0;
    }
    if (verb.run == nullptr) {
        std::string names;
        for (const Verb* inner : verb.inner) {
            names += (names.empty() ? "" : ", ") + std::string(inner->name);
        }
        return fail(Errc::invalid_argument, "which of its verbs? {}", names);
    }
    context.reporter.json_errors = args.flag("json");
    return verb.run(context, args);
}

Result<int> run_program(Words words, Context& context) {
    const Parsed globals = KNARR_TRY(parse(global_options(), words, {.options_until = 1}));
    if (globals.help) {
        KNARR_TRY(print(general_help()));
        return 0;
    }
    if (globals.flag("version")) {
        KNARR_TRY(print(version_text()));
        return 0;
    }
    KNARR_TRY(apply_globals(globals, context));
    if (globals.positionals.empty()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "which verb?",
                          .hint = "knarr --help shows the verbs"});
    }
    const std::string_view name = globals.positionals.front();
    const Words rest = Words(globals.positionals).subspan(1);
    const Verb* verb = find_verb(all_verbs(), name);
    if (verb == nullptr) {
        return fail(unknown_verb_of(all_verbs(), name, {}, rest));
    }
    return run_verb(
        *verb, {.own = std::string(verb->name), .typed = std::string(name)}, rest, context);
}

int run_main(Words words) {
    Reporter reporter;
    Context context{.globals = {}, .reporter = reporter};
    Result<int> status = run_program(words, context);
    for (const std::string& line : trace().lines()) {
        reporter.debug_line(line);
    }
    if (!status) {
        return report_failure(context, std::move(status).error());
    }
    reporter.info(fmt::format("done, exit status {}", *status));
    return *status;
}

}  // namespace

}  // namespace knarr::cli

int main(int argc, char** argv) {
    knarr::sys::hide_environment();
    const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return knarr::cli::run_main(words);
}
