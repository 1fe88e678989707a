// A program criu: what processes are becomes files, and back. It freezes, writes, kills or lets go,
// and with a file that cannot be written undoes what it did; the inventory comes last, as the real
// one's. Killed half-way it leaves what there was then.

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "core/text.h"
#include "sim/calls.h"
#include "sim/programs.h"

namespace knarr::sim {

namespace {

constexpr std::string_view kMagic = "an image of the simulated criu";

/// What it was called with.
struct Order {
    std::string verb, images, work, log, freezer, pid_file, cgroup, root;
    pid_t pid = 0;
    bool stays = false;
};

Order read_order(const std::vector<std::string>& words) {
    Order order{.verb = words.size() > 1 ? words[1] : ""};
    for (std::size_t i = 2; i < words.size(); ++i) {
        const std::string& word = words[i];
        const std::string next = i + 1 < words.size() ? words[i + 1] : "";
        if (word == "-D") {
            order.images = next;
        } else if (word == "-W") {
            order.work = next;
        } else if (word == "-o") {
            order.log = next;
        } else if (word == "-t") {
            order.pid = static_cast<pid_t>(parse_number(next, INT32_MAX).value_or(0));
        } else if (word == "--freeze-cgroup") {
            order.freezer = next;
        } else if (word == "--pidfile") {
            order.pid_file = next;
        } else if (word == "--root") {
            order.root = next;
        } else if (word == "--cgroup-root") {
            order.cgroup = next;
        } else if (word == "--leave-running") {
            order.stays = true;
        }
    }
    return order;
}

bool write_file(const std::string& path, std::string_view text, int flags) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600);
    const bool done =
        fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

bool write_image(const Order& order, const char* name, std::string_view text) {
    return write_file(
        order.images + "/" + name, fmt::format("{}\n{}", kMagic, text), O_CREAT | O_TRUNC);
}

/// Without the line that each begins with; nothing where that is not there.
std::optional<std::string> read_image(const Order& order, const char* name) {
    const int fd = open((order.images + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return std::nullopt;
    }
    std::string text;
    std::array<char, 4096> buffer;
    ssize_t got = 0;
    while ((got = read(fd, buffer.data(), buffer.size())) > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    close(fd);
    if (!text.starts_with(kMagic) || text.size() <= kMagic.size()) {
        return std::nullopt;
    }
    return text.substr(kMagic.size() + 1);
}

[[noreturn]] void give_up(const Order& order, std::string_view why) {
    const std::string dir = order.work.empty() ? order.images : order.work;
    write_file(dir + "/" + order.log,
               fmt::format("(00.01) Error (criu/sim.c:1): {}\n", why),
               O_CREAT | O_TRUNC);
    _exit(1);
}

[[noreturn]] void dump(const Order& order) {
    const Process* target = find_process(order.pid);
    if (target == nullptr || !is_alive(*target)) {
        give_up(order, "no such process");
    }
    const bool was_frozen = is_frozen(target->cgroup);
    const auto thaw = [&] {
        if (!was_frozen) {
            write_file(order.freezer + "/cgroup.freeze", "0", 0);
        }
    };
    if (!was_frozen && !write_file(order.freezer + "/cgroup.freeze", "1", 0)) {
        give_up(order, "cannot freeze");
    }
    std::string core = fmt::format("{}", target->word);
    for (const Text& word : target->words) {
        core += "\n" + std::string(view(word));
    }
    const bool written = write_image(order, "core-1.img", core) &&
                         write_image(order, "pages-1.img", program_output(kProgramMemory)) &&
                         write_image(order, "inventory.img", "whole");
    if (!written || !is_alive(*target)) {
        thaw();
        give_up(order, "cannot write the images");
    }
    if (!order.stays) {
        kill(order.pid, SIGKILL);
    }
    thaw();
    _exit(0);
}

/// The memory limit of the cgroup that the processes come into.
std::size_t limit_of(const std::string& cgroup) {
    Found found;
    if (walk(AT_FDCWD, cgroup + "/memory.max", 0, found) != 0 || found.inode == nullptr) {
        return SIZE_MAX;
    }
    std::string_view text = view(found.inode->data);
    text = text.substr(0, text.find('\n'));
    return text == "max" ? SIZE_MAX : parse_number(text, UINT32_MAX).value_or(0);
}

/// The first process of what comes back, born in its cgroup: the real one joins it before it is
/// anything, and criu waits for that.
[[noreturn]] void come_back(const Order& order,
                            const std::vector<std::string>& words,
                            std::size_t from) {
    const long others[6] = {3, UINT32_MAX, 0};
    call_by_number(SYS_close_range, others);
    Found found;
    if (walk(AT_FDCWD, order.root, 0, found) == 0 && found.inode != nullptr) {
        self->root = self->cwd = self->exe = found.inode;
    }
    self->name = Text(words.front());
    note(fmt::format("{} goes on as {}", self->pid, fmt::join(words, " ")));
    go_on(words, from);
}

[[noreturn]] void restore(const Order& order) {
    const auto inventory = read_image(order, "inventory.img");
    const auto core = read_image(order, "core-1.img");
    const auto pages = read_image(order, "pages-1.img");
    if (!inventory || !core || !pages) {
        give_up(order, "cannot read the images");
    }
    std::vector<std::string> words;
    for (const std::string_view line : split(std::string_view(*core), '\n')) {
        words.emplace_back(line);
    }
    const auto from = parse_number(words.front(), UINT32_MAX);
    words.erase(words.begin());
    if (!from || words.empty() || pages->size() != kProgramMemory) {
        give_up(order, "the images make no sense");
    }
    const std::string cgroup = "/sys/fs/cgroup" + order.cgroup;
    const int place = open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place < 0) {
        give_up(order, "there is no such cgroup");
    }
    int pidfd = -1;
    const long pid =
        call_clone(CLONE_PARENT | CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD | CLONE_INTO_CGROUP,
                   &pidfd,
                   0,
                   place,
                   nullptr);
    if (pid == 0) {
        come_back(order, words, *from);
    }
    if (pid < 0) {
        give_up(order, "cannot make a process");
    }
    const auto fail = [&](std::string_view why) {
        call_pidfd_signal(pidfd, SIGKILL);
        give_up(order, why);
    };
    if (limit_of(cgroup) < kProgramMemory) {
        call_pidfd_signal(pidfd, SIGKILL);
        end_self(SIGKILL);  // out of memory, all of them
    }
    if (!write_file(order.pid_file, fmt::format("{}\n", pid), O_CREAT | O_TRUNC)) {
        fail("cannot write the pid file");
    }
    _exit(0);
}

}  // namespace

void be_criu(const std::vector<std::string>& arguments) {
    const Order order = read_order(arguments);
    if (order.verb == "--version") {
        constexpr std::string_view kVersion = "Version: 3.17.1\n";
        _exit(write(1, kVersion.data(), kVersion.size()) > 0 ? 0 : 1);
    }
    self->calls = 0;
    self->fate = std::exchange(world->criu_fate, Fate{});
    if (order.verb == "dump") {
        dump(order);
    }
    if (order.verb == "restore") {
        restore(order);
    }
    _exit(2);
}

}  // namespace knarr::sim
