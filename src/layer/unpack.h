#pragma once
// One layer's way from blob to directory, in jailed processes so that a pull goes on meanwhile.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "layer/info.h"
#include "layer/staged.h"
#include "platform/file.h"
#include "platform/worker.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::layer {

/// What is to be unpacked.
struct UnpackRequest {
    spec::Digest blob;                                        ///< stored
    spec::Digest diff_id;                                     ///< what the image's config says
    spec::Compression compression = spec::Compression::none;  ///< what the media type says
    std::vector<spec::Digest> chain;  ///< chain IDs, lowest first; the last one is this layer's.
                                      ///< All others must be unpacked already.
    Limits limits = {};               ///< max_layer_bytes, max_layer_entries, max_rootfs_bytes
    Driver driver = Driver::dir;      ///< the form in which it is kept
};

struct Inflated;   // inflate_job.h
class LayerRoots;  // stored.h

/// A layer on its way in. The destructor kills its processes and removes what they made.
class Unpack {
public:
    /// Starts to unpack. Only for single-threaded programs (processes are cloned without exec).
    /// Done at once when the layer is there already and this blob was seen to hold it; a blob that
    /// was not is read, and nothing else made.
    /// `inflated`: its tar, where an InflateJob has made it. `roots`: of layers below, kept by a
    /// caller that unpacks several.
    /// Errors: image_not_found for a blob or a lower layer that is not stored; digest_mismatch.
    static Result<Unpack> start(const store::Store& store, const UnpackRequest& request);
    static Result<Unpack> start(const store::Store& store,
                                const UnpackRequest& request,
                                LayerRoots& roots,
                                std::unique_ptr<Inflated> inflated);

    Unpack(Unpack&& other) noexcept;
    Unpack& operator=(Unpack&&) = delete;
    Unpack(const Unpack&) = delete;
    Unpack& operator=(const Unpack&) = delete;
    ~Unpack();

    bool done() const { return done_; }
    /// Readable when finish() will not wait long. Invalid when done().
    const sys::Fd& ready_fd() const { return worker_.result_fd(); }

    /// Waits for the processes, makes the layer durable and visible.
    /// Errors: invalid_image naming layer and entry; digest_mismatch; limit_exceeded; no_space. The
    /// layer's directory is absent then.
    Result<LayerInfo> finish();

private:
    Unpack() = default;
    Result<> start_check(const store::Store& store, const UnpackRequest& request);
    Result<> start_worker(const store::Store& store,
                          const UnpackRequest& request,
                          LayerRoots& roots);
    Result<> start_inflater(const UnpackRequest& request, const sys::Fd& tar);
    Result<std::string> work_done();
    Result<LayerInfo> complete();
    Result<> make_durable(const LayerInfo& info) const;
    Result<> check_image() const;
    void discard() noexcept;

    bool done_ = false;
    LayerInfo known_;          // when done
    bool check_only_ = false;  // the layer is there: only what the blob holds is found out
    std::unique_ptr<Inflated> inflated_;
    std::optional<Staged> staged_;  // the worker holds its lock too
    sys::Fd data_, image_;          // of the driver erofs
    sys::Fd blob_;
    std::optional<spec::Digest> diff_id_;
    std::string label_;  // for messages: "layer sha256:..."
    sys::Worker worker_;
    sys::Worker inflater_;  // of the driver dir: decompresses and hashes what the worker reads
};

}  // namespace knarr::layer
