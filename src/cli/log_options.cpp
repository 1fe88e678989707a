#include "cli/log_options.h"

#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::uint64_t kLeastLogBytes = 4096, kMaxLogFiles = 1000;
/// What docker keeps of driver local where nothing else is asked for.
constexpr std::uint64_t kLocalLogBytes = std::uint64_t{20} << 20;
constexpr unsigned kLocalLogFiles = 5;
/// What is kept beside the journal, of each of two files: for `logs`, and where it does not read.
constexpr std::uint64_t kJournaledLogBytes = std::uint64_t{16} << 20;

/// --log-opt NAME=VALUE, docker's names.
Result<> parse_log_option(std::string_view text, LogPolicy& log) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1);
    if (name == "max-size") {
        const std::int64_t bytes =
            value == "-1" ? 0 : KNARR_TRY(parse_size(value, "--log-opt max-size"));
        if (value != "-1" && bytes < static_cast<std::int64_t>(kLeastLogBytes)) {
            return fail(Errc::invalid_argument,
                        "--log-opt max-size {} is below {} bytes",
                        printable(value),
                        kLeastLogBytes);
        }
        log.max_bytes = static_cast<std::uint64_t>(bytes);
        return {};
    }
    if (name == "max-file") {
        const auto files = parse_number(value, kMaxLogFiles);
        if (!files || *files == 0) {
            return fail(Errc::invalid_argument,
                        "--log-opt max-file \"{}\" is not a number from 1 to {}",
                        printable(value),
                        kMaxLogFiles);
        }
        log.max_files = static_cast<unsigned>(*files);
        return {};
    }
    if (name == "labels" || name == "env") {
        std::vector<std::string>& names = name == "env" ? log.variables : log.labels;
        for (const std::string_view one : split(value, ',')) {
            if (one.empty()) {
                return fail(Errc::invalid_argument,
                            "--log-opt {} \"{}\" is not a list of names",
                            name,
                            printable(value));
            }
            names.emplace_back(one);
        }
        return {};
    }
    return fail(Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--log-opt {} is not known", printable(text)),
                      .hint = "max-size=SIZE, max-file=N, labels=NAME,... and env=NAME,... are"});
}

}  // namespace

Result<LogPolicy> parse_log(const Parsed& args) {
    LogPolicy log;
    const std::string_view driver = args.get("log-driver", "k8s-file");
    if (driver == "none") {
        log.keep = false;
    } else if (driver == "journald") {
        log.journal = true;
        log.max_bytes = kJournaledLogBytes;
        log.max_files = 2;
    } else if (driver == "local") {
        log.max_bytes = kLocalLogBytes;
        log.max_files = kLocalLogFiles;
    } else if (driver != "k8s-file" && driver != "json-file" && driver != "file") {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("--log-driver {} is not built", printable(driver)),
            .hint =
                "k8s-file (also by the names json-file, file and local), journald and none are"});
    }
    for (const std::string_view option : args.all("log-opt")) {
        KNARR_TRY(parse_log_option(option, log));
    }
    if (driver == "local" && log.max_bytes == 0 && log.max_files == kLocalLogFiles) {
        log.max_files = 1;  // max-size=-1
    }
    if (log.max_files > 1 && log.max_bytes == 0) {
        return fail(Errc::invalid_argument, "--log-opt max-file needs max-size");
    }
    return log;
}

}  // namespace knarr::cli
