#include "engine/host_devices.h"

#include <algorithm>
#include <array>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/text.h"
#include "platform/file.h"

namespace knarr::engine {

namespace {

constexpr int kMaxDepth = 8;  // of directories below /dev

// What a container has of its own, and the places of file systems.
constexpr std::array<std::string_view, 16> kOwn{"null",
                                                "zero",
                                                "full",
                                                "random",
                                                "urandom",
                                                "tty",
                                                "ptmx",
                                                "console",
                                                "pts",
                                                "shm",
                                                "mqueue",
                                                "fd",
                                                "stdin",
                                                "stdout",
                                                "stderr",
                                                "hugepages"};

bool is_device(const struct stat& stat) {
    return S_ISCHR(stat.st_mode) || S_ISBLK(stat.st_mode);
}

bundle::HostDevice make_device(const struct stat& stat, std::string target, std::string access) {
    return {.device = {.path = std::move(target),
                       .type = S_ISBLK(stat.st_mode) ? 'b' : 'c',
                       .major = major(stat.st_rdev),
                       .minor = minor(stat.st_rdev),
                       .file_mode = stat.st_mode & 07777,
                       .uid = stat.st_uid,
                       .gid = stat.st_gid},
            .access = std::move(access)};
}

struct Walk {
    const std::string& access;
    bool skip_own = false;  // at the top: what every container has
    std::vector<bundle::HostDevice>& out;
};

/// All devices below a directory. What vanishes meanwhile is left out; links are.
Result<> add_below(const sys::Fd& dir, const std::string& target, const Walk& walk, int depth) {
    for (const std::string& name : KNARR_TRY(sys::list_dir(dir), "{}", printable(target))) {
        if (depth == 0 && walk.skip_own &&
            (name.starts_with('.') || std::ranges::find(kOwn, name) != kOwn.end())) {
            continue;
        }
        const auto stat = KNARR_TRY(sys::stat_at(dir, name));
        const std::string path = fmt::format("{}/{}", target, name);
        if (stat && is_device(*stat)) {
            walk.out.push_back(make_device(*stat, path, walk.access));
        } else if (stat && S_ISDIR(stat->st_mode) && depth < kMaxDepth) {
            const auto inner = sys::open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (inner) {
                KNARR_TRY(add_below(*inner, path, walk, depth + 1));
            }
        }
    }
    return {};
}

Result<> add(const DeviceRequest& wish, std::vector<bundle::HostDevice>& out) {
    const auto advise = [&](Error error) {
        error.code = Errc::invalid_argument;
        return fail(std::move(error)
                        .within(fmt::format("--device {}", printable(wish.source)))
                        .advise("a device of this host is wanted: /dev/NAME, or a directory"));
    };
    const auto source = sys::open_path(wish.source, O_PATH);
    if (!source) {
        return advise(source.error());
    }
    const struct stat stat = KNARR_TRY(sys::stat_of(*source));
    if (is_device(stat)) {
        out.push_back(make_device(stat, wish.target, wish.access));
        return {};
    }
    if (!S_ISDIR(stat.st_mode)) {
        return advise(Error{.code = Errc::invalid_argument, .message = "it is no device"});
    }
    const std::size_t before = out.size();
    const sys::Fd dir = KNARR_TRY(sys::open_path(wish.source, O_RDONLY | O_DIRECTORY));
    KNARR_TRY(add_below(dir, wish.target, {.access = wish.access, .out = out}, 0));
    return out.size() > before
               ? Result<>{}
               : advise(Error{.code = Errc::invalid_argument, .message = "it has no device in it"});
}

Result<spec::ThrottleDevice> numbered(const DeviceRate& wish, std::string_view option) {
    const auto wrong = [&](Error error) {
        error.code = Errc::invalid_argument;
        return fail(std::move(error)
                        .within(fmt::format("--{} {}", option, printable(wish.device)))
                        .advise("a block device of this host is wanted: lsblk lists them"));
    };
    const auto device = sys::open_path(wish.device, O_PATH);
    if (!device) {
        return wrong(device.error());
    }
    const struct stat stat = KNARR_TRY(sys::stat_of(*device));
    if (!S_ISBLK(stat.st_mode)) {
        return wrong(Error{.code = Errc::invalid_argument, .message = "it is no block device"});
    }
    return spec::ThrottleDevice{
        .major = major(stat.st_rdev), .minor = minor(stat.st_rdev), .rate = wish.rate};
}

}  // namespace

Result<spec::BlockIoLimits> device_limits(const ResourceSettings& settings) {
    spec::BlockIoLimits out;
    const auto fill = [](const std::vector<DeviceRate>& wishes,
                         std::string_view option,
                         std::vector<spec::ThrottleDevice>& into) -> Result<> {
        for (const DeviceRate& wish : wishes) {
            into.push_back(KNARR_TRY(numbered(wish, option)));
        }
        return {};
    };
    KNARR_TRY(fill(settings.read_bps, "device-read-bps", out.read_bps));
    KNARR_TRY(fill(settings.write_bps, "device-write-bps", out.write_bps));
    KNARR_TRY(fill(settings.read_iops, "device-read-iops", out.read_iops));
    KNARR_TRY(fill(settings.write_iops, "device-write-iops", out.write_iops));
    for (const DeviceRate& wish : settings.device_weights) {
        const spec::ThrottleDevice device = KNARR_TRY(numbered(wish, "blkio-weight-device"));
        out.weight_devices.push_back({.major = device.major,
                                      .minor = device.minor,
                                      .weight = static_cast<std::uint16_t>(device.rate),
                                      .leaf_weight = {}});
    }
    return out;
}

Result<std::vector<bundle::HostDevice>> host_devices(const ContainerSettings& settings) {
    std::vector<bundle::HostDevice> all;
    for (const DeviceRequest& wish : settings.devices) {
        KNARR_TRY(add(wish, all));
    }
    if (settings.security.privileged) {
        const sys::Fd dev = KNARR_TRY(sys::open_path("/dev", O_RDONLY | O_DIRECTORY));
        const std::string access = "rwm";
        KNARR_TRY(add_below(dev, "/dev", {.access = access, .skip_own = true, .out = all}, 0));
    }
    // The first of a path counts: what was asked for by name.
    std::set<std::string> paths;
    std::erase_if(
        all, [&](const bundle::HostDevice& one) { return !paths.insert(one.device.path).second; });
    return all;
}

}  // namespace knarr::engine
