#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/log_time.h"
#include "cli/refused.h"
#include "core/ascii.h"
#include "core/clock.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "follow", .letter = 'f', .help = "go on until the container ends"},
    Option{.name = "tail",
           .letter = 'n',
           .value = "N",
           .help = "only the last N lines; all: every one",
           .fallback = "all"},
    Option{.name = "since",
           .value = "TIME",
           .help = "not before: RFC 3339, seconds since 1970, or 10m for ten minutes ago"},
    Option{.name = "until", .value = "TIME", .help = "not after"},
    Option{.name = "details",
           .help = "begin each line with the labels and variables that run --log-opt chose"},
    Option{.name = "timestamps", .letter = 't', .help = "begin each line with when it was written"},
    kLatestOption,
};

constexpr std::size_t kKept = std::size_t{64} * 1024;  // of output, until it is written

Result<LogRequest> parse_logs(const Parsed& args) {
    LogRequest request;
    request.follow = args.flag("follow");
    const std::string_view tail = args.get("tail", "all");
    if (tail != "all" && tail != "-1") {
        constexpr std::uint64_t kMaxLines = 1'000'000'000;
        request.tail = KNARR_TRY(args.number("tail", kMaxLines));
    }
    const Clock::Wall now = system_clock().wall();
    if (const auto since = args.find("since")) {
        request.since = KNARR_TRY(parse_log_time(*since, now, "--since"));
    }
    if (const auto until = args.find("until")) {
        request.until = KNARR_TRY(parse_log_time(*until, now, "--until"));
    }
    return request;
}

/// As in the query of a URL, which docker's users unpack.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (is_alnum(c) || std::string_view("-_.~").find(c) != std::string_view::npos) {
            out += c;
        } else if (c == ' ') {
            out += '+';
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

/// "a=1,b=2 " as docker has it: no more than the blank where there are none.
std::string details_text(const std::map<std::string, std::string>& details) {
    std::string text;
    for (const auto& [name, value] : details) {
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", escaped(name), escaped(value));
    }
    return text + " ";
}

/// Both streams, each to our own of that name, in the order that they were written in.
class Output {
public:
    Output(bool timestamps, std::string details)
        : timestamps_(timestamps), details_(std::move(details)) {}

    Result<> take(const LogPart& part) {
        if (part.error_stream != error_) {
            KNARR_TRY(flush());
            error_ = part.error_stream;
        }
        bool& inside = inside_[part.error_stream ? 1 : 0];
        if (timestamps_ && !inside) {
            kept_ += part.time;
            kept_ += ' ';
        }
        kept_ += inside ? "" : details_;
        inside = !part.text.ends_with('\n');
        kept_ += part.text;
        return kept_.size() >= kKept ? flush() : Result<>{};
    }
    Result<> flush() {
        const std::string text = std::exchange(kept_, {});
        if (text.empty()) {
            return {};
        }
        if (error_) {
            print_error(text);
            return {};
        }
        return print(text);
    }

private:
    bool timestamps_;
    std::string details_;  // before each line
    bool error_ = false;
    std::array<bool, 2> inside_{};  // a line of that stream has begun
    std::string kept_;
};

Result<int> run_logs(Context& context, const Parsed& args) {
    const LogRequest request = KNARR_TRY(parse_logs(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::string id = KNARR_TRY(only_container(engine, args));
    Output output(args.flag("timestamps"),
                  args.flag("details") ? details_text(KNARR_TRY(engine.state(id)).log_details)
                                       : std::string());
    const LogSink sink = [&](const LogPart& part) -> Result<> {
        KNARR_TRY(output.take(part));
        return request.follow ? output.flush() : Result<>{};
    };
    KNARR_TRY(engine.logs(id, request, sink));
    KNARR_TRY(output.flush());
    return 0;
}

}  // namespace

constexpr Verb kLogs{
    .name = "logs",
    .synopsis = "[options] ID",
    .summary = "print what a container of an image wrote",
    .about =
        "Prints what the program wrote, byte for byte: its standard output to standard output, "
        "its\n"
        "standard error to standard error. Also of a container that has ended, until it is "
        "removed.\n"
        "--since and --until include the moments that they name.",
    .example = "knarr logs -f --tail 20 web",
    .options = kOptions,
    .rules = {.refused = kRefusedByLogs},
    .run = run_logs,
};

}  // namespace knarr::cli
