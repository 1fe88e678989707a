#include "layer/jailed_inflate.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/socket.h"
#include "platform/worker.h"

namespace knarr::layer {

namespace {

constexpr std::uint64_t kWorkerMemory = 256 * size::kMiB;  // zstd's window

/// What the worker does.
Result<std::string> inflate(const sys::Fd& input, const sys::Fd* output, std::uint64_t max_bytes) {
    auto stream =
        KNARR_TRY(LayerStream::open(input, spec::Compression::none, max_bytes, Proof::checksum));
    if (output != nullptr) {
        return encode(KNARR_TRY(write_tar(*stream, *output)));
    }
    std::uint64_t bytes = 0;
    while (true) {
        const std::string_view piece = KNARR_TRY(stream->next());
        if (piece.empty()) {
            break;
        }
        bytes += piece.size();
    }
    return encode(WrittenTar{.bytes = bytes, .diff_id = KNARR_TRY(stream->finish())});
}

}  // namespace

Result<WrittenTar> inflate_in_jail(const sys::Fd& input,
                                   const sys::Fd* output,
                                   std::uint64_t max_bytes,
                                   Clock::Steady end) {
    // Another open file, so that the position is the worker's own.
    const sys::Fd file = KNARR_TRY(sys::open_path(sys::fd_path(input), O_RDONLY));
    const sys::Fd root = KNARR_TRY(sys::make_filesystem(
        "tmpfs", "knarr", {}, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC));  // empty
    sys::WorkerJail jail{.root = &root,
                         .keep = {&file},
                         .calls = sys::WorkerCalls::bytes,
                         .max_memory_bytes = kWorkerMemory};
    if (output != nullptr) {
        jail.keep.push_back(output);
    }
    sys::Worker worker =
        KNARR_TRY(sys::Worker::start(jail, [&] { return inflate(file, output, max_bytes); }));
    if (!KNARR_TRY(sys::wait_readable(worker.result_fd(), end))) {
        return fail(Errc::timed_out, "the time for decompressing is over");
    }
    return decode_written_tar(KNARR_TRY(worker.finish()));
}

}  // namespace knarr::layer
