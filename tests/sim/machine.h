#pragma once
// Containers on a simulated machine: what the tests do with knarr there.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/log_lines.h"
#include "knarr/engine.h"
#include "sim/simulation.h"

namespace knarr::sim {

inline constexpr const char* kStateRoot = "/run/knarr";
inline constexpr const char* kDataRoot = "/var/lib/knarr";

enum class Streams : std::uint8_t { plain, terminal };
/// Puts the bundle /b/NAME on the machine, whose program gets these words (programs.cpp).
void make_bundle(const std::string& name,
                 const std::vector<std::string>& words,
                 Streams streams = Streams::plain);

/// A verb of knarr as the body of a process: 0, or the exit status of the error, which is also the
/// process's answer.
int verb(const std::function<Result<int>(Engine&)>& work);

int create(const std::string& id);
int start(const std::string& id);
int kill(const std::string& id, int signal);
int remove(const std::string& id, RemoveMode mode);
int stop(const std::string& id, unsigned seconds);
int pause(const std::string& id);
int resume(const std::string& id);
/// What `knarr recover` does.
int recover(bool force);
/// Answers with the state's name.
int state(const std::string& id);
/// Answers with the exit code, "-" where nobody knows it.
int wait(const std::string& id);
/// Runs a program with these words in it; at most so long, 0: for ever.
int exec(const std::string& id, const std::vector<std::string>& words, int timeout_ms);

/// The same with a terminal of its own, behind the caller's window.
int exec_in_terminal(const std::string& id, const std::vector<std::string>& words);
/// In front of a container: the program's exit code, kLeft where the keys were typed.
int attach(const std::string& id);
inline constexpr int kLeft = 99;
inline constexpr const char* kDetachKeys = "\x10\x11";  // Ctrl-P, Ctrl-Q

bool is_raw(const Terminal& window);

/// By the simulated CRIU, into kImages and back.
inline constexpr const char* kImages = "/var/images";
enum class After : std::uint8_t { goes, stays };
int checkpoint(const std::string& id, After after);
int restore(const std::string& id);

struct Background {
    RestartPolicy restart = {};
    bool keep_log = true;
    bool auto_remove = false;
    std::optional<HealthCheck> health = {};
    bool terminal = false;  // of a bundle that has one
};
inline constexpr Background kInTerminal{.terminal = true};
/// Runs the bundle of that name under a monitor.
int run_in_background(const std::string& id, const Background& options);
/// The same with the caller in front of it; as attach().
int run_in_front(const std::string& id, const Background& options);
/// What the program wrote, as its log has it.
std::string logged(Simulation& sim,
                   const std::string& id,
                   engine::LogStream stream = engine::LogStream::out);

/// As a terminal shows lines.
std::string on_screen(const std::string& text);

/// What `knarr state` says it is, "gone" where there is none; else what went wrong.
std::string state_of(Simulation& sim, const std::string& id);

/// What `knarr state` tells of it; nothing where that fails.
struct Told {
    unsigned restarts = 0;
    bool restarting = false;
    HealthStatus health = HealthStatus::starting;
    unsigned failing = 0;
};
std::optional<Told> told_of(Simulation& sim, const std::string& id);

/// What is left on a machine where every container was removed; empty: nothing.
std::string leftovers(const Simulation& sim);
/// Expects that the container goes by force, and that nothing is left then.
void expect_removable(Simulation& sim, const std::string& id, const std::string& when);

}  // namespace knarr::sim
