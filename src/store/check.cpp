// Blobs read again: what a disk or a person changed is found and put aside.
#include <array>
#include <vector>

#include <fcntl.h>

#include "core/limits.h"
#include "core/random.h"
#include "platform/disk.h"
#include "store/store.h"

namespace knarr::store {

namespace {

constexpr std::size_t kReadBytes = size::kMiB;

Result<BlobCheck> hash_file(const sys::Fd& file) {
    std::vector<char> buffer(kReadBytes);
    Sha256 sum;
    std::uint64_t bytes = 0;
    while (true) {
        const std::size_t got = KNARR_TRY(sys::read_some(file, buffer));
        if (got == 0) {
            return BlobCheck{.bytes = bytes, .found = sum.finish()};
        }
        sum.update({buffer.data(), got});
        bytes += got;
    }
}

}  // namespace

Result<BlobCheck> Store::check_blob(const spec::Digest& digest) const {
    const sys::Fd file = KNARR_TRY(open_blob(digest));
    return KNARR_TRY(hash_file(file), "read blob {}", digest.text());
}

Result<bool> Store::quarantine_if_damaged(const spec::Digest& digest) const {
    const sys::Fd file = KNARR_TRY(open_blob(digest));
    const auto check = hash_file(file);  // what cannot be read is damaged, too
    if (check && check->found == digest) {
        return false;
    }
    const sys::FileLock lock = KNARR_TRY(
        sys::FileLock::acquire(dir_, std::string(kStoreLock), sys::FileLock::Kind::exclusive));
    const std::string shard(digest.hex().substr(0, 2)), name(digest.hex());
    const sys::Fd dir =
        KNARR_TRY(sys::open_at(blobs_, shard, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), "quarantine");
    const auto now = KNARR_TRY(sys::stat_at(dir, name));
    if (!now || now->st_ino != KNARR_TRY(sys::stat_of(file)).st_ino) {
        return true;  // another process was first, and a sound one may be in its place already
    }
    KNARR_TRY(sys::rename_at(dir, name, quarantine_, fmt::format("{}.{}", name, random_name())),
              "quarantine blob {}",
              digest.text());
    KNARR_TRY(sys::sync_fd(dir), "quarantine blob {}", digest.text());
    return true;
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> Store::list_quarantine() const {
    std::vector<std::pair<std::string, std::uint64_t>> all;
    for (const std::string& name : KNARR_TRY(sys::list_dir(quarantine_), "list quarantine")) {
        if (const auto found = KNARR_TRY(sys::stat_at(quarantine_, name))) {
            all.emplace_back(name, static_cast<std::uint64_t>(found->st_size));
        }
    }
    return all;
}

}  // namespace knarr::store
