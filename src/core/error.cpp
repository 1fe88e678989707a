#include "knarr/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/core.h"
#include "knarr/result.h"

namespace knarr {

const ErrcInfo& describe(Errc code) {
    static constexpr int kUsage = 2, kLifecycle = 1, kImage = 3, kBundle = 4, kRuntime = 5,
                         kStorage = 6, kTimeout = 7, kInternal = 70;
    switch (code) {
#define KNARR_ERRC(code, category, retryable, status, hint)                                  \
    case Errc::code: {                                                                       \
        static constexpr ErrcInfo kInfo{#code, Category::category, retryable, status, hint}; \
        return kInfo;                                                                        \
    }
        KNARR_ERRC(invalid_argument, usage, false, kUsage, "see knarr --help")
        KNARR_ERRC(not_found, lifecycle, false, kLifecycle, "knarr ps -a shows the containers")
        KNARR_ERRC(already_exists,
                   lifecycle,
                   false,
                   kLifecycle,
                   "choose another ID or name, or delete the old container first")
        KNARR_ERRC(wrong_state, lifecycle, false, kLifecycle, "knarr state ID shows the state")
        KNARR_ERRC(image_not_found, image, false, kImage, "check the spelling of name and tag")
        KNARR_ERRC(invalid_image, image, false, kImage, "the image is broken: rebuild or report it")
        KNARR_ERRC(digest_mismatch,
                   image,
                   true,
                   kImage,
                   "the bytes were damaged or changed on the way: pull again")
        KNARR_ERRC(platform_mismatch, image, false, kImage, "pull with --platform OS/ARCH")
        KNARR_ERRC(image_in_use, image, false, kImage, "delete its containers first")
        KNARR_ERRC(unauthorized,
                   image,
                   false,
                   kImage,
                   "log in: knarr login REGISTRY; --authfile names a file with other logins")
        KNARR_ERRC(rate_limited, image, true, kImage, "wait, or log in for a higher limit")
        KNARR_ERRC(registry_failed, image, true, kImage, "try again; is the registry up?")
        KNARR_ERRC(invalid_config, bundle, false, kBundle, "mend the named property in config.json")
        KNARR_ERRC(missing_rootfs,
                   bundle,
                   false,
                   kBundle,
                   "make the directory, or correct root.path in config.json")
        KNARR_ERRC(unsupported, runtime, false, kRuntime, "knarr doctor shows what this host lacks")
        KNARR_ERRC(denied, runtime, false, kRuntime, "run as root, or see knarr doctor")
        KNARR_ERRC(exec_failed, runtime, false, 126, "")
        KNARR_ERRC(exec_not_found, runtime, false, 127, "")
        KNARR_ERRC(hook_failed, runtime, false, kRuntime, "run the hook by hand to see its output")
        KNARR_ERRC(
            limit_exceeded, runtime, false, kRuntime, "stay within the bound that the error names")
        KNARR_ERRC(io,
                   storage,
                   false,
                   kStorage,
                   "knarr doctor tries the disk and the kernel; dmesg has what they say")
        KNARR_ERRC(no_space, storage, true, kStorage, "free some space and try again")
        KNARR_ERRC(corrupt,
                   storage,
                   false,
                   kStorage,
                   "knarr recover mends containers, knarr image verify finds damaged blobs")
        KNARR_ERRC(timed_out, timeout, true, kTimeout, "try again")
        KNARR_ERRC(interrupted, internal, true, 130, "")
        KNARR_ERRC(internal, internal, false, kInternal, "please report this as a bug of knarr")
#undef KNARR_ERRC
    }
    return describe(Errc::internal);
}

std::string_view name_of(Category category) {
    switch (category) {
        case Category::usage:
            return "usage";
        case Category::lifecycle:
            return "lifecycle";
        case Category::image:
            return "image";
        case Category::bundle:
            return "bundle";
        case Category::runtime:
            return "runtime";
        case Category::storage:
            return "storage";
        case Category::timeout:
            return "timeout";
        case Category::internal:
            break;
    }
    return "internal";
}

Error Error::within(std::string_view context) && {
    message.insert(0, ": ");
    message.insert(0, context);
    return std::move(*this);
}

Error Error::advise(std::string_view text) && {
    if (hint.empty()) {
        hint = text;
    }
    return std::move(*this);
}

std::string_view Error::effective_hint() const {
    return hint.empty() ? describe(code).hint : std::string_view(hint);
}

Errc errc_of(int sys_errno) {
    switch (sys_errno) {
        case EPERM:
        case EACCES:
        case EROFS:
            return Errc::denied;
        case ENOSPC:
        case EDQUOT:
            return Errc::no_space;
        case ENOSYS:
        case EOPNOTSUPP:
        case ENODEV:
            return Errc::unsupported;
        case ETIMEDOUT:
            return Errc::timed_out;
        default:
            return Errc::io;
    }
}

Error make_errno(int sys_errno, std::string operation) {
    operation += ": ";
    operation +=
        strerrordesc_np(sys_errno) != nullptr ? strerrordesc_np(sys_errno) : "unknown errno";
    return Error{.code = errc_of(sys_errno),
                 .sys_errno = sys_errno,
                 .message = std::move(operation),
                 .hint = {}};
}

}  // namespace knarr

namespace __gnu_cxx {
/// In the place of libstdc++'s own, which brings 50 KiB of a demangler into every static program to
/// tell the type of what nobody caught; we throw nothing.
void __verbose_terminate_handler();   // NOLINT(bugprone-reserved-identifier)
void __verbose_terminate_handler() {  // NOLINT(bugprone-reserved-identifier)
    constexpr std::string_view kText = "knarr: an exception that nobody caught\n";
    std::fwrite(kText.data(), 1, kText.size(), stderr);
    std::abort();
}
}  // namespace __gnu_cxx
