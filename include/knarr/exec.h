#pragma once
// A further process in a running container, as a caller asks for it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace knarr {

/// Empty means: as the container's own process has it.
struct ExecRequest {
    std::vector<std::string> command = {};
    std::string process_file = {};      ///< an OCI `process` object instead of the container's own;
                                        ///< what follows changes it; `command` stays empty
    std::vector<std::string> env = {};  ///< "NAME=value", added
    std::string workdir = {};           ///< absolute
    std::string user = {};  ///< USER[:GROUP]: a number changes that ID alone; a name of the
                            ///< container's /etc/passwd brings its group and supplementary groups
    std::vector<std::uint32_t> additional_gids = {};
    std::vector<std::string> capabilities = {};  ///< added: bounding, permitted, effective
    bool privileged = false;  ///< all capabilities, without an AppArmor profile; the container's
                              ///< seccomp filter and namespaces stay
    std::optional<bool> no_new_privileges = {};
    bool terminal = false;  ///< a new terminal as stdin, stdout and stderr
    /// Whether what the caller's stdin holds is the program's; else it has /dev/null, or a terminal
    /// that only another terminal's keys reach. Of containers made from images alone.
    bool pass_input = true;
    /// In front of a terminal: the keys that leave it, as docker spells them; empty: none do.
    std::string detach_keys = {};
    std::string console_socket = {};  ///< AF_UNIX socket that receives the terminal's master
    std::string pidfd_socket = {};    ///< AF_UNIX socket that receives the program's pidfd
    bool detach = false;              ///< do not wait: the result is 0
    std::string pid_file = {};        ///< receives the pid; relative to the caller's directory
    unsigned preserve_fds = 0;        ///< descriptors 3 .. 3+n-1 go to the program; must be open
    std::vector<std::string> cgroups = {};  ///< "SUB", on v1 also "CONTROLLER,...:SUB"
    bool ignore_paused = false;  ///< in a paused container: the program runs when it is resumed
    std::string apparmor_profile = {}, selinux_label = {};
    /// After it the process and its process group are killed. Nothing: no limit.
    std::optional<std::chrono::milliseconds> timeout = std::chrono::seconds(300);
    int cancel_fd = -1;  ///< kills it as the timeout does; -1: none
};

}  // namespace knarr
