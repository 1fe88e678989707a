#include "bundle/read.h"

#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/path_access.h"

namespace knarr::bundle {

namespace {

constexpr const char* kBundleHint =
    "a bundle is a directory with config.json and a root file system; name it with --bundle DIR";

Result<sys::Fd> open_bundle(const std::string& directory) {
    Result<sys::Fd> dir =
        sys::explained(sys::open_path(directory, O_RDONLY | O_DIRECTORY), directory);
    if (!dir && (dir.error().sys_errno == ENOENT || dir.error().sys_errno == ENOTDIR)) {
        return fail(Error{.code = Errc::invalid_config,
                          .sys_errno = dir.error().sys_errno,
                          .message = std::move(dir).error().message,
                          .hint = kBundleHint});
    }
    return dir;
}

Result<std::string> read_config(const sys::Fd& dir, const std::string& other) {
    const std::string name = other.empty() ? "config.json" : printable(other);
    // Not blocking: somebody may have put a FIFO there.
    const Result<sys::Fd> file = other.empty() ? sys::open_at(dir, name, O_RDONLY | O_NONBLOCK)
                                               : sys::open_path(other, O_RDONLY | O_NONBLOCK);
    if (file && !S_ISREG(KNARR_TRY(sys::stat_of(*file)).st_mode)) {
        return fail(Errc::invalid_config, "{} is no regular file", name);
    }
    Result<std::string> text = file ? sys::read_all(*file, limits::kMaxBundleConfigBytes)
                                    : Result<std::string>(fail(file.error()));
    if (text) {
        return text;
    }
    Error error = file ? std::move(text).error().within(name) : std::move(text).error();
    if (error.sys_errno == ENOENT || error.sys_errno == EISDIR) {
        error.code = Errc::invalid_config;
        return fail(std::move(error).advise(
            other.empty() ? kBundleHint : "--config FILE is relative to the current directory"));
    }
    if (error.code == Errc::limit_exceeded) {
        error.code = Errc::invalid_config;
    }
    return fail(std::move(error));
}

Result<DirRoot> find_root(const sys::Fd& dir,
                          const std::string& directory,
                          const spec::RuntimeConfig& config) {
    if (!config.root || config.root->path.empty()) {
        return fail(Errc::invalid_config, "config.json: root.path: missing");
    }
    const std::string& path = config.root->path;
    const std::string whole = path.front() == '/' ? path : directory + "/" + path;
    Result<sys::Fd> root = sys::explained(sys::open_at(dir, path, O_PATH | O_DIRECTORY), whole);
    if (!root) {
        Error error = std::move(root).error();
        if (error.sys_errno == ENOENT || error.sys_errno == ENOTDIR || error.sys_errno == ELOOP) {
            error.code = Errc::missing_rootfs;
        }
        return fail(std::move(error).within("config.json: root.path"));
    }
    return DirRoot{.path = whole};
}

}  // namespace

Result<Bundle> read_bundle(const std::string& directory, const std::string& config) {
    const sys::Fd dir = KNARR_TRY(open_bundle(directory), "bundle {}", printable(directory));
    Bundle bundle;
    // The name of the open directory, so that links and "." in the operator's path are gone.
    bundle.directory = KNARR_TRY(
        sys::read_link_at(sys::Fd(), sys::fd_path(dir)), "bundle {}", printable(directory));
    const std::string text = KNARR_TRY(read_config(dir, config), "bundle {}", printable(directory));
    bundle.config = KNARR_TRY(spec::decode_runtime_config(text), "bundle {}", printable(directory));
    bundle.rootfs = KNARR_TRY(
        find_root(dir, bundle.directory, bundle.config), "bundle {}", printable(directory));
    return bundle;
}

}  // namespace knarr::bundle
