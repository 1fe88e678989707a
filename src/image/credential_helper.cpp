#include "image/credential_helper.h"

#include "core/core.h"
#include "platform/run_program.h"
#include "spec/json_reader.h"
#include "spec/registry.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMaxOutputBytes = 256 * size::kKiB;
/// How all of them say that they know no such server.
constexpr std::string_view kNotFound = "credentials not found in native keychain";

std::string program_name(const std::string& name) {
    return "docker-credential-" + name;
}

struct Answer {
    std::string output;
    bool found = true;
};

/// `verb` of the protocol with `input`. What it prints is shown only when it failed: else it is a
/// secret.
Result<Answer> run_helper(const std::string& name,
                          const std::string& verb,
                          std::string input,
                          std::chrono::seconds patience = kHelperPatience) {
    const std::string program = program_name(name);
    const auto path = sys::find_program(program);
    if (!path) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("there is no {} in PATH", program),
                          .hint = "install it, or take it out of credHelpers and credsStore in the "
                                  "file with the logins"});
    }
    const sys::Ended ended = KNARR_TRY(sys::run_program({.path = *path,
                                                         .args = {program, verb},
                                                         .env = sys::whole_environment(),
                                                         .input = std::move(input),
                                                         .timeout = patience,
                                                         .max_output = kMaxOutputBytes}));
    if (ended.timed_out) {
        return fail(
            Errc::timed_out, "{} {} did not answer for {} s", program, verb, patience.count());
    }
    if (ended.exit_code == 0 && ended.signal == 0) {
        return Answer{.output = ended.output};
    }
    if (ended.output.find(kNotFound) != std::string::npos) {
        return Answer{.output = {}, .found = false};
    }
    const std::string& said = ended.error_output.empty() ? ended.output : ended.error_output;
    return fail(Errc::unauthorized,
                "{} {} failed ({}): {}",
                program,
                verb,
                ended.signal != 0 ? fmt::format("signal {}", ended.signal)
                                  : fmt::format("exit status {}", ended.exit_code),
                printable(said.substr(0, said.find('\n'))));
}

}  // namespace

bool has_helper(const std::string& name) {
    return sys::find_program(program_name(name)).has_value();
}

Result<std::optional<Credentials>> ask_helper(const std::string& name,
                                              const std::string& server,
                                              std::chrono::seconds patience) {
    const Answer answer = KNARR_TRY(run_helper(name, "get", server, patience));
    if (!answer.found) {
        return std::optional<Credentials>();
    }
    return std::optional(
        KNARR_TRY(spec::decode_helper_login(answer.output), "{}", program_name(name)));
}

Result<> store_in_helper(const std::string& name,
                         const std::string& server,
                         const Credentials& login) {
    KNARR_TRY(run_helper(name, "store", spec::encode_helper_login(server, login)));
    return {};
}

Result<bool> erase_from_helper(const std::string& name, const std::string& server) {
    // Most of them succeed whether or not there is something to erase.
    if (!KNARR_TRY(run_helper(name, "get", server)).found) {
        return false;
    }
    KNARR_TRY(run_helper(name, "erase", server));
    return true;
}

Result<std::map<std::string, std::string>> list_helper(const std::string& name) {
    const Answer answer = KNARR_TRY(run_helper(name, "list", ""));
    const auto document = KNARR_TRY(spec::JsonDocument::parse(answer.output,
                                                              {.name = "credential helper",
                                                               .failure = Errc::invalid_argument,
                                                               .max_bytes = kMaxOutputBytes}));
    std::map<std::string, std::string> servers;
    KNARR_TRY(spec::read_json(document.root(), servers));
    return servers;
}

}  // namespace knarr::image
