#pragma once
// A simulated machine for a test: programs are started on it, time goes on, and what is left is
// looked at.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world.h"

namespace knarr::sim {

/// How one process of the test's making is treated.
struct Treatment {
    std::int64_t kill_at = -1;  ///< SIGKILL before its system call of that number,
    int victim_below = 0;   ///< and not of it, but of its first child (1), of that one's (2) ...
    bool may_fail = false;  ///< the settings' faults hit it and what it starts
    std::int64_t fail_at = -1;   ///< that call, or the next that can, fails with EIO
    std::int64_t full_at = -1;   ///< the disk is full from that call on
    Terminal* window = nullptr;  ///< its stdin, stdout and stderr, whose foreground it is in
};

class Simulation {
public:
    explicit Simulation(const Settings& settings);
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    /// Starts a program of ours: `body` in a process of its own, whose result is its exit status.
    Process& start(const std::string& name,
                   const std::function<int()>& body,
                   const Treatment& treatment = {});
    /// A window of somebody in front of the machine, of that size.
    Terminal& open_window(unsigned short rows, unsigned short columns);
    /// Lets the machine run until these have ended. False: they wait for ever.
    bool finish(std::initializer_list<const Process*> processes);
    bool finish(const std::vector<Process*>& processes);
    /// Lets it run for a time of its own clock, or until nobody will ever run again.
    void run_for(std::int64_t ms);
    void run_for_us(std::int64_t us);
    /// As if all had been written long ago.
    void sync();
    /// Ends everything at once; the disk has what was synced, /run and the cgroups nothing.
    void lose_power();
    /// start() and finish(); the exit status, 128 + the signal, or -1 for one that is stuck.
    int run(const std::string& name,
            const std::function<int()>& body,
            const Treatment& treatment = {});

    std::optional<std::string> read(std::string_view path) const;
    std::vector<std::string> list(std::string_view path) const;
    /// What lives: all but zombies.
    std::vector<const Process*> living() const;
    std::string hash() const;
    /// The end of the trace, for messages.
    std::string tail(std::size_t lines = 60) const;
};

/// What a program of ours tells the test; called in it.
void answer(std::string_view text);

/// The exit status as a shell has it.
int code_of(const Process& process);

}  // namespace knarr::sim
