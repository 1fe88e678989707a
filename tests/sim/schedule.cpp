// Who runs, until when, and how processes end.

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fmt/format.h>

#include "sim/real.h"
#include "sim/world.h"

namespace knarr::sim {

World* world = nullptr;
Process* self = nullptr;

namespace {

constexpr std::int64_t kBootWall = 1'700'000'000'000'000'000;
const char* call_name = "";
std::string call_detail;

std::uint64_t bit(int number) {
    return std::uint64_t{1} << static_cast<unsigned>(number);
}

/// What wakes or ends it now.
std::uint64_t deliverable(const Process& process) {
    return process.pending & ~process.blocked;
}

bool can_run(const Process& process) {
    return process.life == Life::ready && !process.stopped && !is_frozen(process.cgroup);
}

void expire() {
    for (Process* process : world->processes) {
        if (process->life == Life::waiting && process->deadline >= 0 &&
            process->deadline <= world->now) {
            process->life = Life::ready;
            process->alarmed = true;
        }
    }
}

bool test_goes_on() {
    if (!world->broken.empty() || (world->until >= 0 && world->now >= world->until)) {
        return true;
    }
    return !world->awaited.empty() && std::ranges::all_of(world->awaited, [](pid_t pid) {
        return std::ranges::none_of(world->processes, [&](const Process* process) {
            return process->pid == pid && is_alive(*process);
        });
    });
}

/// The slot of the next one; 0: the test.
int next_slot() {
    while (true) {
        expire();
        if (test_goes_on()) {
            return 0;
        }
        std::vector<int> able;
        std::int64_t first = world->until;
        for (const Process* process : world->processes) {
            if (can_run(*process)) {
                able.push_back(process->slot);
            }
            if (process->life == Life::waiting && process->deadline >= 0 && !process->stopped &&
                !is_frozen(process->cgroup)) {
                first = first < 0 ? process->deadline : std::min(first, process->deadline);
            }
        }
        if (!able.empty()) {
            return able[draw() % able.size()];
        }
        if (first < 0) {
            world->idle = true;
            return 0;
        }
        world->now = std::max(world->now, first);
    }
}

void give_turn(int slot) {
    world->turn[static_cast<std::size_t>(slot)].store(1);
    // All: one of the simulation before may wait at the same place, killed but not gone yet.
    real_syscall(SYS_futex,
                 reinterpret_cast<long>(&world->turn[static_cast<std::size_t>(slot)]),
                 FUTEX_WAKE,
                 INT_MAX);
}

bool is_time_for(std::int64_t call) {
    return call >= 0 && static_cast<std::int64_t>(self->calls) >= call;
}

/// SIGKILL and its like at a moment between two calls.
void check_own_end() {
    if (is_time_for(self->fate.kill_at)) {
        note(fmt::format("{} is killed", self->pid));
        ++world->kills;
        end_self(SIGKILL);
    }
    if (self->role == Role::program) {
        return;
    }
    if (world->settings.kill_ppm > 0 && chance(world->settings.kill_ppm)) {
        note(fmt::format("{} is killed by chance", self->pid));
        ++world->kills;
        end_self(SIGKILL);
    }
}

int error_of(Fault fault) {
    switch (fault) {
        case Fault::none:
            return 0;
        case Fault::disk:
            return draw() % 2 == 0 ? EIO : ENOSPC;
        case Fault::descriptors:
            return draw() % 2 == 0 ? EMFILE : EIO;
        case Fault::processes:
            return EAGAIN;
    }
    return EIO;
}

}  // namespace

std::uint64_t draw() {
    world->random += 0x9e3779b97f4a7c15U;
    std::uint64_t z = world->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

bool chance(std::uint64_t ppm) {
    return draw() % 1'000'000 < ppm;
}

std::int64_t wall_time() {
    return kBootWall + world->now + world->wall_jump;
}

void note(std::string_view event) {
    const std::string line = fmt::format("{} {}", world->now, event);
    for (const char c : line) {
        world->hash = (world->hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    world->hash = (world->hash ^ '\n') * 0x100000001b3U;
    if (world->settings.trace) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    }
    world->lines.emplace_back(line);
    if (world->lines.size() > kKeptLines) {
        world->lines.pop_front();
    }
}

int begin_call(const char* name, std::string detail, Fault fault) {
    call_name = name;
    call_detail = std::move(detail);
    ++self->calls;
    ++world->calls;
    world->now += static_cast<std::int64_t>(1000 + draw() % 9000);
    check_own_end();
    const bool time_is_up = world->until >= 0 && world->now >= world->until;
    if (time_is_up || draw() % 100 < world->settings.switch_percent) {
        run_others();
    }
    if (is_time_for(self->fate.full_at)) {
        note(fmt::format("{} finds the disk full", self->pid));
        self->fate.full_at = -1;
        world->disk_full = true;
        ++world->faults;
    }
    if (fault != Fault::none && is_time_for(self->fate.fail_at)) {
        self->fate.fail_at = -1;
        ++world->faults;
        return EIO;
    }
    if (fault != Fault::none && self->may_fail && self->role != Role::program &&
        world->settings.fault_ppm > 0 && chance(world->settings.fault_ppm)) {
        ++world->faults;
        return error_of(fault);
    }
    return 0;
}

long end_call(long result) {
    note(fmt::format("{} {} {} = {}", self->pid, call_name, call_detail, result));
    handle_signals();
    if (result < 0 && result > -4096) {
        errno = static_cast<int>(-result);
        return -1;
    }
    return result;
}

bool wait_on(const List<Channel>& channels, std::int64_t deadline) {
    if (deadline >= 0 && deadline <= world->now) {
        return false;
    }
    const std::string detail = call_detail;
    self->waits = channels;
    self->waits.push_back(self);  // signals
    self->deadline = deadline;
    self->alarmed = false;
    self->life = Life::waiting;
    run_others();
    self->waits.clear();
    self->deadline = -1;
    call_detail = detail;
    return !self->alarmed;
}

void wake(Channel channel) {
    for (Process* process : world->processes) {
        if (process->life == Life::waiting &&
            std::ranges::find(process->waits, channel) != process->waits.end()) {
            process->life = Life::ready;
        }
    }
}

bool interrupted() {
    return (deliverable(*self) & ~self->ignored) != 0;
}

void run_others() {
    const int own = self == nullptr ? 0 : self->slot;
    const int next = next_slot();
    if (next == own) {
        return;
    }
    ++world->switches;
    give_turn(next);
    await_turn(own);
}

void await_turn(int slot) {
    std::atomic<std::uint32_t>& turn = world->turn[static_cast<std::size_t>(slot)];
    while (turn.load() == 0) {
        // The test's own patience ends a simulation whose process died without passing the turn.
        const timespec limit{.tv_sec = 60, .tv_nsec = 0};
        const long waited = real_syscall(SYS_futex,
                                         reinterpret_cast<long>(&turn),
                                         FUTEX_WAIT,
                                         0,
                                         slot == 0 ? reinterpret_cast<long>(&limit) : 0);
        if (waited == -ETIMEDOUT && turn.load() == 0) {
            world->broken = "a simulated process hangs or crashed outside of system calls";
            return;
        }
    }
    turn.store(0);
}

void not_simulated(const char* what) {
    world->broken = what;
    note(fmt::format("{} asks for {}", self->pid, what));
    std::fprintf(stderr, "the simulated kernel does not know %s\n", what);
    end_self(SIGSYS);
}

bool is_alive(const Process& process) {
    return process.life == Life::ready || process.life == Life::waiting;
}

Process* find_process(pid_t pid) {
    const bool host = self == nullptr || self->pids == world->host_pids;
    for (Process* process : world->processes) {
        const bool seen =
            host ? process->pid == pid : process->own_pid == pid && process->pids == self->pids;
        if (seen && process->life != Life::reaped) {
            return process;
        }
    }
    return nullptr;
}

namespace {

/// Who gets the children of one that ends: the next above that asked for them.
Process* heir_of(const Process& process) {
    for (Process* above = process.parent; above != nullptr; above = above->parent) {
        if (is_alive(*above) && above->subreaper && above->pids == process.pids) {
            return above;
        }
    }
    Process* init = process.pids->init;
    return init != nullptr && init != &process && is_alive(*init) ? init : nullptr;
}

}  // namespace

void reap(Process& process) {
    process.life = Life::reaped;
    wake(&process);
}

void end_process(Process& process, int status) {
    if (!is_alive(process)) {
        return;
    }
    process.life = Life::zombie;
    process.status = status;
    close_all(process);
    process.cgroup = nullptr;
    std::vector<Process*> to_kill;
    Process* heir = heir_of(process);
    for (Process* child : world->processes) {
        if (process.pids->init == &process && child->pids == process.pids && is_alive(*child)) {
            to_kill.push_back(child);
        }
        if (child->parent != &process) {
            continue;
        }
        child->parent = heir;
        if (is_alive(*child) && child->death_signal != 0) {
            to_kill.push_back(child);
        } else if (child->life == Life::zombie) {
            if (heir == nullptr) {
                reap(*child);
            } else {
                send_signal(*heir, SIGCHLD);
                wake(heir);
            }
        }
    }
    bool own = false;
    for (Process* victim : to_kill) {
        own |= victim == self;
        if (victim != self) {
            kill_process(*victim, SIGKILL);
        }
    }
    wake(&process);
    Process* parent = process.parent;
    if (parent == nullptr || !is_alive(*parent)) {
        reap(process);
    } else {
        send_signal(*parent, SIGCHLD);
        wake(parent);
    }
    if (own) {
        end_self(SIGKILL);
    }
    leave_terminals(process);
}

void end_self(int status) {
    end_process(*self, status);
    give_turn(next_slot());
    real_syscall(SYS_exit_group, 0);
    __builtin_unreachable();
}

void kill_process(Process& process, int status) {
    if (!is_alive(process)) {
        return;
    }
    if (&process == self) {
        end_self(status);
    }
    real_syscall(SYS_kill, process.real, SIGKILL);  // it waits for its turn
    end_process(process, status);
}

void send_signal(Process& to, int number) {
    if (!is_alive(to) || number == 0) {
        return;
    }
    note(fmt::format("signal {} to {}", number, to.pid));
    if (number == SIGKILL) {
        if (world->settings.frozen_outlive && is_frozen(to.cgroup)) {
            to.pending |= bit(SIGKILL);  // until wake_thawed()
            return;
        }
        kill_process(to, SIGKILL);
        return;
    }
    if (number == SIGSTOP || number == SIGCONT) {
        to.stopped = number == SIGSTOP;
        return;
    }
    const std::uint64_t one = bit(number);
    const bool quiet = number == SIGCHLD || number == SIGURG || number == SIGWINCH;
    const bool unkillable = to.pids->init == &to;
    const bool is_default = (to.ignored & one) == 0 && (to.handled & one) == 0;
    if ((to.blocked & one) == 0 &&
        ((to.ignored & one) != 0 || (is_default && (quiet || unkillable)))) {
        return;  // nobody hears of it
    }
    if ((to.blocked & one) == 0 && is_default) {
        kill_process(to, number);
        return;
    }
    to.pending |= one;
    wake(&to);
}

void signal_group(pid_t group, int number) {
    for (Process* process : List<Process*>(world->processes)) {
        if (group > 0 && process->group == group && is_alive(*process)) {
            send_signal(*process, number);
        }
    }
}

}  // namespace knarr::sim
