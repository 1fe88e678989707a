// The v2 hierarchy at /sys/fs/cgroup.

#include <cerrno>
#include <csignal>

#include <linux/magic.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "core/text.h"
#include "sim/world.h"

namespace knarr::sim {

namespace {

constexpr std::uint64_t kKilled = std::uint64_t{1} << SIGKILL;  // of Process::pending
constexpr const char* kControllers = "cpuset cpu io memory pids";

struct ControlFile {
    const char* name;
    const char* text;
};
// What each cgroup has; those that read_cgroup_file() makes up are empty here.
constexpr ControlFile kFiles[] = {
    {"cgroup.procs", ""},
    {"cgroup.threads", ""},
    {"cgroup.events", ""},
    {"cgroup.freeze", ""},
    {"cgroup.kill", ""},
    {"cgroup.controllers", ""},
    {"cgroup.subtree_control", ""},
    {"cgroup.type", "domain\n"},
    {"memory.max", "max\n"},
    {"memory.high", "max\n"},
    {"memory.low", "0\n"},
    {"memory.swap.max", "max\n"},
    {"memory.oom.group", "0\n"},
    {"memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"},
    {"memory.current", "4096\n"},
    {"memory.stat", "anon 4096\nfile 0\n"},
    {"pids.max", "max\n"},
    {"pids.current", ""},
    {"cpu.max", "max 100000\n"},
    {"cpu.weight", "100\n"},
    {"cpu.stat", "usage_usec 1000\nuser_usec 600\nsystem_usec 400\n"},
    {"cpuset.cpus", "\n"},
    {"cpuset.mems", "\n"},
    {"io.stat", ""},
};

bool is_below(const Cgroup* cgroup, const Cgroup& above) {
    for (; cgroup != nullptr; cgroup = cgroup->parent) {
        if (cgroup == &above) {
            return true;
        }
    }
    return false;
}

int population(const Cgroup& cgroup) {
    int count = 0;
    for (const Process* process : world->processes) {
        count += is_alive(*process) && is_below(process->cgroup, cgroup) ? 1 : 0;
    }
    return count;
}

std::string members(const Cgroup& cgroup) {
    std::string text;
    for (const Process* process : world->processes) {
        if (is_alive(*process) && process->cgroup == &cgroup) {
            text += fmt::format("{}\n", process->pid);
        }
    }
    return text;
}

void wake_thawed(const Cgroup& cgroup) {
    for (Process* process : List<Process*>(world->processes)) {
        if (!is_alive(*process) || !is_below(process->cgroup, cgroup)) {
            continue;
        }
        if ((process->pending & kKilled) != 0 && !is_frozen(process->cgroup)) {
            kill_process(*process, SIGKILL);
        } else {
            wake(process);  // what came meanwhile is looked at
        }
    }
}

}  // namespace

bool is_frozen(const Cgroup* cgroup) {
    for (; cgroup != nullptr; cgroup = cgroup->parent) {
        if (cgroup->frozen) {
            return true;
        }
    }
    return false;
}

std::string path_of(const Cgroup& cgroup) {
    std::string path;
    for (const Cgroup* at = &cgroup; at->parent != nullptr; at = at->parent) {
        path = "/" + std::string(view(at->dir->name)) + path;
    }
    return path.empty() ? "/" : path;
}

int make_cgroup(Inode* parent, const std::string& name, Inode*& made) {
    made = new_inode(Kind::directory, S_IFDIR | 0755);
    made->filesystem = CGROUP2_SUPER_MAGIC;
    made->cgroup = make<Cgroup>();
    made->cgroup->dir = made;
    made->cgroup->parent = parent != nullptr ? parent->cgroup : nullptr;
    for (const ControlFile& one : kFiles) {
        Inode* file = new_inode(Kind::cgroup_file, S_IFREG | 0644);
        file->data = one.text;
        file->parent = made;
        file->name = one.name;
        made->entries[Text(one.name)] = file;
    }
    return parent != nullptr ? add_entry(parent, name, made) : 0;
}

int remove_cgroup(Inode* dir) {
    if (population(*dir->cgroup) > 0) {
        return -EBUSY;
    }
    for (const auto& [name, inode] : dir->entries) {
        if (inode->kind == Kind::directory) {
            return -EBUSY;
        }
    }
    remove_entry(dir->parent, view(dir->name));
    return 0;
}

std::string read_cgroup_file(const Inode& file) {
    const Cgroup& cgroup = *file.parent->cgroup;
    const std::string_view name = view(file.name);
    if (name == "cgroup.procs" || name == "cgroup.threads") {
        return members(cgroup);
    }
    if (name == "cgroup.events") {
        return fmt::format("populated {}\nfrozen {}\n",
                           population(cgroup) > 0 ? 1 : 0,
                           is_frozen(&cgroup) ? 1 : 0);
    }
    if (name == "cgroup.freeze") {
        return cgroup.frozen ? "1\n" : "0\n";
    }
    if (name == "cgroup.controllers" || name == "cgroup.subtree_control") {
        return fmt::format("{}\n", kControllers);
    }
    if (name == "pids.current") {
        return fmt::format("{}\n", population(cgroup));
    }
    return std::string(view(file.data));
}

int write_cgroup_file(Inode& file, std::string_view text) {
    Cgroup& cgroup = *file.parent->cgroup;
    const std::string_view name = view(file.name);
    while (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    if (name == "cgroup.procs" || name == "cgroup.threads") {
        const auto pid = parse_number(text, INT32_MAX);
        Process* process = !pid        ? nullptr
                           : *pid == 0 ? self
                                       : find_process(static_cast<pid_t>(*pid));
        if (process == nullptr || !is_alive(*process)) {
            return -ESRCH;
        }
        process->cgroup = &cgroup;
        return 0;
    }
    if (name == "cgroup.freeze") {
        cgroup.frozen = text == "1";
        wake_thawed(cgroup);
        return 0;
    }
    if (name == "cgroup.kill") {
        for (Process* process : List<Process*>(world->processes)) {
            if (process != self && is_alive(*process) && is_below(process->cgroup, cgroup)) {
                note(fmt::format("cgroup.kill ends {}", process->pid));
                send_signal(*process, SIGKILL);
            }
        }
        return 0;
    }
    if (name != "cgroup.subtree_control") {
        file.data = Text(text) + "\n";
    }
    return 0;
}

}  // namespace knarr::sim
