#include "sim/simulation.h"

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "sim/calls.h"
#include "sim/programs.h"
#include "sim/real.h"

namespace knarr::sim {

namespace {

/// One turn at a time needs one processor, and is passed on fastest there.
void stay_on_one_processor() {
    cpu_set_t own;
    CPU_ZERO(&own);
    const int number = sched_getcpu();
    CPU_SET(static_cast<unsigned>(number < 0 ? 0 : number), &own);
    sched_setaffinity(0, sizeof own, &own);
}

Inode* find(std::string_view path) {
    Inode* at = world->root;
    for (std::size_t from = 1; from <= path.size() && at != nullptr;) {
        const std::size_t to = std::min(path.find('/', from), path.size());
        const auto entry = at->entries.find(path.substr(from, to - from));
        at = entry == at->entries.end() ? nullptr : entry->second;
        from = to + 1;
    }
    return at;
}

void give_null(Process& process) {
    for (int fd = 0; fd < 3; ++fd) {
        File* file = new_file(FileKind::inode, O_RDWR);
        file->inode = find("/dev/null");
        ++file->references;
        process.files[fd] = Descriptor{.file = file, .close_on_exec = false};
    }
}

/// Of shells, of which there are none: each window is another session's.
constexpr pid_t kFirstShell = 20;

void give_window(Process& process, Terminal& window) {
    File* file = new_file(FileKind::slave, O_RDWR);
    file->inode = window.node;
    file->terminal = &window;
    window.slaves.push_back(file);
    for (int fd = 0; fd < 3; ++fd) {
        ++file->references;
        process.files[fd] = Descriptor{.file = file, .close_on_exec = false};
    }
    process.session = window.session;
    window.foreground = process.group;
}

}  // namespace

Simulation::Simulation(const Settings& settings) {
    static bool settled = false;
    if (!settled) {
        settled = true;
        stay_on_one_processor();
        std::signal(SIGCHLD, SIG_IGN);  // who plays a process is not waited for
    }
    reset_arena();
    world = make<World>();
    world->settings = settings;
    world->random = settings.seed;
    world->now = 100'000'000'000;
    world->host_pids = make<PidSpace>();
    world->host_mounts = make<MountSpace>();
    make_tree();
    Inode* root = find("/sys/fs/cgroup");
    Inode* model = nullptr;
    make_cgroup(nullptr, "", model);
    for (const auto& [name, file] : model->entries) {
        file->parent = root;
        root->entries[name] = file;
    }
    root->cgroup = model->cgroup;
    root->cgroup->dir = root;
    world->root_cgroup = root->cgroup;
    make_path("/usr/libexec/knarr/knarr-monitor", Kind::regular, kMonitorFile);
    make_path("/usr/bin/knarr", Kind::regular, "");
    make_path("/usr/bin/criu", Kind::regular, kCriuFile);
}

Simulation::~Simulation() {
    for (const Process* process : world->processes) {
        if (is_alive(*process) && process->real > 0) {
            real_syscall(SYS_kill, process->real, SIGKILL);
        }
    }
}

Process& Simulation::start(const std::string& name,
                           const std::function<int()>& body,
                           const Treatment& treatment) {
    auto* process = make<Process>();
    process->slot = static_cast<int>(world->processes.size()) + 1;
    process->pid = process->own_pid = process->group = process->session = ++world->last_pid;
    process->pids = process->child_pids = world->host_pids;
    process->mounts = world->host_mounts;
    process->name = name;
    process->start_ticks = static_cast<std::uint64_t>(world->now / 10'000'000);
    process->root = process->cwd = world->root;
    process->exe = find("/usr/bin/knarr");
    process->cgroup = world->root_cgroup;
    process->victim_fate = {
        .kill_at = treatment.kill_at, .fail_at = treatment.fail_at, .full_at = treatment.full_at};
    process->victim_below = treatment.victim_below;
    process->fate = treatment.victim_below == 0 ? process->victim_fate : Fate{};
    process->may_fail = treatment.may_fail;
    process->tells_nobody = true;
    if (treatment.window != nullptr) {
        give_window(*process, *treatment.window);
    } else {
        give_null(*process);
    }
    world->processes.push_back(process);
    note(fmt::format("{} is {}", process->pid, name));
    const pid_t real = real_fork();
    if (real == 0) {
        self = process;
        await_turn(process->slot);
        _exit(body());
    }
    process->real = real;
    return *process;
}

Terminal& Simulation::open_window(unsigned short rows, unsigned short columns) {
    Terminal* window = new_terminal();
    window->is_window = true;
    window->masters = 1;
    window->size.ws_row = rows;
    window->size.ws_col = columns;
    const auto number = static_cast<pid_t>(world->terminals.size());
    window->session = kFirstShell + number;
    add_entry(find("/dev/pts"), fmt::format("{}", number), window->node);
    return *window;
}

bool Simulation::finish(std::initializer_list<const Process*> processes) {
    world->awaited.clear();
    for (const Process* process : processes) {
        world->awaited.push_back(process->pid);
    }
    world->until = -1;
    world->idle = false;
    run_others();
    world->awaited.clear();
    return !world->idle && world->broken.empty();
}

bool Simulation::finish(const std::vector<Process*>& processes) {
    for (const Process* process : processes) {
        if (!finish({process})) {
            return false;
        }
    }
    return true;
}

void Simulation::sync() {
    sync_tree(*find("/var"));
}

void Simulation::lose_power() {
    for (std::size_t i = 0; i < world->processes.size(); ++i) {
        kill_process(*world->processes[i], SIGKILL);
    }
    find("/run")->entries.clear();
    std::erase_if(world->root_cgroup->dir->entries,
                  [](const auto& entry) { return entry.second->kind == Kind::directory; });
    lose_unsynced(*find("/var"));
    ++world->boots;
    note("the power is lost");
}

void Simulation::run_for(std::int64_t ms) {
    run_for_us(ms * 1000);
}

void Simulation::run_for_us(std::int64_t us) {
    world->awaited.clear();
    world->until = world->now + us * 1000;
    world->idle = false;
    run_others();
    world->until = -1;
}

int Simulation::run(const std::string& name,
                    const std::function<int()>& body,
                    const Treatment& treatment) {
    const Process& process = start(name, body, treatment);
    return finish({&process}) ? code_of(process) : -1;
}

std::optional<std::string> Simulation::read(std::string_view path) const {
    const Inode* found = find(path);
    return found == nullptr ? std::nullopt : std::optional<std::string>(view(found->data));
}

std::vector<std::string> Simulation::list(std::string_view path) const {
    std::vector<std::string> names;
    if (const Inode* found = find(path)) {
        for (const auto& [name, inode] : found->entries) {
            names.emplace_back(view(name));
        }
    }
    return names;
}

std::vector<const Process*> Simulation::living() const {
    std::vector<const Process*> found;
    for (const Process* process : world->processes) {
        if (is_alive(*process)) {
            found.push_back(process);
        }
    }
    return found;
}

std::string Simulation::hash() const {
    return fmt::format("{:016x}", world->hash);
}

std::string Simulation::tail(std::size_t lines) const {
    std::string text;
    const std::size_t all = world->lines.size();
    for (std::size_t i = all > lines ? all - lines : 0; i < all; ++i) {
        text += std::string(view(world->lines[i])) + "\n";
    }
    for (const Process* process : world->processes) {
        if (!process->answer.empty()) {
            text += fmt::format(
                "{} {}: {}\n", process->pid, view(process->name), view(process->answer));
        }
        if (is_alive(*process)) {
            text += fmt::format("{} {} waits\n", process->pid, view(process->name));
        }
    }
    return world->broken.empty() ? text : text + "broken: " + std::string(view(world->broken));
}

void answer(std::string_view text) {
    self->answer = text;
}

int code_of(const Process& process) {
    if (is_alive(process)) {
        return -1;
    }
    return WIFSIGNALED(process.status) ? 128 + WTERMSIG(process.status)
                                       : WEXITSTATUS(process.status);
}

pid_t real_fork() {
    // The C library's own would be the same: there is one thread, and no handler asks for it.
    return static_cast<pid_t>(real_syscall(SYS_clone, SIGCHLD));
}

}  // namespace knarr::sim
