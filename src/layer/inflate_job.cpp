#include "layer/inflate_job.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <unistd.h>

#include "core/text.h"
#include "layer/stored.h"
#include "platform/mount.h"
#include "platform/socket.h"

namespace knarr::layer {

namespace {

constexpr std::uint64_t kWorkerMemory = 256 * size::kMiB;  // zstd's window

}  // namespace

Result<InflateJob> InflateJob::start(const store::Store& store,
                                     const UnpackRequest& request,
                                     const sys::Fd& blob) {
    std::string label = fmt::format("layer {}", request.blob.text());
    Staged staged = KNARR_TRY(Staged::make(store, request.chain.back()), "{}", label);
    sys::Fd data = KNARR_TRY(staged.make_file(kDataFile), "{}", label);
    InflateJob job(std::move(staged), std::move(data));
    job.label_ = std::move(label);
    sys::Pipe news = KNARR_TRY(sys::make_pipe(), "{}", job.label_);
    KNARR_TRY(sys::set_nonblocking(news.write), "{}", job.label_);
    const sys::Fd root =
        KNARR_TRY(jail_root(job.staged_.fs(), MOUNT_ATTR_RDONLY), "{}", job.label_);
    const auto work = [&]() -> Result<std::string> {
        auto stream = KNARR_TRY(LayerStream::open_growing(
            blob, news.read, request.compression, request.limits.max_layer_bytes));
        return encode(KNARR_TRY(write_tar(*stream, job.data_)));
    };
    job.worker_ =
        KNARR_TRY(sys::Worker::start({.root = &root,
                                      .keep = {&blob, &job.data_, &job.staged_.lock(), &news.read},
                                      .calls = sys::WorkerCalls::bytes,
                                      .max_memory_bytes = kWorkerMemory},
                                     work),
                  "{}",
                  job.label_);
    job.news_ = std::move(news.write);
    job.reader_ = std::move(news.read);
    return job;
}

void InflateJob::grew() const {
    if (news_.valid()) {
        // A full pipe says it as well.
        (void)sys::write_some(news_, "+");
    }
}

Result<Inflated> InflateJob::finish() {
    news_.reset();
    const std::string text = KNARR_TRY(worker_.finish(), "{}", label_);
    WrittenTar tar = KNARR_TRY(decode_written_tar(text), "{}", label_);
    return Inflated{.staged = std::move(staged_), .data = std::move(data_), .tar = std::move(tar)};
}

}  // namespace knarr::layer
