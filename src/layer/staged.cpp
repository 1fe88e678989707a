#include "layer/staged.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/mount.h>

#include "core/random.h"
#include "platform/disk.h"
#include "platform/mount.h"

namespace knarr::layer {

namespace {
constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
}

Staged::Staged(Staged&& other) noexcept
    : layers_(std::move(other.layers_)),
      dir_(std::move(other.dir_)),
      fs_(std::move(other.fs_)),
      lock_(std::move(other.lock_)),
      name_(std::exchange(other.name_, {})),
      final_name_(std::move(other.final_name_)) {}

Staged& Staged::operator=(Staged&& other) noexcept {
    if (this != &other) {
        discard();
        layers_ = std::move(other.layers_);
        dir_ = std::move(other.dir_);
        fs_ = std::move(other.fs_);
        lock_ = std::move(other.lock_);
        name_ = std::exchange(other.name_, {});
        final_name_ = std::move(other.final_name_);
    }
    return *this;
}

void Staged::discard() noexcept {
    if (!name_.empty()) {
        // What cannot be removed now is removed when the store is opened next.
        (void)sys::remove_tree_at(layers_, name_);
        name_.clear();
    }
    lock_.reset();
}

Result<Staged> Staged::make(const store::Store& store, const spec::Digest& chain_id) {
    Staged out;
    out.final_name_ = chain_id.hex();
    out.layers_ = KNARR_TRY(sys::duplicate(store.layers_dir()));
    std::string name = fmt::format(".tmp-{}-{}", out.final_name_.substr(0, 16), random_name());
    {
        // Nobody may look between the directory's birth and its lock: it would look abandoned.
        const sys::FileLock staging = KNARR_TRY(store.lock_staging());
        KNARR_TRY(sys::make_dir_at(out.layers_, name, 0700));
        out.name_ = std::move(name);
        out.dir_ = KNARR_TRY(sys::open_at(out.layers_, out.name_, kDirectory));
        out.lock_ =
            KNARR_TRY(sys::open_at(out.dir_, "lock", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        if (!KNARR_TRY(sys::try_lock(out.lock_))) {
            return fail(Errc::internal, "a new lock file is held by somebody else");
        }
    }
    KNARR_TRY(sys::make_dir_at(out.dir_, "fs", 0755));
    out.fs_ = KNARR_TRY(sys::open_at(out.dir_, "fs", kDirectory));
    KNARR_TRY(sys::set_mode_of(out.fs_, 0755));
    return out;
}

Result<sys::Fd> Staged::make_file(const std::string& name) const {
    return sys::open_at(dir_, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

Result<> Staged::publish() {
    Result<> renamed = sys::rename_at(layers_, name_, layers_, final_name_);
    if (!renamed &&
        (renamed.error().sys_errno == EEXIST || renamed.error().sys_errno == ENOTEMPTY)) {
        discard();  // another process was first, with the same layer
    } else {
        KNARR_TRY(std::move(renamed));
        name_.clear();
        lock_.reset();
    }
    return sys::sync_fd(layers_);
}

Result<sys::Fd> jail_root(const sys::Fd& dir, std::uint64_t attributes) {
    sys::Fd mount = KNARR_TRY(sys::clone_mount(dir, false));
    constexpr std::uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    KNARR_TRY(sys::set_mount_attributes(mount, {.set = kHarmless | attributes}));
    return mount;
}

}  // namespace knarr::layer
