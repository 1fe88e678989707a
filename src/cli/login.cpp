// login and logout: credentials for registries.

#include <array>

#include <unistd.h>

#include "cli/containers.h"
#include "cli/pull_options.h"
#include "core/text.h"
#include "platform/raw_terminal.h"
#include "platform/terminal.h"

namespace knarr::cli {

namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{64} * 1024;

constexpr std::array kLoginOptions{
    Option{.name = "username", .letter = 'u', .value = "NAME", .help = "who you are there"},
    Option{.name = "password",
           .letter = 'p',
           .value = "TEXT",
           .help = "seen by everybody who sees processes; better: --password-stdin"},
    Option{.name = "password-stdin", .help = "read the password from standard input"},
    Option{.name = "get-login", .help = "only print as whom a pull would log in"},
    Option{.name = "authfile",
           .value = "FILE",
           .help = "where to keep it; env REGISTRY_AUTH_FILE",
           .fallback = "$XDG_RUNTIME_DIR/containers/auth.json, else that of /run/containers/UID"},
    kTlsCaOption,
    kTlsVerifyOption,
    kCertDirOption,
    kPlainHttpOption,
    kHostsDirOption,
};

/// A standard descriptor's line, byte by byte: what follows belongs to somebody else.
Result<std::string> read_line(const sys::Fd& fd) {
    std::string line;
    std::array<char, 1> byte{};
    while (line.size() < kMaxAnswerBytes) {
        const std::size_t got = KNARR_TRY(sys::read_full(fd, byte));
        if (got == 0 || byte[0] == '\n' || byte[0] == '\r') {
            return line;
        }
        line += byte[0];
    }
    return fail(Errc::limit_exceeded, "an answer of more than {} bytes", kMaxAnswerBytes);
}

/// One line that is not shown while it is typed.
Result<std::string> read_secret(const sys::Fd& terminal) {
    constexpr char kInterrupt = 3, kEnd = 4, kBackspace = 8, kDelete = 127, kKill = 21;
    sys::Fd own = KNARR_TRY(sys::duplicate(terminal));
    const auto raw = KNARR_TRY(sys::RawTerminal::enter(std::move(own)), "ask for it");
    print_error("Password: ");  // from here on nothing is shown: it may be typed at once
    std::string line;
    std::array<char, 1> byte{};
    while (line.size() < kMaxAnswerBytes) {
        const std::size_t got = KNARR_TRY(sys::read_full(terminal, byte));
        const char c = got == 0 ? kEnd : byte[0];
        if (c == kInterrupt) {
            return fail(Errc::interrupted, "stopped on request");
        }
        if (c == '\n' || c == '\r' || c == kEnd) {
            return line;
        }
        if (c == kKill) {
            line.clear();
        } else if (c != kBackspace && c != kDelete) {
            line += c;
        } else if (!line.empty()) {
            line.pop_back();
        }
    }
    return fail(Errc::limit_exceeded, "an answer of more than {} bytes", kMaxAnswerBytes);
}

struct Answers {
    std::string username, password;
};

/// What the options do not say is asked at the terminal.
Result<Answers> ask_missing(const Parsed& args, const sys::Fd& in) {
    Answers answers{.username = std::string(args.get("username")),
                    .password = std::string(args.get("password"))};
    if (args.flag("password-stdin")) {
        if (args.has("password") || answers.username.empty()) {
            return fail(Errc::invalid_argument,
                        "--password-stdin goes with --username, and without --password");
        }
        answers.password = KNARR_TRY(sys::read_all(in, kMaxAnswerBytes), "read the password");
        while (answers.password.ends_with('\n') || answers.password.ends_with('\r')) {
            answers.password.pop_back();
        }
        return answers;
    }
    if (args.has("password")) {
        print_error(
            "warning: --password shows the password to everybody who sees processes; "
            "better: --password-stdin\n");
    }
    const bool asks = answers.username.empty() || !args.has("password");
    if (asks && !sys::is_terminal(in)) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "there is no terminal to ask for the name and the password",
                          .hint = "--username NAME --password-stdin < FILE"});
    }
    if (answers.username.empty()) {
        print_error("Username: ");
        answers.username = KNARR_TRY(read_line(in));
    }
    if (!args.has("password")) {
        auto secret = read_secret(in);
        print_error("\n");
        answers.password = KNARR_TRY(std::move(secret));
    }
    return answers;
}

Result<std::string> registry_argument(const Parsed& args) {
    if (args.positionals.empty()) {
        return std::string("docker.io");
    }
    return std::string(KNARR_TRY(one_argument(args, "REGISTRY")));
}

Result<int> run_login(Context&, const Parsed& args) {
    const std::string registry = KNARR_TRY(registry_argument(args));
    LoginRequest request{.registry = registry, .options = KNARR_TRY(parse_pull_options(args))};
    if (args.flag("get-login")) {
        const auto user = KNARR_TRY(Engine::logged_in_user(registry, request.options.auth_file));
        if (!user) {
            return fail(Error{.code = Errc::not_found,
                              .message = fmt::format("not logged in at {}", printable(registry)),
                              .hint = fmt::format("knarr login {}", printable(registry))});
        }
        KNARR_TRY(print(printable(*user) + "\n"));
        return 0;
    }
    sys::Fd in(STDIN_FILENO);
    auto answers = ask_missing(args, in);
    in.release();  // standard descriptors stay open
    Answers given = KNARR_TRY(std::move(answers));
    request.username = std::move(given.username);
    request.password = std::move(given.password);
    request.notice = [&](const std::string& text) { print_error(printable(text, 1024) + "\n"); };
    const LoginReport report = KNARR_TRY(Engine::log_in(request));
    KNARR_TRY(print("Login Succeeded!\n"));
    print_error(fmt::format("kept in {}\n", printable(report.place, 1024)));
    return 0;
}

constexpr std::array kLogoutOptions{
    Option{.name = "all", .letter = 'a', .help = "forget all logins of the file"},
    Option{.name = "authfile",
           .value = "FILE",
           .help = "where it is kept; env REGISTRY_AUTH_FILE",
           .fallback = "where login keeps it"},
};

Result<int> run_logout(Context&, const Parsed& args) {
    const std::string auth_file(args.get("authfile"));
    if (args.flag("all")) {
        KNARR_TRY(no_arguments(args));
        const auto gone = KNARR_TRY(Engine::log_out_everywhere(auth_file));
        for (const std::string& registry : gone) {
            KNARR_TRY(print("Removed login credentials for " + printable(registry) + "\n"));
        }
        return 0;
    }
    const std::string registry = KNARR_TRY(registry_argument(args));
    const LoginReport report = KNARR_TRY(Engine::log_out(registry, auth_file));
    if (report.place.empty()) {  // no error, as docker has it: scripts log out in any case
        print_error(fmt::format("not logged in to {}\n", printable(report.registry)));
        return 0;
    }
    KNARR_TRY(print("Removed login credentials for " + printable(report.registry) + "\n"));
    return 0;
}

}  // namespace

constexpr Verb kLogin{
    .name = "login",
    .synopsis = "[options] [REGISTRY]",
    .summary = "log in at a registry",
    .about =
        "Asks the registry (docker.io when none is named) whether it takes the name and the\n"
        "password, and keeps them where pull, push, podman and skopeo find them: in a file of "
        "mode\n"
        "0600, or with the program docker-credential-NAME that the file names in credHelpers or\n"
        "credsStore. What is missing is asked for at the terminal. REGISTRY may have a path, as "
        "in\n"
        "registry.example/team: the login is then for what is below it.",
    .example = "knarr login --username me --password-stdin registry.example < password",
    .options = kLoginOptions,
    .run = run_login,
};

constexpr Verb kLogout{
    .name = "logout",
    .synopsis = "[options] [REGISTRY]\n--all [options]",
    .summary = "forget the login at a registry",
    .about = "Takes the login out of the file, or out of the helper program, that login put it in.",
    .example = "knarr logout registry.example",
    .options = kLogoutOptions,
    .run = run_logout,
};

}  // namespace knarr::cli
