#include "cli/output.h"

#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "engine/own_log.h"
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

void Reporter::error(const Error& error) const {
    // podman, containerd and docker show their users nothing but this one message.
    const std::string_view fix = error.effective_hint();
    log(LogLevel::error, fix.empty() ? error.message : fmt::format("{} ({})", error.message, fix));
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
    if (own_log.level < LogLevel::warning) {
        return;
    }
    log(LogLevel::warning, text);
    print_error(fmt::format(
        "knarr{}{}: warning: {}\n", verb.empty() ? "" : " ", verb, printable(text, kMaxLineBytes)));
}

void Reporter::info(std::string_view text) const {
    log(LogLevel::info, text);
}

void Reporter::debug_line(std::string_view text) const {
    if (own_log.level < LogLevel::debug) {
        return;
    }
    if (!own_log.file.empty()) {
        log(LogLevel::debug, text);
        return;
    }
    const engine::OwnRecord entry{
        .level = LogLevel::debug, .text = text, .id = container, .op = op};
    print_error(engine::log_record(own_log.format, entry, format_time(system_clock().wall())) +
                "\n");
}

void Reporter::log(LogLevel level, std::string_view text) const {
    engine::write_own_log(own_log, {.level = level, .text = text, .id = container, .op = op});
}

}  // namespace knarr::cli
