#pragma once
// A container from an image, as a caller asks for it: engine vocabulary, no OCI inside.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "knarr/health.h"
#include "knarr/image.h"
#include "knarr/restart.h"
#include "knarr/service.h"
#include "knarr/settings.h"
#include "knarr/types.h"

namespace knarr {

enum class VolumeKind : std::uint8_t { bind, volume };

/// One host directory or file in the container, or a volume.
struct VolumeRequest {
    VolumeKind kind = VolumeKind::bind;
    /// Host path, absolute or relative to the caller's directory, which must exist unless
    /// `make_source` is set; of a volume its name, made where it is missing, or empty for one of
    /// this container alone.
    std::string source = {};
    std::string target = {};              ///< absolute, in the container
    bool read_only = false;               ///< of the mount and all mounts below it
    bool recursive = true;                ///< with the mounts below the source
    std::string propagation = {};         ///< "rprivate", "rslave", "rshared", ...; empty: rprivate
    std::vector<std::string> flags = {};  ///< of nosuid, nodev, noexec
    bool make_source = false;  ///< a host path that is not there becomes a directory, mode 0755
    bool no_copy = false;      ///< a volume that is empty does not get what the image has there
    std::map<std::string, std::string> labels = {};  ///< of a volume that is made
    bool by_mount = false;  ///< inspect shows it as docker's --mount, else as -v
};

enum class NetworkMode : std::uint8_t {
    none,  ///< a network namespace of its own with nothing but loopback
    host,  ///< the host's network
};

enum class PullPolicy : std::uint8_t { missing, always, never };

/// How much is kept of what a container in the background writes.
struct LogPolicy {
    bool keep = true;             ///< else nothing is
    std::uint64_t max_bytes = 0;  ///< of one file, then the next is begun; 0: no bound
    unsigned max_files = 1;       ///< the oldest beyond it is removed; counts with max_bytes
    bool journal = false;         ///< what is kept goes to the system's journal, too
    /// Labels and variables of the container that `logs --details` shows, by name.
    std::vector<std::string> labels = {}, variables = {};
};

/// Which of the program's streams are the caller's. The others are /dev/null, but that
/// Engine::run_image_attached has its output in the log all the same.
struct StandardStreams {
    bool in = true, out = true, err = true;
};

/// The period of RunRequest::cpu_quota_us where the request names none.
inline constexpr std::int64_t kCpuPeriodUs = 100'000;

/// What `run IMAGE` is asked for. Empty means: as the image says, else the default.
struct RunRequest {
    std::string image = {};
    std::vector<std::string> command = {};  ///< replaces the image's Cmd
    /// Replaces the image's Entrypoint and drops its Cmd; an empty list resets it.
    std::optional<std::vector<std::string>> entrypoint = {};
    std::vector<std::string> env = {};  ///< "NAME=value"; over the image's
    std::string workdir = {};           ///< absolute; made when missing
    std::string user = {};              ///< USER[:GROUP], names or numbers
    std::string hostname = {};
    std::string name = {};  ///< unique among the containers; empty: one is generated
    bool replace = false;   ///< removes the container that is so called, once all else is ready
    std::vector<VolumeRequest> volumes = {};
    std::vector<std::string> volumes_from = {};  ///< containers: "ID" or "ID:ro"
    bool terminal = false;  ///< a new terminal as stdin, stdout and stderr, relayed to the caller's
    bool read_only = false;
    bool read_only_scratch = true;  ///< with read_only: /tmp, /run and /var/tmp can be written
    StandardStreams streams = {};   ///< with the caller in front, without a terminal: which are his
    bool remove = false;            ///< leave nothing once it has ended
    std::optional<std::int64_t> memory_bytes = {};  ///< > 0
    std::optional<std::int64_t> cpu_quota_us =
        {};  ///< of each settings.resources.cpu_period_us, else kCpuPeriodUs
    std::optional<std::int64_t> pids_limit = {};  ///< -1: none
    NetworkMode network = NetworkMode::none;
    Isolation isolation = Isolation::native;
    PullPolicy pull = PullPolicy::missing;
    PullOptions pull_options = {};
    std::string id_file = {};      ///< receives the container's ID; must not be there; empty: none
    std::string stop_signal = {};  ///< name or number; empty: the image's, else TERM
    std::optional<std::chrono::seconds> stop_timeout =
        {};                      ///< until SIGKILL, where stop() says nothing
    LogPolicy log = {};          ///< in the background
    RestartPolicy restart = {};  ///< in the background
    HealthRequest health = {};   ///< in the background
    ContainerSettings settings = {};
    ServiceLinks service = {};
    /// Of the pull, unless `pull_options` have one of their own; and in the foreground of run_image
    /// it kills the container, which ends as it would have then. -1: none.
    int cancel_fd = -1;
};

}  // namespace knarr
