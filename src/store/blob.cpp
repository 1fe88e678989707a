// Blobs: staged in ingest/, verified while they are written, renamed into blobs/.
#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/fault.h"
#include "core/limits.h"
#include "core/random.h"
#include "platform/disk.h"
#include "store/store.h"

namespace knarr::store {

namespace {

/// Hand written data to the disk early, so that the fsync of commit() has little left to wait for.
constexpr std::uint64_t kFlushBytes = 16 * size::kMiB;

std::string blob_name(const spec::Digest& digest) {
    return fmt::format("{}/{}", digest.hex().substr(0, 2), digest.hex());
}

}  // namespace

BlobWriter::BlobWriter(BlobWriter&& other) noexcept
    : digest_(other.digest_),
      size_(other.size_),
      written_(other.written_),
      flushed_(other.flushed_),
      exists_(other.exists_),
      blobs_(std::move(other.blobs_)),
      ingest_(std::move(other.ingest_)),
      file_(std::move(other.file_)),
      name_(std::exchange(other.name_, {})),
      sum_(other.sum_) {}

BlobWriter::~BlobWriter() {
    if (!name_.empty()) {
        (void)sys::unlink_at(ingest_, name_);
    }
}

Result<> BlobWriter::write(std::string_view bytes) {
    if (exists_) {
        return {};
    }
    if (bytes.size() > size_ - written_) {
        return fail(Errc::digest_mismatch,
                    "blob {}: more bytes came than the {} that its descriptor says",
                    digest_.text(),
                    size_);
    }
    KNARR_TRY(sys::write_all(file_, bytes), "write blob {}", digest_.text());
    sum_.update(bytes);
    written_ += bytes.size();
    if (written_ - flushed_ >= kFlushBytes) {
        sys::start_writeback(file_, flushed_, written_ - flushed_);
        flushed_ = written_;
    }
    return {};
}

Result<sys::Fd> BlobWriter::open_for_reading() const {
    return sys::open_at(ingest_, name_, O_RDONLY | O_NOFOLLOW);
}

Result<> BlobWriter::commit() {
    if (exists_) {
        return {};
    }
    if (written_ != size_) {
        return fail(Errc::digest_mismatch,
                    "blob {}: {} bytes came, its descriptor says {}",
                    digest_.text(),
                    written_,
                    size_);
    }
    const spec::Digest found = sum_.finish();
    if (found != digest_) {
        return fail(
            Errc::digest_mismatch, "blob {}: its bytes are {}", digest_.text(), found.text());
    }
    KNARR_TRY(fault_point("store.blob.commit"), "store blob {}", digest_.text());
    KNARR_TRY(sys::sync_fd(file_), "store blob {}", digest_.text());
    const std::string shard(digest_.hex().substr(0, 2));
    Result<> made = sys::make_dir_at(blobs_, shard, 0700);
    if (!made && made.error().sys_errno != EEXIST) {
        return fail(std::move(made).error().within("store blob " + digest_.text()));
    }
    const sys::Fd dir = KNARR_TRY(
        sys::open_at(blobs_, shard, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), "store blob {}", shard);
    // Replaces what another process may have stored meanwhile: the same bytes.
    KNARR_TRY(sys::rename_at(ingest_, name_, dir, std::string(digest_.hex())), "store blob");
    name_.clear();
    KNARR_TRY(sys::sync_fd(dir), "store blob {}", digest_.text());
    if (made) {
        KNARR_TRY(sys::sync_fd(blobs_), "store blob {}", digest_.text());
    }
    file_.reset();
    return {};
}

Result<bool> Store::has(const spec::Digest& digest) const {
    return KNARR_TRY(sys::stat_at(blobs_, blob_name(digest)), "blob {}", digest.text()).has_value();
}

Result<sys::Fd> Store::open_blob(const spec::Digest& digest) const {
    auto file = sys::open_at(blobs_, blob_name(digest), O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().sys_errno == ENOENT) {
        return fail(Errc::image_not_found, "blob {} is not stored", digest.text());
    }
    return file;
}

Result<std::uint64_t> Store::blob_size(const spec::Digest& digest) const {
    const sys::Fd file = KNARR_TRY(open_blob(digest));
    return static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
}

Result<std::string> Store::read_blob(const spec::Digest& digest, std::size_t max) const {
    const sys::Fd file = KNARR_TRY(open_blob(digest));
    std::string bytes = KNARR_TRY(sys::read_all(file, max), "read blob {}", digest.text());
    if (sha256_of(bytes) != digest) {
        return fail(
            Errc::corrupt,
            "blob {} in {} no longer has its digest: knarr image verify puts it aside, then "
            "pull the image again",
            digest.text(),
            root_);
    }
    return bytes;
}

Result<BlobWriter> Store::write_blob(const spec::Digest& digest, std::uint64_t size) const {
    BlobWriter writer(digest, size);
    if (KNARR_TRY(has(digest))) {
        writer.exists_ = true;
        return writer;
    }
    std::string name = fmt::format("{}.{}", digest.hex(), random_name());
    writer.blobs_ = KNARR_TRY(sys::duplicate(blobs_));
    writer.ingest_ = KNARR_TRY(sys::duplicate(ingest_));
    // Nobody may look between the file's birth and its lock: it would look abandoned.
    const sys::FileLock staging = KNARR_TRY(lock_staging());
    writer.file_ = KNARR_TRY(
        sys::open_at(ingest_, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600), "store blob");
    writer.name_ = std::move(name);
    if (!KNARR_TRY(sys::try_lock(writer.file_), "lock blob {}", digest.text())) {
        return fail(Errc::internal, "a new file in ingest/ is locked by somebody else");
    }
    return writer;
}

Result<spec::Digest> Store::put_blob(std::string_view bytes) const {
    const spec::Digest digest = sha256_of(bytes);
    if (KNARR_TRY(has(digest))) {
        KNARR_TRY(quarantine_if_damaged(digest));  // small: manifests and configurations
    }
    BlobWriter writer = KNARR_TRY(write_blob(digest, bytes.size()));
    KNARR_TRY(writer.write(bytes));
    KNARR_TRY(writer.commit());
    return digest;
}

Result<> Store::remove_blob(const spec::Digest& digest) const {
    return sys::unlink_at(blobs_, blob_name(digest));
}

Result<std::vector<spec::Digest>> Store::list_blobs() const {
    std::vector<spec::Digest> all;
    for (const std::string& shard : KNARR_TRY(sys::list_dir(blobs_), "list blobs")) {
        const sys::Fd dir =
            KNARR_TRY(sys::open_at(blobs_, shard, O_RDONLY | O_DIRECTORY), "list blobs");
        for (const std::string& name : KNARR_TRY(sys::list_dir(dir), "list blobs")) {
            // A foreign file is not ours to judge or to remove.
            if (auto digest = spec::Digest::parse("sha256:" + name)) {
                all.push_back(*std::move(digest));
            }
        }
    }
    std::ranges::sort(all);
    return all;
}

Result<std::uint64_t> Store::used_bytes() const {
    std::uint64_t sum = 0;
    for (const spec::Digest& digest : KNARR_TRY(list_blobs())) {
        if (const auto found = KNARR_TRY(sys::stat_at(blobs_, blob_name(digest)))) {
            sum += static_cast<std::uint64_t>(found->st_size);
        }
    }
    return sum;
}

}  // namespace knarr::store
