#include "store/lease.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/random.h"
#include "core/text.h"
#include "platform/disk.h"
#include "store/disk_trouble.h"
#include "store/store.h"

namespace knarr::store {

namespace {

/// What one process may ask to keep: an archive of a thousand images, each with all its layers, is
/// a third of it. Held where leases are written, so that none stops a collector that reads it.
constexpr std::size_t kMaxLeaseBytes = 64 * size::kMiB;

}  // namespace

Lease::Lease(Lease&& other) noexcept
    : store_(std::move(other.store_)),
      leases_(std::move(other.leases_)),
      file_(std::move(other.file_)),
      name_(std::exchange(other.name_, {})) {}

Lease::~Lease() {
    if (!name_.empty()) {
        // Without the name nobody finds it, whoever still has the file open.
        (void)sys::unlink_at(leases_, name_);
    }
}

Result<> Lease::protect(const std::vector<spec::Digest>& digests) const {
    if (!file_.valid()) {
        return {};  // nothing is removed where this one is from
    }
    std::string text;
    for (const spec::Digest& digest : digests) {
        text += digest.text();
        text += '\n';
    }
    const sys::FileLock lock = KNARR_TRY(
        sys::FileLock::acquire(store_, std::string(kStoreLock), sys::FileLock::Kind::shared));
    const auto held = static_cast<std::size_t>(KNARR_TRY(sys::stat_of(file_)).st_size);
    if (text.size() > kMaxLeaseBytes - std::min(held, kMaxLeaseBytes)) {
        return fail(Errc::limit_exceeded,
                    "one command needs more blobs and layers at once than the {} bytes of their "
                    "names that are allowed",
                    kMaxLeaseBytes);
    }
    return sys::write_all(file_, text);
}

Result<Lease> Store::lease() const {
    return about_disk(make_lease(), root_);
}

Result<Lease> Store::lease_to_read() const {
    auto lease = make_lease();
    if (!lease && lease.error().sys_errno == EROFS) {
        return Lease();
    }
    return about_disk(std::move(lease), root_);
}

Result<Lease> Store::make_lease() const {
    Lease lease;
    lease.store_ = KNARR_TRY(sys::duplicate(dir_));
    lease.leases_ = KNARR_TRY(sys::duplicate(leases_));
    std::string name = random_name();
    // No collector looks between the file's birth and its lock: it would look abandoned.
    const sys::FileLock lock = KNARR_TRY(
        sys::FileLock::acquire(dir_, std::string(kStoreLock), sys::FileLock::Kind::shared));
    lease.file_ = KNARR_TRY(
        sys::open_at(leases_, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0600),
        "lease");
    lease.name_ = std::move(name);
    if (!KNARR_TRY(sys::try_lock(lease.file_), "lease")) {
        return fail(Errc::internal, "a new file in leases/ is locked by somebody else");
    }
    return lease;
}

Result<std::set<spec::Digest>> Store::leased() const {
    std::set<spec::Digest> all;
    for (const std::string& name : KNARR_TRY(sys::list_dir(leases_), "list leases")) {
        const auto file = sys::open_at(leases_, name, O_RDWR | O_NOFOLLOW);
        if (!file && file.error().sys_errno == ENOENT) {
            continue;  // it has just ended; its reference is there
        }
        if (!file) {
            return fail(Error(file.error()).within("lease"));
        }
        if (KNARR_TRY(sys::try_lock(*file), "lease {}", name)) {
            KNARR_TRY(sys::unlink_at(leases_, name));  // its owner was killed
            continue;
        }
        const std::string text = KNARR_TRY(sys::read_all(*file, kMaxLeaseBytes), "lease {}", name);
        for (const std::string_view line : split(text, '\n')) {
            if (!line.empty()) {
                all.insert(KNARR_TRY(spec::Digest::parse(line), "lease {}", name));
            }
        }
    }
    return all;
}

}  // namespace knarr::store
