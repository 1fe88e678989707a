// The job around apply.cpp: a staged directory, a jailed process, verification, rename.
//
//   parent                                      worker (own namespaces, chroot to the layer's fs)
//   layers/.tmp-X/{fs,lock}, flock
//   read-only detached mounts of the lowers ->  descriptors
//   clone (dir: twice, with a pipe between) ->  inflate, hash -> apply
//   poll ready_fd()                         <-  counts, digest of the tar, opaque directories
//   compare the digest, mark what is opaque (dir), check the image (erofs), meta, sync, rename
//
// With the driver erofs, inflating writes the tar to a file, and applying reads that file's headers
// and writes the image. The first half may have been done by an InflateJob.
#include "layer/unpack.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include "core/fault.h"
#include "core/text.h"
#include "erofs/check.h"
#include "layer/apply.h"
#include "layer/disk_tree.h"
#include "layer/erofs_tree.h"
#include "layer/inflate_job.h"
#include "layer/merged.h"
#include "layer/stored.h"
#include "layer/tar.h"
#include "layer/tar_file.h"
#include "layer/tar_mark.h"
#include "platform/disk.h"
#include "platform/socket.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
// zstd's window, sparse maps, names of directories whose times are to be set; the inodes of an
// EROFS image.
constexpr std::uint64_t kWorkerMemory = 512 * size::kMiB;
constexpr int kPipeBytes = 1024 * 1024;

// Not CAP_SYS_ADMIN: it would be needed for trusted.overlay.opaque alone, which the parent sets,
// and is power over the host. CAP_MKNOD, because layers have devices; containers see them through a
// device cgroup.
constexpr std::uint64_t kDirCapabilities = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE |
                                           1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |
                                           1ULL << CAP_MKNOD | 1ULL << CAP_SETFCAP;
/// It only reads files of layers below.
constexpr std::uint64_t kErofsCapabilities = 1ULL << CAP_DAC_READ_SEARCH;

/// In the place of a digest that another worker knows.
spec::Digest not_known() {
    return spec::Digest::of_sha256(std::string(64, '0'));
}

std::string result_of(Applied applied, Driver driver, const spec::Digest& diff_id) {
    return encode_info(LayerInfo{.bytes = applied.bytes,
                                 .entries = applied.entries,
                                 .opaque = std::move(applied.opaque),
                                 .skipped_xattrs = applied.skipped_xattrs,
                                 .driver = driver},
                       diff_id.text());
}

// What the worker does; all that is referred to are copies of the parent's memory.

/// For a layer that is there already: what the blob holds, and nothing is made of it.
Result<std::string> only_hash(const sys::Fd& blob, spec::Compression stated, const Limits& limits) {
    auto stream = KNARR_TRY(LayerStream::open(blob, stated, limits.max_layer_bytes));
    return KNARR_TRY(stream->finish()).text();
}

/// What another worker writes into a pipe.
class PipeSource final : public ByteSource {
public:
    explicit PipeSource(const sys::Fd& pipe) : pipe_(pipe), buffer_(kPieceBytes, '\0') {}

    Result<std::string_view> next() override {
        const std::size_t got = KNARR_TRY(sys::read_some(pipe_, buffer_), "read the tar");
        return std::string_view(buffer_).substr(0, got);
    }

private:
    static constexpr std::size_t kPieceBytes = 256 * size::kKiB;
    const sys::Fd& pipe_;
    std::string buffer_;
};

/// The digest is found out by who writes into the pipe; what is behind the tar's end counts too.
Result<std::string> work_dir(const sys::Fd& pipe,
                             const sys::Fd& root,
                             Devices devices,
                             const ApplyRequest& request) {
    PipeSource source(pipe);
    TarReader tar(source);
    DiskTree tree(root, devices);
    Applied applied = KNARR_TRY(apply_tar(tar, tree, request));
    while (!KNARR_TRY(source.next()).empty()) {
    }
    return result_of(std::move(applied), Driver::dir, not_known());
}

Result<std::string> work_erofs(const WrittenTar& written,
                               const sys::Fd& data,
                               const sys::Fd& image,
                               const ApplyRequest& request) {
    // The whole tar is kept, with what no file of it needs.
    if (request.lower_bytes + written.bytes > request.limits.max_rootfs_bytes) {
        return fail(Error{.code = Errc::limit_exceeded,
                          .message = fmt::format("the image's layers exceed {} bytes",
                                                 request.limits.max_rootfs_bytes),
                          .hint = kPolicyHint});
    }
    TarFile file(data, written.bytes);
    TarReader tar(file);
    ErofsTree tree(data, written.bytes);
    Applied applied = KNARR_TRY(apply_tar(tar, tree, request));
    applied.bytes = std::max(applied.bytes, written.bytes);
    KNARR_TRY(tree.mark_opaque(applied.opaque));
    const std::uint64_t used = request.lower_bytes + applied.bytes;
    const std::uint64_t most = request.limits.max_rootfs_bytes;
    KNARR_TRY(tree.write(image, used > most ? 0 : most - used));
    if (!fault_point("layer.image")) {
        // As somebody would who has taken this process over: a feature that knarr does not use.
        constexpr std::uint64_t kFeatures = 1024 + 80;
        KNARR_TRY(sys::write_all_at(image, "\x7f", kFeatures));
    }
    return result_of(std::move(applied), Driver::erofs, written.diff_id);
}

Result<std::string> inflate_and_work_erofs(const sys::Fd& blob,
                                           const sys::Fd& data,
                                           const sys::Fd& image,
                                           spec::Compression stated,
                                           const ApplyRequest& request) {
    auto stream = KNARR_TRY(LayerStream::open(blob, stated, request.limits.max_layer_bytes));
    const WrittenTar written = KNARR_TRY(write_tar(*stream, data));
    return work_erofs(written, data, image, request);
}

}  // namespace

Unpack::Unpack(Unpack&& other) noexcept
    : done_(other.done_),
      known_(std::move(other.known_)),
      check_only_(other.check_only_),
      inflated_(std::move(other.inflated_)),
      staged_(std::move(other.staged_)),
      data_(std::move(other.data_)),
      image_(std::move(other.image_)),
      blob_(std::move(other.blob_)),
      diff_id_(std::move(other.diff_id_)),
      label_(std::move(other.label_)),
      worker_(std::move(other.worker_)),
      inflater_(std::move(other.inflater_)) {
    other.staged_.reset();
}

Unpack::~Unpack() {
    discard();
}

void Unpack::discard() noexcept {
    inflater_.stop();
    worker_.stop();  // before what it writes to
    staged_.reset();
    inflated_.reset();
}

Result<Unpack> Unpack::start(const store::Store& store, const UnpackRequest& request) {
    LayerRoots roots(store);
    return start(store, request, roots, nullptr);
}

Result<Unpack> Unpack::start(const store::Store& store,
                             const UnpackRequest& request,
                             LayerRoots& roots,
                             std::unique_ptr<Inflated> inflated) {
    if (request.chain.empty()) {
        return fail(Errc::internal, "unpack without a chain ID");
    }
    Unpack job;
    job.label_ = fmt::format("layer {}", request.blob.text());
    job.diff_id_ = request.diff_id;
    job.inflated_ = std::move(inflated);
    if (KNARR_TRY(store.has_layer(request.chain.back()))) {
        KNARR_TRY(job.start_check(store, request), "{}", job.label_);
        return job;
    }
    KNARR_TRY(job.start_worker(store, request, roots), "{}", job.label_);
    return job;
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
    const sys::Fd root = KNARR_TRY(jail_root(dir, MOUNT_ATTR_RDONLY));
    const sys::WorkerJail jail{.root = &root,
                               .keep = {&blob_},
                               .capabilities = 0,
                               .calls = sys::WorkerCalls::bytes,
                               .max_memory_bytes = kWorkerMemory,
                               .max_result_bytes = kMaxInfoBytes};
    worker_ = KNARR_TRY(sys::Worker::start(
        jail, [&] { return only_hash(blob_, request.compression, request.limits); }));
    return {};
}

Result<> Unpack::start_worker(const store::Store& store,
                              const UnpackRequest& request,
                              LayerRoots& roots) {
    const bool erofs = request.driver == Driver::erofs;
    blob_ = KNARR_TRY(store.open_blob(request.blob));
    ApplyRequest apply{.limits = request.limits};
    sys::WorkerJail jail{.keep = {},
                         .capabilities = erofs ? kErofsCapabilities : kDirCapabilities,
                         .max_memory_bytes = kWorkerMemory,
                         .max_result_bytes = kMaxInfoBytes};
    for (std::size_t i = request.chain.size() - 1; i-- > 0;) {
        LayerInfo info = KNARR_TRY(read_layer_info(store, request.chain[i]));
        apply.lower_bytes += info.bytes + KNARR_TRY(image_bytes_of(store, {request.chain[i]}));
        apply.lowers.push_back({.root = KNARR_TRY(roots.root(request.chain[i])),
                                .opaque = {info.opaque.begin(), info.opaque.end()}});
        jail.keep.push_back(apply.lowers.back().root);
    }
    if (inflated_) {
        staged_.emplace(std::move(inflated_->staged));
        data_ = std::move(inflated_->data);
    } else {
        staged_.emplace(KNARR_TRY(Staged::make(store, request.chain.back())));
        data_ = erofs ? KNARR_TRY(staged_->make_file(kDataFile)) : sys::Fd();
    }
    jail.keep.push_back(&staged_->lock());
    if (erofs) {
        if (!inflated_) {
            jail.keep.push_back(&blob_);  // else another process decompresses it
        }
        image_ = KNARR_TRY(staged_->make_file(kImageFile));
        jail.keep.push_back(&data_);
        jail.keep.push_back(&image_);
    }
    const sys::Fd root = KNARR_TRY(jail_root(staged_->fs(), erofs ? MOUNT_ATTR_RDONLY : 0));
    jail.root = &root;
    if (!erofs) {
        const sys::Pipe tar = KNARR_TRY(sys::make_pipe());
        sys::widen_pipe(tar.read, kPipeBytes);
        jail.keep.push_back(&tar.read);
        // In a user namespace none can be made.
        const Devices devices = sys::has_user_overlays() ? Devices::left_out : Devices::made;
        worker_ = KNARR_TRY(
            sys::Worker::start(jail, [&] { return work_dir(tar.read, root, devices, apply); }));
        return start_inflater(request, tar.write);
    }
    worker_ = KNARR_TRY(sys::Worker::start(jail, [&] {
        return inflated_ ? work_erofs(inflated_->tar, data_, image_, apply)
                         : inflate_and_work_erofs(blob_, data_, image_, request.compression, apply);
    }));
    return {};
}

/// On another core than what makes files of it. It has the blob and the pipe, and no right to ask
/// for more.
Result<> Unpack::start_inflater(const UnpackRequest& request, const sys::Fd& tar) {
    const sys::Fd root = KNARR_TRY(jail_root(staged_->fs(), MOUNT_ATTR_RDONLY));
    const auto work = [&]() -> Result<std::string> {
        if (!fault_point("layer.inflate")) {
            // As somebody would who has taken this process over: its filter kills it, half-way.
            static_cast<void>(sys::write_all(tar, "the beginning of a header"));
            static_cast<void>(sys::open_at(root, ".", kDirectory));
        }
        auto stream = KNARR_TRY(
            LayerStream::open(blob_, request.compression, request.limits.max_layer_bytes));
        return encode(KNARR_TRY(write_tar(*stream, tar)));
    };
    inflater_ = KNARR_TRY(sys::Worker::start({.root = &root,
                                              .keep = {&blob_, &tar, &staged_->lock()},
                                              .calls = sys::WorkerCalls::bytes,
                                              .max_memory_bytes = kWorkerMemory},
                                             work));
    return {};
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

/// What the worker says. Of two, the one says why whose end was not the other's doing.
Result<std::string> Unpack::work_done() {
    Result<std::string> done = worker_.finish();
    if (!inflater_.pidfd().valid()) {
        return done;
    }
    const Result<std::string> inflated = inflater_.finish();
    const bool lost_its_reader = !inflated && inflated.error().sys_errno == EPIPE;
    if (!inflated && (done || !lost_its_reader)) {
        return fail(inflated.error());
    }
    const std::string text = KNARR_TRY(std::move(done));
    const WrittenTar tar = KNARR_TRY(decode_written_tar(*inflated));
    DecodedInfo decoded = KNARR_TRY(decode_info(text));
    return encode_info(decoded.info, tar.diff_id.text());
}

Result<LayerInfo> Unpack::complete() {
    const std::string text = KNARR_TRY(work_done());
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
    KNARR_TRY(make_durable(decoded.info));
    KNARR_TRY(staged_->publish());
    staged_.reset();
    return std::move(decoded.info);
}

/// The kernel will read the image, so it is not taken on trust: whoever wrote it has read a tar
/// from outside. It is gone by now and cannot change it any more.
Result<> Unpack::check_image() const {
    const auto size_of = [](const sys::Fd& file) -> Result<std::uint64_t> {
        return static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
    };
    return erofs::check(
        KNARR_TRY(size_of(image_)),
        {KNARR_TRY(size_of(data_)) / erofs::kBlockBytes},
        [&](std::uint64_t at, std::span<char> into) { return sys::read_at(image_, into, at); });
}

/// The layer is whole on the disk before its name is.
Result<> Unpack::make_durable(const LayerInfo& info) const {
    if (info.driver == Driver::dir) {
        for (const std::string& path : info.opaque) {
            const sys::Fd dir = KNARR_TRY(sys::open_how(staged_->fs(),
                                                        path.empty() ? "." : path,
                                                        static_cast<std::uint64_t>(kDirectory),
                                                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
            KNARR_TRY(sys::set_xattr(dir, sys::overlay_opaque(), "y"));
        }
    } else {
        KNARR_TRY(check_image());
    }
    KNARR_TRY(sys::replace_file(staged_->dir(), "meta", encode_info(info, diff_id_->text()), 0600));
    KNARR_TRY(fault_point("layer.sync"));
    // One syncfs instead of an fsync per file.
    if (info.driver == Driver::dir) {
        return sys::sync_filesystem(staged_->fs());
    }
    KNARR_TRY(sys::sync_fd(data_));
    return sys::sync_fd(image_);
}

}  // namespace knarr::layer
