#include "cli/explanation.h"

#include <csignal>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/text.h"
#include "platform/signal.h"

namespace knarr::cli {

namespace {

constexpr int kSignalBase = 128, kNotExecutable = 126, kNotFound = 127, kMaxSignal = 64;

/// The step is what the message begins with, and behind it stands what was wrong.
void explain_failure(const LaunchFailure& failure, Explanation& out) {
    const std::size_t colon = failure.error.find(": ");
    const bool parted = colon != std::string::npos;
    out.what = fmt::format("its launch failed at {}, at this step: {}",
                           failure.time,
                           parted ? failure.error.substr(0, colon) : failure.error);
    if (parted) {
        out.why.push_back(failure.error.substr(colon + 2));
    }
    if (!failure.hint.empty()) {
        out.next.push_back(failure.hint);
    }
}

void explain_end(const ContainerInfo& info, Explanation& out) {
    if (info.failure) {
        explain_failure(*info.failure, out);
        out.undone =
            "what the launch had made: its process, cgroup and mounts; the container, its files "
            "and its log stay";
        if (!info.finished.empty()) {
            out.why.push_back(fmt::format("before that it ran until {}", info.finished));
        }
        out.next.push_back(
            fmt::format("knarr start {0} tries again, knarr rm {0} removes it", info.id));
        return;
    }
    if (info.image.empty() && !info.exit_code) {
        out.what = "it has ended";
        out.why.push_back(
            "its parent, such as conmon or containerd's shim, has its exit code: it was made from "
            "a bundle, and knarr was not its parent");
        out.next.push_back(fmt::format("knarr rm {} removes it", info.id));
        return;
    }
    const std::string when = info.finished.empty() ? "" : " at " + info.finished;
    if (!info.exit_code) {
        out.what = fmt::format("it has ended{}, and nobody saw with which exit code", when);
        out.why.push_back(
            "whoever watched it was killed, or the machine was started anew, while it ran");
    } else {
        out.what = fmt::format("it has ended{} with exit code {}", when, *info.exit_code);
        if (const std::string meaning = meaning_of(*info.exit_code); !meaning.empty()) {
            out.why.push_back(meaning);
        }
    }
    if (info.oom_killed) {
        out.why.push_back("a process of it was killed for want of memory");
        out.next.push_back("give it more: knarr run --memory SIZE, or knarr update --memory SIZE");
    }
    if (info.restarting) {
        out.what += ", and is about to run again";
        out.next.push_back(fmt::format("knarr update --restart no {} ends that", info.id));
    }
    if (!info.log_dir.empty()) {
        out.next.push_back(fmt::format("knarr logs --tail 20 {} shows what it said last", info.id));
    }
    out.next.push_back(info.image.empty() ? fmt::format("knarr rm {} removes it", info.id)
                                          : fmt::format("knarr start {0} runs it again, knarr rm "
                                                        "{0} removes it",
                                                        info.id));
}

/// One that is healthy needs no words.
void explain_health(const ContainerInfo& info, Explanation& out) {
    if (!info.health || info.health->failing_streak == 0) {
        return;
    }
    const HealthReport& health = *info.health;
    const bool unhealthy = health.status == HealthStatus::unhealthy;
    if (unhealthy) {
        out.what += ", and is unhealthy";
    }
    out.why.push_back(
        fmt::format("{} {} of its health check failed, the last ones one after the "
                    "other; {} in a row are unhealthy",
                    health.failing_streak,
                    health.failing_streak == 1 ? "probe" : "probes",
                    health.check.retries));
    if (!health.log.empty()) {
        const ProbeResult& last = health.log.back();
        const std::string_view said = trimmed(last.output);
        out.why.push_back(fmt::format(
            "the last probe, at {}, {}{}",
            last.start,
            last.exit_code < 0 ? std::string("was killed or could not be run")
                               : fmt::format("ended with exit code {}", last.exit_code),
            said.empty() ? std::string(", and said nothing") : ": " + printable(said, 1024)));
    }
    out.why.push_back(fmt::format("it is: {}", fmt::join(health.check.command, " ")));
    out.next.push_back(fmt::format("knarr health --run {} makes a probe now", info.id));
    out.next.push_back(fmt::format("knarr logs --tail 20 {} shows what it said last", info.id));
}

}  // namespace

std::string meaning_of(int exit_code) {
    if (exit_code == kNotExecutable) {
        return "126: the program, or what it called, cannot be executed";
    }
    if (exit_code == kNotFound) {
        return "127: the program, or what it called, is not there";
    }
    const int signal = exit_code - kSignalBase;
    if (signal <= 0 || signal > kMaxSignal) {
        return {};
    }
    std::string text = fmt::format("{}: signal {} ended it", exit_code, sys::signal_name(signal));
    if (signal == SIGKILL) {
        text += ", by knarr kill, by stop when its time was up, or by the kernel";
    } else if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGABRT) {
        text += ": the program has a bug, or is not made for this machine";
    } else if (signal == SIGSYS) {
        text += ": it made a system call that its seccomp filter forbids";
    }
    return text;
}

Explanation explain(const LaunchFailure& failure) {
    Explanation out;
    out.id = failure.id;
    explain_failure(failure, out);
    out.undone = "all that there was of it; neither its files nor its name are taken";
    out.next.push_back(fmt::format("knarr run {} once more, with that mended", failure.image));
    return out;
}

Explanation explain(const ContainerInfo& info) {
    Explanation out;
    out.id = info.id;
    if (!info.damage.empty()) {
        out.what = "its record on the disk cannot be understood";
        out.why.push_back(info.damage);
        out.next.push_back("knarr recover brings it back from its copy, where there is one");
        out.next.push_back("knarr recover --force puts it aside");
        return out;
    }
    switch (info.state) {
        case ContainerState::creating:
            out.what = "another knarr is just making it";
            break;
        case ContainerState::created:
            if (info.failure) {
                explain_end(info, out);
                break;
            }
            out.what = "it is made, and its program waits for knarr start";
            out.next.push_back(fmt::format("knarr start {}", info.id));
            break;
        case ContainerState::running:
            out.what = fmt::format("it runs, as process {}", info.pid);
            explain_health(info, out);
            break;
        case ContainerState::paused:
            out.what = "all its processes stand still";
            out.next.push_back(fmt::format("knarr unpause {}", info.id));
            break;
        case ContainerState::stopped:
            explain_end(info, out);
            break;
    }
    if (info.restart_count > 0) {
        out.why.push_back(fmt::format("it was started again {} times by its policy {}",
                                      info.restart_count,
                                      name_of(info.restart.mode)));
    }
    if (!info.trouble.empty()) {
        out.why.push_back("its monitor says: " + info.trouble);
    }
    return out;
}

}  // namespace knarr::cli
