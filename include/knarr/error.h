#pragma once
// Errors are values: a code for machines, errno if there was one, a message that grows outward.
// Codes are stable; callers compare codes, never text.

#include <cstdint>
#include <string>
#include <string_view>

namespace knarr {

/// What went wrong, for machines. Each code belongs to one category and has one exit status, one
/// retryable flag and one hint (see describe()).
enum class Errc : std::uint8_t {
    // usage
    invalid_argument,  ///< a command line or API argument is malformed
    // lifecycle
    not_found,       ///< no such container
    already_exists,  ///< the container ID or name is taken
    wrong_state,     ///< the container's state does not allow the operation
    // image
    image_not_found,    ///< neither stored nor in the registry
    invalid_image,      ///< manifest, config or layer is malformed or hostile
    digest_mismatch,    ///< bytes do not have the digest that names them
    platform_mismatch,  ///< the image has no variant for the asked platform
    image_in_use,       ///< a container still uses the image
    unauthorized,       ///< the registry wants (other) credentials
    rate_limited,       ///< the registry said 429
    registry_failed,    ///< the registry answered wrongly, or the connection broke
    // bundle
    invalid_config,  ///< config.json is malformed, out of range or contradictory
    missing_rootfs,  ///< the root file system is not there
    // runtime
    unsupported,     ///< this host, kernel or build cannot do it
    denied,          ///< the kernel or a policy refused permission
    exec_failed,     ///< the program cannot be executed (126)
    exec_not_found,  ///< the program is not there (127)
    hook_failed,     ///< an OCI hook failed or ran out of time
    limit_exceeded,  ///< a bound of knarr's was exceeded; the message names it
    // storage
    io,        ///< a file or kernel operation failed
    no_space,  ///< the file system is full or over quota
    corrupt,   ///< stored state cannot be understood
    // timeout
    timed_out,
    // internal
    interrupted,  ///< a signal asked us to stop
    internal,     ///< a broken invariant of knarr itself
};

enum class Category : std::uint8_t {
    usage,
    lifecycle,
    image,
    bundle,
    runtime,
    storage,
    timeout,
    internal
};

struct ErrcInfo {
    std::string_view name = {};  ///< stable, as printed by --json errors: "wrong_state"
    Category category = Category::internal;
    bool retryable = false;
    int exit_status = 1;
    std::string_view
        hint;  ///< what a person can do when the error itself has no hint; may be empty
};

/// The one table behind codes, categories and exit statuses.
const ErrcInfo& describe(Errc code);
std::string_view name_of(Category category);

/// A failure. `message` names the operation and its object, outermost first, without capital or
/// full stop: "load state of web: openat state.json: No such file or directory".
struct Error {
    Errc code = Errc::internal;
    int sys_errno = 0;  ///< 0 when no system call failed
    std::string message = {};
    std::string hint = {};  ///< how to mend it; empty means describe(code).hint

    /// Returns the error with `context + ": "` put before the message.
    Error within(std::string_view context) &&;
    /// Returns the error with `text` as its hint, unless a nearer place already gave one.
    Error advise(std::string_view text) &&;
    std::string_view effective_hint() const;
};

}  // namespace knarr
