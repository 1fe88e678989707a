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

/// What the names of parts have in their middle: "<64 hex>.part-<random>".
constexpr std::string_view kPart = ".part-";

std::string blob_name(const spec::Digest& digest) {
    return fmt::format("{}/{}", digest.hex().substr(0, 2), digest.hex());
}

}  // namespace

BlobWriter::BlobWriter(BlobWriter&& other) noexcept
    : digest_(std::move(other.digest_)),
      size_(other.size_),
      written_(other.written_),
      flushed_(other.flushed_),
      resumed_(other.resumed_),
      exists_(other.exists_),
      keep_part_(other.keep_part_),
      blobs_(std::move(other.blobs_)),
      ingest_(std::move(other.ingest_)),
      file_(std::move(other.file_)),
      name_(std::exchange(other.name_, {})),
      sum_(other.sum_) {}

BlobWriter::~BlobWriter() {
    if (!name_.empty() && (!keep_part_ || written_ < kMinPartBytes)) {
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
    Result<> wrote = sys::write_all(file_, bytes);
    if (!wrote) {
        keep_part_ = false;  // a full disk gets its room back, and some of it may be written
        KNARR_TRY(std::move(wrote), "write blob {}", digest_.text());
    }
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
        keep_part_ = false;
        Error error{
            .code = Errc::digest_mismatch,
            .message = fmt::format("blob {}: its bytes are {}", digest_.text(), found.text())};
        return fail(resumed_ == 0
                        ? std::move(error)
                        : std::move(error).advise("what an earlier pull had got of it may have "
                                                  "been damaged, and is gone: pull again"));
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

bool is_part_name(std::string_view name) {
    constexpr std::size_t kHexDigits = 64;
    return name.find(kPart) == kHexDigits;
}

/// The largest part of the blob that nobody writes to becomes the writer's.
Result<> Store::take_part(BlobWriter& writer) const {
    const std::string prefix = std::string(writer.digest_.hex()).append(kPart);
    for (const std::string& name : KNARR_TRY(sys::list_dir(ingest_))) {
        if (!name.starts_with(prefix)) {
            continue;
        }
        auto file = sys::open_at(ingest_, name, O_RDWR | O_NOFOLLOW);
        if (!file || !KNARR_TRY(sys::try_lock(*file))) {
            continue;  // gone, or another pull's
        }
        const auto bytes = static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(*file)).st_size);
        if (bytes > writer.size_ || bytes < std::max(writer.resumed_, kMinPartBytes)) {
            continue;
        }
        writer.file_ = *std::move(file);
        writer.name_ = name;
        writer.resumed_ = bytes;
    }
    return {};
}

/// Takes the part in as if it had just been written.
Result<> Store::read_part(BlobWriter& writer) const {
    constexpr std::size_t kPieceBytes = 256 * size::kKiB;
    std::vector<char> piece(kPieceBytes);
    while (writer.written_ < writer.resumed_) {
        const std::size_t got =
            KNARR_TRY(sys::read_some(writer.file_,
                                     std::span(piece).first(std::min<std::uint64_t>(
                                         piece.size(), writer.resumed_ - writer.written_))),
                      "read what is there of blob {}",
                      writer.digest_.text());
        if (got == 0) {
            return fail(Errc::io, "blob {}: its part became shorter", writer.digest_.text());
        }
        writer.sum_.update({piece.data(), got});
        writer.written_ += got;
    }
    writer.flushed_ = writer.written_;
    return {};
}

/// Those that nobody writes to.
Result<> Store::remove_parts(Collected& out) const {
    const sys::FileLock staging = KNARR_TRY(lock_staging());
    for (const std::string& name : KNARR_TRY(sys::list_dir(ingest_))) {
        const auto file = sys::open_at(ingest_, name, O_RDWR | O_NOFOLLOW);
        if (!is_part_name(name) || !file || !KNARR_TRY(sys::try_lock(*file))) {
            continue;
        }
        out.bytes += static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(*file)).st_size);
        KNARR_TRY(sys::unlink_at(ingest_, name));
    }
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

Result<BlobWriter> Store::write_blob(const spec::Digest& digest,
                                     std::uint64_t size,
                                     Parts parts) const {
    BlobWriter writer(digest, size);
    if (KNARR_TRY(has(digest))) {
        writer.exists_ = true;
        return writer;
    }
    writer.blobs_ = KNARR_TRY(sys::duplicate(blobs_));
    writer.ingest_ = KNARR_TRY(sys::duplicate(ingest_));
    {
        // Nobody may look between the file's birth and its lock: it would look abandoned.
        const sys::FileLock staging = KNARR_TRY(lock_staging());
        if (parts == Parts::keep) {
            KNARR_TRY(take_part(writer), "blob {}", digest.text());
        }
        if (writer.resumed_ == 0) {
            KNARR_TRY(make_staged(writer, parts), "store blob {}", digest.text());
        }
    }
    writer.keep_part_ = parts == Parts::keep;
    KNARR_TRY(read_part(writer));
    return writer;
}

/// A new file in ingest/.
Result<> Store::make_staged(BlobWriter& writer, Parts parts) const {
    std::string name = fmt::format(
        "{}{}{}", writer.digest_.hex(), parts == Parts::keep ? kPart : ".", random_name());
    writer.file_ =
        KNARR_TRY(sys::open_at(ingest_, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    writer.name_ = std::move(name);
    if (!KNARR_TRY(sys::try_lock(writer.file_))) {
        return fail(Errc::internal, "a new file in ingest/ is locked by somebody else");
    }
    return {};
}

Result<spec::Digest> Store::put_blob(std::string_view bytes) const {
    spec::Digest digest = sha256_of(bytes);
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

}  // namespace knarr::store
