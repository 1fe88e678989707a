// The job around apply.cpp: a staged directory, a jailed process, verification, rename.
//
//   parent                                      worker (own namespaces, chroot to the layer's fs)
//   layers/.tmp-X/{fs,lock}, flock
//   read-only detached mounts of the lowers ->  descriptors
//   clone                                   ->  inflate, hash, apply
//   poll ready_fd()                         <-  counts, digest of the tar, opaque directories
//   compare the digest, set trusted.overlay.opaque, meta, syncfs, rename
#include "layer/unpack.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include "core/fault.h"
#include "core/random.h"
#include "core/text.h"
#include "layer/apply.h"
#include "layer/info.h"
#include "layer/tar.h"
#include "layer/tar_mark.h"
#include "platform/disk.h"
#include "platform/mount.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
// zstd's window, sparse maps, names of directories whose times are to be set.
constexpr std::uint64_t kWorkerMemory = 512 * size::kMiB;

// Not CAP_SYS_ADMIN: it would be needed for trusted.overlay.opaque alone, which the parent sets,
// and is power over the host. CAP_MKNOD, because layers have devices; containers see them through a
// device cgroup.
constexpr std::uint64_t kWorkerCapabilities = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE |
                                              1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |
                                              1ULL << CAP_MKNOD | 1ULL << CAP_SETFCAP;

/// What the worker does; `request` and `blob` are copies of the parent's memory.
Result<std::string> work(const sys::Fd& blob,
                         spec::Compression stated,
                         const ApplyRequest& request) {
    auto stream = KNARR_TRY(LayerStream::open(blob, stated, request.limits.max_layer_bytes));
    TarReader tar(*stream);
    Applied applied = KNARR_TRY(apply_tar(tar, request));
    const spec::Digest diff_id = KNARR_TRY(stream->finish());
    return encode_info(LayerInfo{.bytes = applied.bytes,
                                 .entries = applied.entries,
                                 .opaque = std::move(applied.opaque),
                                 .skipped_xattrs = applied.skipped_xattrs},
                       diff_id.text());
}

/// The same for a layer that is there already: what the blob holds, and nothing is made of it.
Result<std::string> only_hash(const sys::Fd& blob, spec::Compression stated, const Limits& limits) {
    auto stream = KNARR_TRY(LayerStream::open(blob, stated, limits.max_layer_bytes));
    return KNARR_TRY(stream->finish()).text();
}

/// A detached mount: ".." ends at it, so that its descriptor is no way out of the worker's jail.
Result<sys::Fd> detached(const sys::Fd& dir, std::uint64_t attributes) {
    sys::Fd mount = KNARR_TRY(sys::clone_mount(dir, false));
    constexpr std::uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    KNARR_TRY(sys::set_mount_attributes(mount, {.set = kHarmless | attributes}));
    return mount;
}

}  // namespace

Unpack::Unpack(Unpack&& other) noexcept
    : done_(other.done_),
      known_(std::move(other.known_)),
      check_only_(other.check_only_),
      blob_(std::move(other.blob_)),
      layers_(std::move(other.layers_)),
      staged_(std::move(other.staged_)),
      fs_(std::move(other.fs_)),
      lock_(std::move(other.lock_)),
      staged_name_(std::exchange(other.staged_name_, {})),
      final_name_(std::move(other.final_name_)),
      diff_id_(std::move(other.diff_id_)),
      label_(std::move(other.label_)),
      worker_(std::move(other.worker_)) {}

Unpack::~Unpack() {
    discard();
}

void Unpack::discard() noexcept {
    worker_.stop();
    if (!staged_name_.empty()) {
        // What cannot be removed now is removed when the store is opened next.
        (void)sys::remove_tree_at(layers_, staged_name_);
        staged_name_.clear();
    }
    lock_.reset();
}

Result<> Unpack::stage(const store::Store& store) {
    layers_ = KNARR_TRY(sys::duplicate(store.layers_dir()));
    std::uint64_t salt = 0;
    system_random().fill(std::as_writable_bytes(std::span(&salt, 1)));
    std::string name = fmt::format(".tmp-{}-{:016x}", final_name_.substr(0, 16), salt);
    {
        // Nobody may look between the directory's birth and its lock: it would look abandoned.
        const sys::FileLock staging = KNARR_TRY(store.lock_staging());
        KNARR_TRY(sys::make_dir_at(layers_, name, 0700));
        staged_name_ = std::move(name);
        staged_ = KNARR_TRY(sys::open_at(layers_, staged_name_, kDirectory));
        lock_ =
            KNARR_TRY(sys::open_at(staged_, "lock", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        if (!KNARR_TRY(sys::try_lock(lock_))) {
            return fail(Errc::internal, "a new lock file is held by somebody else");
        }
    }
    KNARR_TRY(sys::make_dir_at(staged_, "fs", 0755));
    fs_ = KNARR_TRY(sys::open_at(staged_, "fs", kDirectory));
    return {};
}

/// The layer is there: it is this blob's if the blob holds the same tar.
Result<> Unpack::start_check(const store::Store& store, const UnpackRequest& request) {
    known_ = KNARR_TRY(read_layer_info(store, request.chain.back()));
    blob_ = KNARR_TRY(store.open_blob(request.blob));
    if (is_known_to_hold(blob_, request.diff_id)) {
        done_ = true;
        return {};
    }
    check_only_ = true;
    const sys::Fd dir =
        KNARR_TRY(sys::open_path(store.layer_path(request.chain.back()) + "/fs", kDirectory));
    const sys::Fd root = KNARR_TRY(detached(dir, MOUNT_ATTR_RDONLY));
    const sys::WorkerJail jail{.root = &root,
                               .keep = {&blob_},
                               .capabilities = 0,
                               .max_memory_bytes = kWorkerMemory,
                               .max_result_bytes = kMaxInfoBytes};
    worker_ = KNARR_TRY(sys::Worker::start(
        jail, [&] { return only_hash(blob_, request.compression, request.limits); }));
    return {};
}

Result<Unpack> Unpack::start(const store::Store& store, const UnpackRequest& request) {
    if (request.chain.empty()) {
        return fail(Errc::internal, "unpack without a chain ID");
    }
    Unpack job;
    job.label_ = fmt::format("layer {}", request.blob.text());
    job.final_name_ = request.chain.back().hex();
    job.diff_id_ = request.diff_id;
    if (KNARR_TRY(store.has_layer(request.chain.back()))) {
        KNARR_TRY(job.start_check(store, request), "{}", job.label_);
        return job;
    }
    job.blob_ = KNARR_TRY(store.open_blob(request.blob), "{}", job.label_);
    const sys::Fd& blob = job.blob_;
    ApplyRequest apply{.limits = request.limits};
    std::vector<sys::Fd> lowers;
    for (std::size_t i = request.chain.size() - 1; i-- > 0;) {
        LayerInfo info = KNARR_TRY(read_layer_info(store, request.chain[i]), "{}", job.label_);
        const sys::Fd dir =
            KNARR_TRY(sys::open_path(store.layer_path(request.chain[i]) + "/fs", kDirectory));
        lowers.push_back(KNARR_TRY(detached(dir, MOUNT_ATTR_RDONLY), "{}", job.label_));
        apply.lower_bytes += info.bytes;
        apply.lowers.push_back(
            {.root = nullptr, .opaque = {info.opaque.begin(), info.opaque.end()}});
    }
    KNARR_TRY(job.stage(store), "{}", job.label_);
    const sys::Fd root = KNARR_TRY(detached(job.fs_, 0), "{}", job.label_);
    apply.root = &root;
    sys::WorkerJail jail{.root = &root,
                         .keep = {&blob, &job.lock_},
                         .capabilities = kWorkerCapabilities,
                         .max_memory_bytes = kWorkerMemory,
                         .max_result_bytes = kMaxInfoBytes};
    for (std::size_t i = 0; i < lowers.size(); ++i) {
        apply.lowers[i].root = &lowers[i];
        jail.keep.push_back(&lowers[i]);
    }
    job.worker_ =
        KNARR_TRY(sys::Worker::start(jail, [&] { return work(blob, request.compression, apply); }),
                  "{}",
                  job.label_);
    return job;
}

Result<LayerInfo> Unpack::finish() {
    if (done_) {
        return known_;
    }
    Result<LayerInfo> info = complete();
    if (!info) {
        discard();
        return fail(std::move(info).error().within(label_));
    }
    known_ = *info;
    done_ = true;
    return info;
}

Result<LayerInfo> Unpack::complete() {
    const std::string text = KNARR_TRY(worker_.finish());
    DecodedInfo decoded =
        check_only_ ? DecodedInfo{.info = known_, .diff_id = text} : KNARR_TRY(decode_info(text));
    if (decoded.diff_id != diff_id_->text()) {
        return fail(Errc::digest_mismatch,
                    "its tar is {}, the image's config says {}",
                    printable(decoded.diff_id),
                    diff_id_->text());
    }
    remember_tar(blob_, *diff_id_);
    if (check_only_) {
        return std::move(decoded.info);
    }
    for (const std::string& path : decoded.info.opaque) {
        const sys::Fd dir = KNARR_TRY(sys::open_how(fs_,
                                                    path.empty() ? "." : path,
                                                    static_cast<std::uint64_t>(kDirectory),
                                                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
        KNARR_TRY(sys::set_xattr(dir, "trusted.overlay.opaque", "y"));
    }
    KNARR_TRY(
        sys::replace_file(staged_, "meta", encode_info(decoded.info, diff_id_->text()), 0600));
    KNARR_TRY(fault_point("layer.sync"));
    // One syncfs instead of an fsync per file: the layer is whole on the disk before its name is.
    KNARR_TRY(sys::sync_filesystem(fs_));
    Result<> renamed = sys::rename_at(layers_, staged_name_, layers_, final_name_);
    if (!renamed &&
        (renamed.error().sys_errno == EEXIST || renamed.error().sys_errno == ENOTEMPTY)) {
        discard();  // another process was first, with the same layer
    } else {
        KNARR_TRY(std::move(renamed));
        staged_name_.clear();
        lock_.reset();
    }
    KNARR_TRY(sys::sync_fd(layers_));
    return std::move(decoded.info);
}

Result<LayerInfo> read_layer_info(const store::Store& store, const spec::Digest& chain_id) {
    const std::string path = fmt::format("{}/meta", chain_id.hex());
    auto text = sys::read_file_at(store.layers_dir(), path, kMaxInfoBytes);
    if (!text && text.error().sys_errno == ENOENT) {
        return fail(Errc::image_not_found, "layer {} is not unpacked", chain_id.text());
    }
    const std::string bytes = KNARR_TRY(std::move(text), "layer {}", chain_id.text());
    return KNARR_TRY(decode_info(bytes), "layer {}", chain_id.text()).info;
}

}  // namespace knarr::layer
