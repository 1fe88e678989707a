#include "platform/xattr.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/user_namespace.h"

#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif

namespace knarr::sys {

bool has_user_overlays() {
    return !is_host_root();
}

const char* overlay_opaque() {
    return has_user_overlays() ? kUserOverlayOpaque : kOverlayOpaque;
}

bool is_overlay_xattr(std::string_view name) {
    return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

namespace {

Result<> xattr_failed(int error, const std::string& name) {
    if (error == ENOTSUP) {
        return fail(Error{.code = Errc::unsupported,
                          .sys_errno = error,
                          .message = "the file system does not keep the attribute " + name,
                          .hint = {}});
    }
    return fail_errno(error, "set attribute {}", printable(name));
}

constexpr std::size_t kMaxValue = 65536;  // XATTR_SIZE_MAX of the kernel

/// Source: setxattrat(2), Linux 6.13.
struct XattrArgs {
    std::uint64_t value;
    std::uint32_t size, flags;
};

}  // namespace

Result<> set_xattr(const Fd& fd, const std::string& name, std::string_view value) {
    if (fsetxattr(fd.get(), name.c_str(), value.data(), value.size(), 0) != 0) {
        return xattr_failed(errno, name);
    }
    return {};
}

Result<> set_xattr_at(const Fd& dir,
                      const std::string& entry,
                      const std::string& name,
                      std::string_view value) {
    const XattrArgs args{.value = reinterpret_cast<std::uintptr_t>(value.data()),
                         .size = static_cast<std::uint32_t>(value.size()),
                         .flags = 0};
    if (syscall(SYS_setxattrat,
                dir.get(),
                entry.c_str(),
                AT_SYMLINK_NOFOLLOW,
                name.c_str(),
                &args,
                sizeof args) == 0) {
        return {};
    }
    if (errno != ENOSYS) {
        return xattr_failed(errno, name);
    }
    const Fd before(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!before.valid() || fchdir(dir.get()) != 0) {
        return fail_errno(errno, "enter directory of {}", printable(entry));
    }
    const int set = lsetxattr(entry.c_str(), name.c_str(), value.data(), value.size(), 0);
    const int error = errno;
    if (fchdir(before.get()) != 0) {
        return fail_errno(errno, "leave directory of {}", printable(entry));
    }
    if (set != 0) {
        return xattr_failed(error, name);
    }
    return {};
}

Result<std::optional<std::string>> get_xattr(const Fd& fd, const std::string& name) {
    std::string value(kMaxValue, '\0');
    const ssize_t got = fgetxattr(fd.get(), name.c_str(), value.data(), value.size());
    if (got < 0) {
        if (errno == ENODATA || errno == ENOTSUP) {
            return std::nullopt;
        }
        return fail_errno(errno, "read attribute {}", printable(name));
    }
    value.resize(static_cast<std::size_t>(got));
    return value;
}

Result<std::vector<std::pair<std::string, std::string>>> list_xattrs(const Fd& fd) {
    std::vector<std::pair<std::string, std::string>> all;
    const ssize_t size = flistxattr(fd.get(), nullptr, 0);
    if (size == 0 || (size < 0 && errno == ENOTSUP)) {
        return all;
    }
    std::string names(size < 0 ? 0 : static_cast<std::size_t>(size), '\0');
    const ssize_t got = size < 0 ? -1 : flistxattr(fd.get(), names.data(), names.size());
    if (got < 0) {
        return fail_errno(errno, "list attributes");
    }
    names.resize(static_cast<std::size_t>(got));
    for (const std::string_view name : split(names, '\0')) {
        if (name.empty()) {
            continue;
        }
        if (auto value = KNARR_TRY(get_xattr(fd, std::string(name)))) {
            all.emplace_back(name, *std::move(value));
        }
    }
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace knarr::sys
