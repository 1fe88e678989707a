#include "layer/driver.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/text.h"
#include "erofs/image.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/spawn.h"

namespace knarr::layer {

namespace {

/// On the file system that is asked about: some cannot serve mounts.
Result<> try_erofs(const sys::Fd& dir, sys::ImageBacking backing) {
    if (sys::effective_uid() != 0) {
        return fail(Errc::denied, "mounting EROFS images needs root");
    }
    erofs::Tree tree;
    tree.inodes.emplace_back().mode = S_IFDIR | 0755;
    const sys::Fd image = KNARR_TRY(sys::make_unnamed_file(dir));
    const sys::Fd data = KNARR_TRY(sys::make_unnamed_file(dir));
    constexpr std::uint64_t kDataBytes = 4096;
    KNARR_TRY(sys::set_size(data, kDataBytes));
    KNARR_TRY(erofs::encode(tree, {kDataBytes / erofs::kBlockBytes}, [&](std::string_view piece) {
        return sys::write_all(image, piece);
    }));
    KNARR_TRY(sys::mount_erofs(image, {&data}, backing));
    return {};
}

}  // namespace

std::string_view name_of(Driver driver) {
    return driver == Driver::erofs ? "erofs" : "dir";
}

std::optional<Driver> parse_driver(std::string_view name) {
    for (const Driver driver : {Driver::dir, Driver::erofs}) {
        if (name == name_of(driver)) {
            return driver;
        }
    }
    return std::nullopt;
}

Result<sys::ImageBacking> erofs_backing() {
    const std::string text = sys::environment("KNARR_EROFS_BACKING");
    if (text.empty()) {
        return sys::ImageBacking::best;
    }
    if (text == "file" || text == "loop") {
        return text == "file" ? sys::ImageBacking::file : sys::ImageBacking::loop;
    }
    return fail(Errc::invalid_argument,
                "KNARR_EROFS_BACKING \"{}\" is neither file nor loop",
                printable(text));
}

Result<std::optional<Error>> why_no_erofs(const sys::Fd& dir) {
    Result<> tried = try_erofs(dir, KNARR_TRY(erofs_backing()));
    if (tried) {
        return std::nullopt;
    }
    // The disk's trouble, which dir would have as well.
    const int reason = tried.error().sys_errno;
    if (tried.error().code == Errc::no_space || reason == EIO || reason == EROFS) {
        return fail(std::move(tried).error());
    }
    return std::move(tried).error();
}

Result<Driver> default_driver(const sys::Fd& dir) {
    sys::ImageBacking backing = KNARR_TRY(erofs_backing());
    if (backing == sys::ImageBacking::best) {
        backing = sys::ImageBacking::file;
    }
    // Whatever the reason is: dir works everywhere, and says it if the disk is full.
    return try_erofs(dir, backing) ? Driver::erofs : Driver::dir;
}

Result<Driver> choose_driver(const store::Store& store, std::optional<Driver> wanted) {
    if (!wanted) {
        return default_driver(store.layers_dir());
    }
    if (*wanted == Driver::dir) {
        return Driver::dir;
    }
    auto why = KNARR_TRY(why_no_erofs(store.layers_dir()));
    if (!why) {
        return Driver::erofs;
    }
    why->code = Errc::unsupported;
    return fail(std::move(*why)
                    .within("snapshot driver erofs")
                    .advise("--snapshot-driver dir works everywhere"));
}

}  // namespace knarr::layer
