#pragma once
// What the container verbs share.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cli/verb.h"
#include "knarr/engine.h"

namespace knarr::cli {

/// What the command line says about the engine; its warnings go through the reporter.
EngineOptions engine_options(Context& context);
/// The engine for this command line.
Result<Engine> open_engine(Context& context);

/// docker's and podman's status for a failure of theirs, apart from the program's own.
inline constexpr int kOwnFailure = 125;
/// runc's exit status for every failure of a bundle, once the words are understood.
inline constexpr int kRuncFailure = 1;

/// The state as runc prints it: ociVersion, id, pid, status, bundle, rootfs, created, owner,
/// annotations, and what knarr adds (name, isolation, image, exitCode).
std::string state_json(const ContainerInfo& info);
/// An array of the same.
std::string list_json(const std::vector<ContainerInfo>& all);
/// "root", or "#1000": names of other users would need the host's name services.
std::string owner_name(std::uint32_t uid);

/// Of --preserve-fds and LISTEN_FDS: what a shell or service manager may have open.
inline constexpr std::uint64_t kMaxPassedFds = 1024;

inline constexpr Option kBundleOption{.name = "bundle",
                                      .letter = 'b',
                                      .value = "DIR",
                                      .help = "directory with config.json",
                                      .fallback = "the current directory"};
inline constexpr Option kConfigOption{
    .name = "config",
    .letter = 'f',
    .value = "FILE",
    .help = "instead of the bundle's config.json; relative to the current directory"};
inline constexpr Option kNoSubreaperOption{.name = "no-subreaper",
                                           .help = "no effect: knarr needs none"};
inline constexpr Option kConsoleSocketOption{
    .name = "console-socket",
    .value = "SOCKET",
    .help = "AF_UNIX socket that receives the terminal's master"};
inline constexpr Option kPidfdSocketOption{
    .name = "pidfd-socket",
    .value = "SOCKET",
    .help = "AF_UNIX socket that receives a pidfd of the process"};
inline constexpr Option kPidFileOption{
    .name = "pid-file", .value = "FILE", .help = "write the first process's pid into FILE"};
inline constexpr Option kNoPivotOption{
    .name = "no-pivot", .help = "move the root mount instead of pivot_root (on an initramfs)"};
inline constexpr Option kNoNewKeyringOption{.name = "no-new-keyring",
                                            .help = "keep the caller's session keyring"};
inline constexpr Option kPreserveFdsOption{.name = "preserve-fds",
                                           .value = "N",
                                           .help = "pass descriptors 3 to N+2 on to the program",
                                           .fallback = "0"};
inline constexpr Option kIsolationOption{.name = "isolation",
                                         .value = "KIND",
                                         .help = "native; microvm, wasm and host are not built yet",
                                         .fallback = "native"};

/// What a service manager handed to us by the environment: NOTIFY_SOCKET, and LISTEN_FDS unless
/// LISTEN_PID says that they are meant for another process. Errors: invalid_argument for a
/// malformed count.
Result<ServiceLinks> service_links();

/// The request that create and run have in common. Errors: invalid_argument.
Result<BundleRequest> bundle_request(const Parsed& args, std::string_view id);

/// Does `work` for each of `names`, in their order. All are tried, and each failure is told when it
/// happens; the exit status is that of the first one. A signal (Errc::interrupted) ends it, and its
/// status is that of the whole.
int for_each_of(const Context& context,
                std::span<const std::string_view> names,
                const std::function<Result<>(std::string_view name)>& work);
int for_each_of(const Context& context,
                const std::vector<std::string>& names,
                const std::function<Result<>(std::string_view name)>& work);
/// The same for each container that is named. Errors: when none is.
Result<int> for_each_container(Context& context,
                               const Parsed& args,
                               const std::function<Result<>(std::string_view id)>& work);
/// The same for another noun: "volume".
Result<int> for_each_named(Context& context,
                           const Parsed& args,
                           std::string_view noun,
                           const std::function<Result<>(std::string_view name)>& work);

/// The IDs of all containers that one of the extended regular expressions matches somewhere, as
/// crun has it; none is no error. Errors: invalid_argument for what is no expression.
Result<std::vector<std::string>> matching_ids(const Engine& engine,
                                              const std::vector<std::string_view>& expressions);

/// --json or --format of a verb that lists: a table unless asked otherwise.
/// Errors: invalid_argument for any other format.
enum class ListFormat : std::uint8_t { table, json };
Result<ListFormat> list_format(const Parsed& args);

}  // namespace knarr::cli
