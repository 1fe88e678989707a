// What simulated processes run: knarr-monitor, and the programs of containers.

#include "sim/programs.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"
#include "engine/errand.h"
#include "engine/monitor.h"
#include "sim/world.h"

namespace knarr::sim {

namespace {

constexpr std::string_view kTrampoline = "knarr-exec:";
volatile std::sig_atomic_t asked_to_end = 0;
int end_status = 0;
volatile std::sig_atomic_t resized = 0;

void on_signal(int /*number*/) {
    asked_to_end = 1;
}

void on_resize(int /*number*/) {
    resized = 1;
}

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = write(fd, bytes.data(), bytes.size());
        if (put <= 0) {
            if (errno != EINTR) {
                _exit(120);
            }
            continue;
        }
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
}

/// Until the time is over, or a signal asks it to end.
void rest(std::int64_t ms) {
    while (asked_to_end == 0) {
        const timespec pause{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000};
        if (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr) == 0) {
            return;
        }
    }
    _exit(end_status);
}

/// Says how large its terminal is.
void tell_size() {
    winsize size{};
    ioctl(0, TIOCGWINSZ, &size);
    write_all(1, fmt::format("{}x{}\n", size.ws_row, size.ws_col));
}

/// Says so each time that its terminal's size changes.
void follow_size(std::int64_t times) {
    struct sigaction action{};
    action.sa_handler = on_resize;
    sigaction(SIGWINCH, &action, nullptr);
    tell_size();
    for (; times > 0; --times) {
        const timespec pause{.tv_sec = 1'000'000, .tv_nsec = 0};
        while (resized == 0) {
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
        }
        resized = 0;
        tell_size();
    }
}

/// Answers so many pieces of its input, or all of it.
void answer_input(std::int64_t times) {
    std::array<char, 256> buffer;
    for (; times > 0; --times) {
        const ssize_t got = read(0, buffer.data(), buffer.size());
        if (got <= 0) {
            return;
        }
        write_all(1, "got " + std::string(buffer.data(), static_cast<std::size_t>(got)));
    }
}

/// One word of a program: "write:N" bytes in lines, "err:N", "sleep:MS", "exit:N", "ends:N" on
/// SIGTERM and SIGINT with that status, "stubborn"; of a terminal "size:N", said at the beginning
/// and N times when it changes; "read:N" answers N lines.
void act(std::string_view word) {
    const std::size_t colon = word.find(':');
    const std::string_view verb = word.substr(0, colon);
    const auto value = colon == std::string_view::npos
                           ? std::nullopt
                           : parse_number(word.substr(colon + 1), UINT32_MAX);
    const auto number = static_cast<std::int64_t>(value.value_or(0));
    if (verb == "write" || verb == "err") {
        write_all(verb == "err" ? 2 : 1, program_output(static_cast<std::size_t>(number)));
    } else if (verb == "size") {
        follow_size(number);
    } else if (verb == "read") {
        answer_input(number);
    } else if (verb == "sleep") {
        rest(number);
    } else if (verb == "exit") {
        _exit(static_cast<int>(number));
    } else if (verb == "ends") {
        end_status = static_cast<int>(number);
        struct sigaction action{};
        action.sa_handler = on_signal;
        sigaction(SIGTERM, &action, nullptr);
        sigaction(SIGINT, &action, nullptr);
    } else if (verb == "stubborn") {
        struct sigaction action{};
        action.sa_handler = SIG_IGN;
        sigaction(SIGTERM, &action, nullptr);
    } else {
        _exit(121);
    }
}

[[noreturn]] void be_monitor(const std::vector<std::string>& arguments) {
    const std::vector<std::string_view> words(arguments.begin() + 1, arguments.end());
    if (engine::is_errand(words)) {
        _exit(engine::run_errand(words) ? 0 : 1);
    }
    const auto order = engine::parse_order(words);
    const Result<> done = order ? engine::monitor(*order) : fail(order.error());
    if (!done) {
        note("a monitor failed: " + done.error().message);
    }
    _exit(done ? 0 : describe(done.error().code).exit_status);
}

/// The trampoline's work: the program, or a word about why not, and 127.
[[noreturn]] void be_trampoline(const std::vector<std::string>& arguments) {
    const std::string control = arguments[0].substr(kTrampoline.size(), 8);
    const int report = static_cast<int>(std::strtol(control.c_str(), nullptr, 16));
    Found found;
    const int failed = walk(AT_FDCWD, arguments[1], 0, found);
    int error = failed != 0 ? -failed : found.inode == nullptr ? ENOENT : 0;
    if (error == 0) {
        self->files[report].close_on_exec = true;
        error = -become(found.inode, {arguments.begin() + 2, arguments.end()});
    }
    static_cast<void>(!write(report, &error, sizeof error));
    _exit(127);
}

void close_on_exec() {
    std::vector<File*> closed;
    for (auto at = self->files.begin(); at != self->files.end();) {
        if (at->second.close_on_exec) {
            closed.push_back(at->second.file);
            at = self->files.erase(at);
        } else {
            ++at;
        }
    }
    for (File* file : closed) {
        drop(file);
    }
}

}  // namespace

void go_on(const std::vector<std::string>& words, std::size_t from) {
    self->role = Role::program;
    self->fate = {};
    self->words.clear();
    for (const std::string& word : words) {
        self->words.push_back(Text(word));
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
        // What it had set up for its signals is a part of what goes on.
        if (i >= from || words[i].starts_with("ends:") || words[i] == "stubborn") {
            self->word = i;
            act(words[i]);
        }
    }
    _exit(0);
}

std::string program_output(std::size_t bytes) {
    std::string text;
    for (std::size_t line = 0; text.size() < bytes; ++line) {
        text += fmt::format("line {} of the program's output\n", line);
    }
    text.resize(bytes);
    if (bytes > 0) {
        text.back() = '\n';
    }
    return text;
}

int become(Inode* file, const std::vector<std::string>& arguments) {
    const std::string_view content = view(file->data);
    const bool trampoline = !arguments.empty() && arguments[0].starts_with(kTrampoline);
    if (!trampoline && content != kProgramFile && content != kMonitorFile && content != kCriuFile) {
        return -ENOEXEC;
    }
    note(fmt::format("{} becomes {}", self->pid, fmt::join(arguments, " ")));
    self->exe = file;
    self->name = Text(arguments[0]);
    close_on_exec();
    if (trampoline) {
        be_trampoline(arguments);
    }
    if (content == kMonitorFile) {
        self->role = Role::ours;
        be_monitor(arguments);
    }
    if (content == kCriuFile) {
        self->role = Role::ours;
        be_criu(arguments);
    }
    go_on(arguments, 1);
}

}  // namespace knarr::sim
