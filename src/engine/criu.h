#pragma once
// Driving the program criu: its arguments (pure), and what its failures mean.

#include <functional>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "engine/record.h"
#include "knarr/checkpoint.h"

namespace knarr::engine {

/// A mount of the container that has its source outside: its name in the image is where it lies in
/// the container, so that a restore binds what its own bundle says and nothing that an image says.
struct ExternalMount {
    std::string target;  // in the container
    std::string source;  // on this host
};

/// The binds of a bundle, and the files that are masked. `is_file` tells whether a masked path of
/// the running container is one; a restore asks for all of them.
std::vector<ExternalMount> external_mounts(const bundle::Bundle& bundle,
                                           const std::function<bool(const std::string&)>& is_file);

struct DumpPlan {
    pid_t pid = 0;
    std::string rootfs;
    std::string freezer;  // the directory of its freezer; empty: none
    std::vector<ExternalMount> mounts;
};
std::vector<std::string> dump_arguments(const CheckpointRequest& request, const DumpPlan& plan);

struct RestorePlan {
    std::string rootfs, pid_file;
    std::vector<ExternalMount> mounts;
    std::vector<std::string> pipes;  // what stdin, stdout and stderr were: "pipe:[123]"
    const sys::CgroupPlan* cgroup = nullptr;
    std::string config_file;  // annotation org.criu.config
};
std::vector<std::string> restore_arguments(const RestoreRequest& request, const RestorePlan& plan);

/// Finds criu and asks for its version.
/// Errors: unsupported when it is not installed or older than 3.0.
Result<std::string> find_criu();

/// Whether criu lets go of our stdin, stdout and stderr.
enum class CriuStdio : std::uint8_t { dropped, ours };
struct CriuRun {
    std::string program;
    std::vector<std::string> arguments;
    std::string log_file;
    CriuStdio stdio = CriuStdio::dropped;
    std::string root;  // mounted over itself, for this run alone; empty: not
    /// The container's lock, where nobody may work on the container before it has ended, not even
    /// when we are killed.
    const sys::Fd* lock = nullptr;
};
/// Runs it. Errors: unsupported with the last error of its log and the log's path.
Result<> run_criu(const CriuRun& run);

/// What a log says went wrong: the last line that CRIU calls an error, else the last line.
std::string failure_in_log(std::string_view log);

}  // namespace knarr::engine
