#pragma once
// An image's configuration and a caller's wishes as a Bundle with safe defaults. Pure: the caller
// has read what has to be read. The image's configuration is hostile input: of it count what runs
// (Entrypoint, Cmd, Env, WorkingDir, User) and what is checked here; labels never become
// annotations, because annotations control the runtime.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "bundle/passwd.h"
#include "core/limits.h"
#include "knarr/run.h"
#include "spec/image.h"
#include "spec/runtime_config.h"
#include "spec/seccomp_profile.h"

namespace knarr::bundle {

/// Files of the host that the container sees instead of the image's; empty paths: the image's own.
struct NameFiles {
    std::string hosts, hostname, resolv_conf;
};

/// A device of the host that the container gets, and how it may be opened.
struct HostDevice {
    spec::Device device;
    std::string access = "rwm";
};

struct MakeInput {
    const spec::ImageConfig& image;
    const RunRequest& request;  // volume sources absolute and existing
    RootFs rootfs;
    ResolvedUser user;  // of request.user, else of the image's User
    std::string hostname;
    std::string directory;  // of the container: Bundle::directory
    NameFiles files;
    Limits limits = kDefaultLimits;
    bool swap_accounting = false;  // this host can limit memory and swap together
    std::vector<HostDevice> devices = {};
    spec::BlockIoLimits device_limits = {};  // of single devices; the weight is the request's
    std::string init_program = {};           // of ours on the host, for settings.init
    std::optional<spec::SeccompProfile> seccomp_profile = {};  // in place of the default one
    spec::KernelVersion kernel = {};                           // this host's, for the profile
};

struct Made {
    Bundle bundle;
    std::vector<std::string> warnings;
};

/// Errors: invalid_argument for what the caller asked, invalid_image for what the image says,
/// limit_exceeded past the policy's bounds.
Result<Made> make_bundle(MakeInput input);

/// The most that the kernel's cpu.shares take; from 2 on.
inline constexpr std::uint64_t kMaxCpuShares = 262144;

/// Whether a limit of memory leaves room for a container to start in. Docker wants 6 MiB, podman
/// nothing. Errors: invalid_argument.
Result<> check_memory(std::int64_t bytes);

/// What a program's line is made from.
struct Words {
    std::vector<std::string> entrypoint, command;
};
/// Source: Docker's rules for Entrypoint and Cmd: a command replaces Cmd; an entrypoint of the
/// caller drops the image's Cmd as well.
Words words_of(const RunRequest& request, const spec::ImageRunConfig& image);

/// The capabilities of a container: docker's fourteen without MKNOD, NET_RAW and AUDIT_WRITE, as
/// podman has it. A user other than root starts without any; these bound what it can gain, and
/// no_new_privs keeps it from gaining.
std::vector<std::string> default_capabilities();

/// PATH where neither the image nor the caller sets one.
inline constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
inline constexpr std::int64_t kDefaultPidsLimit = 2048;
/// Where a container with settings.init sees that program.
inline constexpr std::string_view kInitTarget = "/sbin/docker-init";

}  // namespace knarr::bundle
