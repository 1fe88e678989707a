#include "cli/pull_options.h"

#include <chrono>

#include "cli/duration.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::chrono::hours kMaxTimeout(7 * 24);

}  // namespace

Result<> check_no_tag(std::string_view name) {
    const std::string_view last = name.substr(name.find_last_of('/') + 1);
    if (last.find_first_of(":@") == std::string_view::npos) {
        return {};
    }
    return fail(Error{.code = Errc::invalid_argument,
                      .message = fmt::format("tag can't be used with --all-tags/-a: {} names one "
                                             "of them already",  // docker's words
                                             printable(name)),
                      .hint = "leave out the tag, or --all-tags"});
}

Result<std::chrono::seconds> parse_timeout(const Parsed& args) {
    const auto time = args.find("timeout");
    if (!time) {
        return std::chrono::seconds(0);
    }
    const auto given = std::chrono::ceil<std::chrono::seconds>(
        KNARR_TRY(parse_duration(*time, "--timeout", kMaxTimeout)));
    if (given.count() == 0) {
        return fail(Errc::invalid_argument,
                    "--timeout {}: it is not between a second and {}h",
                    printable(*time),
                    kMaxTimeout.count());
    }
    return given;
}

Result<PullOptions> parse_pull_options(const Parsed& args) {
    PullOptions options;
    options.platform = args.get("platform");
    options.tls_ca_file = args.get("tls-ca");
    options.plain_http = args.flag("plain-http");
    options.auth_file = args.get("authfile");
    options.tls_verify = !args.has("tls-verify") || args.flag("tls-verify");
    options.cert_dir = args.get("cert-dir");
    options.hosts_dir = args.get("hosts-dir");
    options.timeout = KNARR_TRY(parse_timeout(args));
    return options;
}

}  // namespace knarr::cli
