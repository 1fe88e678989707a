#include "knarr/exec.h"

#include "cli/attach_options.h"
#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/setting_options.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

/// runc's status for everything that keeps the command from running; its callers tell it from the
/// command's own by it.
constexpr int kCannotExec = 255;
constexpr std::uint64_t kMaxId = 0xfffffffe;
constexpr std::uint64_t kMaxTimeoutSeconds = std::uint64_t{365} * 24 * 3600;

constexpr std::array kOptions{
    Option{.name = "process",
           .letter = 'p',
           .value = "FILE",
           .help = "JSON of an OCI process instead of a command"},
    Option{.name = "env-file",
           .value = "FILE",
           .help = "variables, a line each; --env goes before",
           .repeatable = true},
    Option{.name = "env",
           .letter = 'e',
           .value = "NAME=VALUE",
           .help = "set a variable; NAME alone takes your own value, NAME* all that begin so",
           .repeatable = true},
    Option{.name = "cwd", .value = "DIR", .help = "where the program starts"},
    Option{.name = "workdir", .letter = 'w', .value = "DIR", .help = "the same"},
    Option{.name = "user",
           .letter = 'u',
           .value = "USER[:GROUP]",
           .help = "numbers, or names of the container",
           .fallback = "the container's"},
    Option{.name = "additional-gids",
           .letter = 'g',
           .value = "GID",
           .help = "one more group",
           .repeatable = true},
    Option{.name = "cap",
           .letter = 'c',
           .value = "CAP",
           .help = "one more capability: bounding, permitted and effective",
           .repeatable = true},
    Option{.name = "privileged",
           .help = "all capabilities; what the container's seccomp filter refuses stays refused"},
    Option{.name = "no-new-privs", .help = "set-user-ID programs gain nothing"},
    Option{.name = "tty", .letter = 't', .help = "give the program a terminal"},
    kDetachKeysOption,
    Option{.name = "interactive",
           .letter = 'i',
           .help = "pass stdin on; without it one of an image gets /dev/null, of a bundle stdin"},
    Option{.name = "detach", .letter = 'd', .help = "leave when the program runs"},
    Option{.name = "timeout",
           .value = "SECONDS",
           .help = "kill the program and its process group after so long",
           .fallback = "none"},
    kConsoleSocketOption,
    kPidfdSocketOption,
    Option{.name = "pid-file", .value = "FILE", .help = "write the program's pid into FILE"},
    kPreserveFdsOption,
    Option{.name = "cgroup",
           .value = "[CTRL,...:]SUB",
           .help = "run in this cgroup below the container's; controllers on v1 alone",
           .repeatable = true},
    Option{.name = "ignore-paused", .help = "in a paused container: run when it is resumed"},
    Option{.name = "apparmor", .value = "PROFILE", .help = "AppArmor profile"},
    Option{.name = "process-label", .value = "LABEL", .help = "SELinux label"},
    kLatestOption,
};

Result<std::string> parse_cwd(const Parsed& args) {
    if (args.has("cwd") && args.has("workdir")) {
        return fail(Errc::invalid_argument, "--cwd and --workdir are the same: give one");
    }
    return std::string(args.has("cwd") ? args.get("cwd") : args.get("workdir"));
}

Result<std::vector<std::uint32_t>> parse_gids(const Parsed& args) {
    std::vector<std::uint32_t> gids;
    for (const std::string_view text : args.all("additional-gids")) {
        for (const std::string_view part : split(text, ',')) {
            const auto gid = parse_number(part, kMaxId);
            if (!gid) {
                return fail(Errc::invalid_argument,
                            "--additional-gids: \"{}\" is not a group number from 0 to {}",
                            printable(part),
                            kMaxId);
            }
            gids.push_back(static_cast<std::uint32_t>(*gid));
        }
    }
    return gids;
}

std::vector<std::string> texts(std::vector<std::string_view> views) {
    return {views.begin(), views.end()};
}

/// `words`: what stands behind the ID.
Result<ExecRequest> parse_exec(const Parsed& args, std::span<const std::string_view> words) {
    ExecRequest request;
    if (!words.empty() && words.front() == "--") {
        words = words.subspan(1);
    }
    request.command.assign(words.begin(), words.end());
    request.process_file = args.get("process");
    if (request.command.empty() && request.process_file.empty()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "what is to run? COMMAND is missing",
                          .hint = "knarr exec ID COMMAND, or knarr exec --process FILE ID"});
    }
    request.env = KNARR_TRY(parse_whole_env(args));
    request.workdir = KNARR_TRY(parse_cwd(args));
    request.user = args.get("user");
    if (args.has("user") && request.user.empty()) {
        return fail(Errc::invalid_argument, "--user is empty");
    }
    request.additional_gids = KNARR_TRY(parse_gids(args));
    request.capabilities = texts(args.all("cap"));
    request.privileged = args.flag("privileged");
    if (args.has("no-new-privs")) {
        request.no_new_privileges = args.flag("no-new-privs");
    }
    request.terminal = args.flag("tty");
    request.pass_input = args.flag("interactive") || !request.process_file.empty();
    request.detach_keys = attach_request(args).detach_keys;
    request.detach = args.flag("detach");
    request.console_socket = args.get("console-socket");
    request.pidfd_socket = args.get("pidfd-socket");
    request.pid_file = args.get("pid-file");
    request.preserve_fds =
        static_cast<unsigned>(KNARR_TRY(args.number("preserve-fds", kMaxPassedFds)).value_or(0));
    request.cgroups = texts(args.all("cgroup"));
    request.ignore_paused = args.flag("ignore-paused");
    request.apparmor_profile = args.get("apparmor");
    request.selinux_label = args.get("process-label");
    request.timeout.reset();
    if (const auto seconds = KNARR_TRY(args.number("timeout", kMaxTimeoutSeconds))) {
        if (*seconds == 0 || request.detach) {
            return fail(Errc::invalid_argument,
                        "--timeout {}",
                        *seconds == 0 ? "0 leaves no time" : "and --detach: nobody would wait");
        }
        request.timeout = std::chrono::seconds(*seconds);
    }
    return request;
}

/// docker's statuses where a container of an image does not run or cannot run a program; runc's for
/// containers of bundles, and where there is none.
int failure_status(const Engine& engine, std::string_view id, Errc code) {
    const auto info = engine.state(id);
    if (!info || info->image.empty() || code == Errc::timed_out) {
        return kCannotExec;
    }
    if (code == Errc::wrong_state || code == Errc::exec_not_found) {
        return describe(code).exit_status;
    }
    return describe(Errc::exec_failed).exit_status;
}

Result<int> run_exec(Context& context, const Parsed& args) {
    context.failure_status = kCannotExec;
    context.for_programs_too = true;
    if (args.positionals.empty() && !args.flag("latest")) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    const std::size_t named = args.flag("latest") ? 0 : 1;
    const ExecRequest request =
        KNARR_TRY(parse_exec(args, std::span(args.positionals).subspan(named)));
    Engine engine = KNARR_TRY(open_engine(context));
    std::vector<std::string_view> words = args.positionals;
    const std::string id = KNARR_TRY(take_container(engine, args, words));
    Result<int> code = engine.exec(id, request);
    if (!code && request.process_file.empty()) {
        context.failure_status = failure_status(engine, id, code.error().code);
    }
    return code;
}

}  // namespace

constexpr Verb kExec{
    .name = "exec",
    .synopsis =
        "[options] ID [--] COMMAND [ARGUMENT...]\n"
        "[options] --process FILE ID",
    .summary = "run a further program in a running container",
    .about =
        "Runs COMMAND with the container's namespaces, cgroup, seccomp filter and limits, and as\n"
        "the container's own user with its environment and capabilities, unless options say\n"
        "otherwise: each option changes only what it names. Everything after ID belongs to the\n"
        "command. What the configuration said when the container was created counts, not what\n"
        "config.json says now.\n"
        "\n"
        "The exit status is the program's, 128+n when signal n ended it. When knarr could not run\n"
        "it in a container of an image: 127 where there is no such program, 1 where the container\n"
        "does not run, else 126. In one of a bundle, where there is no such container, with\n"
        "--process and for a bad option: 255.\n"
        "Signals are passed on. A knarr that is killed leaves the program running, as do the\n"
        "detach keys: then nobody sees what it writes to its terminal, and the status is 0.\n"
        "\n"
        "--user NAME also brings the groups that the container's /etc/passwd and /etc/group give\n"
        "that user; so does --user NUMBER in a container of an image. In one of a bundle it "
        "changes\n"
        "the user ID alone, as with runc.",
    .example = "knarr exec -e LEVEL=3 -w /srv web -- sh -c 'echo $LEVEL'",
    .options = kOptions,
    .rules = {.options_until = 1},
    .run = run_exec,
};

}  // namespace knarr::cli
