#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/standard_stream.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::size_t kMaxLineBytes = 8192;

Result<> write_to(int number, std::string_view text) {
    return sys::write_all(sys::StandardStream(number).fd(), text);
}

}  // namespace

Result<> print(std::string_view text) {
    KNARR_TRY(write_to(STDOUT_FILENO, text), "standard output");
    return {};
}

void print_error(std::string_view text) {
    const Result<> written = write_to(STDERR_FILENO, text);
    if (!written) {
        return;  // there is no place left to say so
    }
}

std::string error_json(const Error& error) {
    const ErrcInfo& info = describe(error.code);
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().key("error").begin_object();
    json.member("code", info.name).member("category", name_of(info.category));
    json.member("message", error.message).member("hint", error.effective_hint());
    json.member("retryable", info.retryable).end_object().end_object();
    return std::move(json).text();
}

std::string log_record(LogFormat format,
                       std::string_view level,
                       std::string_view text,
                       std::string_view time) {
    if (format == LogFormat::json) {
        spec::JsonWriter json;
        json.begin_object().member("level", level).member("msg", text);
        json.member("time", time).end_object();
        return std::move(json).text();
    }
    std::string quoted;
    for (const char c : printable(text, kMaxLineBytes)) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
        }
        quoted += c;
    }
    return fmt::format("time=\"{}\" level={} msg=\"{}\"", time, level, quoted);
}

void Reporter::error(const Error& error) const {
    // podman, containerd and docker show their users nothing but this one message.
    const std::string_view fix = error.effective_hint();
    log("error", fix.empty() ? error.message : fmt::format("{} ({})", error.message, fix));
    if (json_errors) {
        print_error(error_json(error) + "\n");
        return;
    }
    const std::string_view hint = error.effective_hint();
    std::string text = fmt::format(
        "knarr{}{}: {}\n", verb.empty() ? "" : " ", verb, printable(error.message, kMaxLineBytes));
    if (!hint.empty()) {
        text += fmt::format("hint: {}\n", printable(hint, kMaxLineBytes));
    }
    print_error(text);
}

void Reporter::warn(std::string_view text) const {
    if (silent_warnings) {
        return;
    }
    log("warning", text);
    print_error(fmt::format(
        "knarr{}{}: warning: {}\n", verb.empty() ? "" : " ", verb, printable(text, kMaxLineBytes)));
}

void Reporter::debug_line(std::string_view text) const {
    if (!debug) {
        return;
    }
    if (!log_file.empty()) {
        log("debug", text);
        return;
    }
    print_error(log_record(log_format, "debug", text, format_time(system_clock().wall())) + "\n");
}

namespace {
Result<sys::Fd> open_log(const std::string& path) {
    return sys::open_path(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0644);
}
}  // namespace

Result<> Reporter::check_log() const {
    if (!log_file.empty()) {
        KNARR_TRY(open_log(log_file), "--log");
    }
    return {};
}

void Reporter::log(std::string_view level, std::string_view text) const {
    if (log_file.empty()) {
        return;
    }
    // Opened for each record: the descriptor must not be open while a container is launched.
    const Result<sys::Fd> file = open_log(log_file);
    if (!file) {
        return;  // it was checked at the start; the error itself still goes to standard error
    }
    const std::string record =
        log_record(log_format, level, text, format_time(system_clock().wall()));
    const Result<> written = sys::write_all(*file, record + "\n");
    if (!written) {
        return;
    }
}

}  // namespace knarr::cli
