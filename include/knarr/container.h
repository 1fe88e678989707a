#pragma once
// One container as callers see it: what is asked for, and what is reported. No OCI or JSON types.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "knarr/health.h"
#include "knarr/restart.h"
#include "knarr/service.h"
#include "knarr/types.h"

namespace knarr {

/// A launch that came to nothing.
struct LaunchFailure {
    std::string id = {}, name = {},
                image = {};  ///< of the container; name is empty where it has none
    std::string time = {};   ///< RFC 3339, UTC
    std::string error = {};  ///< the step, what was wrong, outermost first
    std::string hint = {};   ///< how to mend it; may be empty
};

/// What one `state` or one row of `list` reports.
struct ContainerInfo {
    std::string id = {};
    std::string name = {};  ///< given or generated; empty: of a bundle
    ContainerState state = ContainerState::stopped;
    int pid = 0;              ///< the first process, in the caller's pid namespace; 0 when stopped
    std::string bundle = {};  ///< absolute directory
    std::string rootfs = {};  ///< absolute directory
    Isolation isolation = Isolation::native;
    std::string oci_version = {};  ///< of the bundle's configuration
    std::string created = {};      ///< RFC 3339, UTC
    std::map<std::string, std::string> annotations = {};
    std::uint32_t owner_uid = 0;
    std::string image = {};                   ///< the reference it was made from; empty: a bundle
    std::string image_name = {};              ///< what its maker called that: "busybox", an ID
    std::optional<int> exit_code = {};        ///< 0-255, 128+n for signal n; nothing when not known
    std::vector<std::string> command = {};    ///< of one made from an image
    std::string started = {}, finished = {};  ///< RFC 3339 of the last run; empty: not yet
    bool oom_killed = false;                  ///< the last run lost a process for want of memory
    int stop_signal = 15;
    std::optional<std::chrono::seconds> stop_timeout = {};
    RestartPolicy restart = {};                      ///< of one in the background
    unsigned restart_count = 0;                      ///< since somebody started it
    bool restarting = false;                         ///< stopped, and about to run again
    std::optional<HealthReport> health = {};         ///< of one with a health check
    std::map<std::string, std::string> labels = {};  ///< of one made from an image
    std::string log_dir = {};  ///< where its log files are; empty: there is none
    std::map<std::string, std::string> log_details = {};  ///< what LogPolicy names
    std::string trouble = {};                   ///< what its monitor could not do; empty: nothing
    std::optional<LaunchFailure> failure = {};  ///< not of list(): since it ran last, it could not
    /// Not empty: the record on disk cannot be understood, and why. Everything but `id` is unset;
    /// only a forced removal works.
    std::string damage = {};
};

/// How a container is to be started from an OCI bundle directory.
struct BundleRequest {
    std::string id = {};
    std::string bundle = ".";         ///< relative to the caller's directory
    std::string config = {};          ///< another file than its config.json; relative likewise
    std::string pid_file = {};        ///< receives the pid; relative to the caller's directory
    std::string console_socket = {};  ///< AF_UNIX socket that receives the terminal's master
    std::string pidfd_socket = {};    ///< AF_UNIX socket that receives the first process's pidfd
    ServiceLinks service = {};
    unsigned preserve_fds = 0;    ///< descriptors 3 .. 3+n-1 go to the program; must be open
    bool no_pivot = false;        ///< move the root mount instead of pivot_root (initramfs)
    bool no_new_keyring = false;  ///< keep the caller's session keyring
    bool keep = false;            ///< run: leave the stopped container for `delete`
    Isolation isolation = Isolation::native;
    int cancel_fd = -1;  ///< run in the foreground: kills it and removes it; -1: none
};

/// How long run() stays.
enum class RunMode : std::uint8_t {
    foreground,  ///< until the container has ended; signals are forwarded; then it is removed
    detached,    ///< until its program runs
};

enum class KillTarget : std::uint8_t {
    init,           ///< the first process
    every_process,  ///< all of the container's cgroup, also when the first one is gone
};

/// How a container is to be stopped.
struct StopRequest {
    std::string signal = {};  ///< name or number; empty: the container's own, else TERM
    std::optional<std::chrono::seconds> timeout =
        {};              ///< until SIGKILL; nothing: the container's own, else 30
    int cancel_fd = -1;  ///< see docs/embedding.md; it has been sent its signal, and may end
};

enum class RemoveMode : std::uint8_t {
    when_stopped,  ///< stopped and created containers only
    force,         ///< kills first; a container that is not there is no error
};

/// Whether what a container's files take is summed up, which goes through all that it wrote.
enum class Sizes : std::uint8_t { left_out, shown };

/// What becomes of the volumes that a container has for itself. Those of `run --rm` always go.
enum class AnonymousVolumes : std::uint8_t { stay, go };

}  // namespace knarr
