#pragma once
// Freezing a container into files by CRIU, and making one of them.

#include <optional>
#include <string>
#include <vector>

namespace knarr {

/// What both directions have. Paths are relative to the caller's directory.
struct CriuOptions {
    std::string image_path = "checkpoint";  ///< the directory of the image
    std::string work_path = {};             ///< of logs; empty: image_path
    std::string parent_path = {};           ///< an earlier image, relative to image_path
    bool tcp_established = false;           ///< connected sockets too
    bool external_unix = false;             ///< Unix sockets whose other end is outside
    bool shell_job = false;                 ///< processes on the caller's terminal
    bool lazy_pages = false;                ///< memory comes when it is touched
    bool file_locks = false;
    bool auto_dedup = false;
    /// How CRIU stops traffic: iptables, nftables or skip; empty: its own.
    std::string network_lock = {};
    std::string manage_cgroups = "soft";             ///< soft, full, strict or ignore
    std::vector<std::string> empty_namespaces = {};  ///< "network": made empty at restore
};

struct CheckpointRequest {
    CriuOptions criu = {};
    bool leave_running = false;
    bool link_remap = false;       ///< files that have lost their name get one
    bool skip_in_flight = false;   ///< without connections that are just being made
    bool pre_dump = false;         ///< memory alone; the container runs on
    std::string page_server = {};  ///< "ADDRESS:PORT"
};

struct RestoreRequest {
    std::string id = {};
    std::string bundle = ".";
    CriuOptions criu = {};
    std::string pid_file = {};
    std::string lsm_profile = {}, lsm_mount_context = {};
    bool tcp_close = false;  ///< connections come back closed
    bool detach = false;
};

}  // namespace knarr
