#include "platform/image_mount.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/mount.h"

namespace knarr::sys {

namespace {

constexpr unsigned long kFlags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;
constexpr int kLoopAttempts = 64;  // others take the device that was free a moment ago
constexpr std::uint32_t kSectorBytes = 512;

/// A read-only loop device over a file; it vanishes with the last user.
Result<Fd> make_loop(const Fd& control, const Fd& file, std::string& path) {
    for (int attempt = 0; attempt < kLoopAttempts; ++attempt) {
        const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) {
            return fail_errno(errno, "find a free loop device");
        }
        path = fmt::format("/dev/loop{}", number);
        Fd device = KNARR_TRY(open_path(path, O_RDONLY));
        loop_config config{};
        config.fd = static_cast<std::uint32_t>(file.get());
        config.block_size = kSectorBytes;
        config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
        if (ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
            return device;
        }
        if (errno != EBUSY) {
            return fail_errno(errno, "set up {}", path);
        }
    }
    return fail(Errc::io, "no loop device stays free");
}

using Files = std::vector<const Fd*>;

Result<Fd> mount_by_loop(const Fd& image, const Files& data) {
    const Fd control = KNARR_TRY(open_path("/dev/loop-control", O_RDWR));
    std::string path;
    std::vector<Fd> loops;  // the mount holds them from then on
    std::vector<FsOption> devices;
    loops.push_back(KNARR_TRY(make_loop(control, image, path)));
    const std::string image_path = path;
    for (const Fd* file : data) {
        loops.push_back(KNARR_TRY(make_loop(control, *file, path)));
        devices.push_back({.key = "device", .value = path});
    }
    return make_filesystem("erofs", image_path, devices, kFlags);
}

Result<Fd> mount_by_file(const Fd& image, const Files& data) {
    std::vector<FsOption> devices;
    devices.reserve(data.size());
    for (const Fd* file : data) {
        devices.push_back({.key = "device", .value = fd_path(*file)});
    }
    return make_filesystem("erofs", fd_path(image), devices, kFlags);
}

/// ENOTBLK: the kernel wants block devices, or the files' own file system cannot serve them.
bool wants_devices(const Error& error) {
    return error.sys_errno == ENOTBLK || error.sys_errno == EOPNOTSUPP;
}

}  // namespace

Result<Fd> mount_erofs(const Fd& image, const Files& data, ImageBacking backing) {
    Result<Fd> mount =
        backing == ImageBacking::loop ? mount_by_loop(image, data) : mount_by_file(image, data);
    if (!mount && backing == ImageBacking::best && wants_devices(mount.error())) {
        mount = mount_by_loop(image, data);
    }
    if (mount) {
        return mount;
    }
    Error error = std::move(mount).error();
    switch (error.sys_errno) {
        case EBADMSG:  // the checksum
        case EUCLEAN:
            error.code = Errc::corrupt;
            break;
        case ENODEV:
        case ENOTBLK:
        case EOPNOTSUPP:
        case EINVAL:
        case EPERM:
        case ENOENT:
            error.code = Errc::unsupported;
            break;
        default:
            break;
    }
    return fail(std::move(error));
}

bool is_erofs(const Fd& dir) {
    constexpr auto kErofsMagic = 0xE0F5E1E2U;
    struct statfs out{};
    return fstatfs(dir.get(), &out) == 0 && static_cast<std::uint32_t>(out.f_type) == kErofsMagic;
}

}  // namespace knarr::sys
