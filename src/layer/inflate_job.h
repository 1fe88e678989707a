#pragma once
// The first half of an EROFS layer's way, which needs nothing of other layers: from blob to tar on
// the disk, hashed. Starts while the blob still comes in.

#include "layer/staged.h"
#include "layer/tar_file.h"
#include "layer/unpack.h"
#include "platform/worker.h"

namespace knarr::layer {

/// A layer's tar, staged.
struct Inflated {
    Staged staged;
    sys::Fd data;
    WrittenTar tar;
};

/// A process that decompresses. The destructor kills it and removes what it wrote.
class InflateJob {
public:
    /// `blob` is being written from its beginning by the caller, who says when it grew and when it
    /// is whole; or it is whole already: then call whole() at once. Of `request`, the blob need not
    /// be stored. Only for single-threaded programs.
    static Result<InflateJob> start(const store::Store& store,
                                    const UnpackRequest& request,
                                    const sys::Fd& blob);

    /// More of the blob is there. Never blocks.
    void grew() const;
    void whole() { news_.reset(); }
    /// Readable when finish() will not wait long.
    const sys::Fd& ready_fd() const { return worker_.result_fd(); }
    /// Errors: invalid_image, limit_exceeded, no_space; naming the layer.
    Result<Inflated> finish();

private:
    InflateJob(Staged staged, sys::Fd data) : staged_(std::move(staged)), data_(std::move(data)) {}

    Staged staged_;
    sys::Fd data_;
    sys::Fd news_;  // a pipe to the process: a byte says that there is more, its end that it is all
    sys::Fd
        reader_;  // its other end: with it open, a process that ended early is no SIGPIPE for us
    std::string label_;
    sys::Worker worker_;  // last: it goes before what it writes to
};

}  // namespace knarr::layer
