#include "image/layer_pull.h"

#include <algorithm>
#include <list>
#include <memory>
#include <optional>
#include <set>

#include "core/core.h"
#include "core/fault.h"
#include "layer/layer.h"

namespace knarr::image {
namespace {

constexpr std::size_t kBufferBytes = 256 * size::kKiB;

/// One distinct blob on its way into the store.
struct Download {
    const spec::Descriptor* blob = nullptr;
    std::optional<store::BlobWriter> writer = {};
    std::unique_ptr<ByteStream> stream = {};
};

class LayerPuller {
public:
    explicit LayerPuller(const LayerPull& pull) : pull_(pull), buffer_(kBufferBytes) {}

    Result<> run() {
        KNARR_TRY(look_around());
        while (unpacked_ < pull_.layers.size()) {
            KNARR_TRY(start_downloads());
            bool moved = false;
            for (Download& download : downloads_) {
                moved |= KNARR_TRY(advance(download), "layer {}", download.blob->digest.text());
            }
            std::erase_if(downloads_, [](const Download& download) { return !download.stream; });
            moved |= KNARR_TRY(advance_unpack());
            // Looks even when there is more to do: a wish to stop must not wait for a slow moment.
            KNARR_TRY(wait(moved ? Patience::just_look : Patience::wait));
        }
        return {};
    }

private:
    void tell(PullPhase phase, const spec::Descriptor& blob, std::uint64_t done) const {
        if (pull_.progress) {
            pull_.progress(
                {.phase = phase, .layer = blob.digest.text(), .done = done, .total = blob.size});
        }
    }

    /// Which blobs are wanted, in order: those whose layer is not unpacked yet. An unpacked layer
    /// still wants its blob, so that the image can be pushed and verified.
    Result<> look_around() {
        for (const spec::Descriptor& blob : pull_.layers) {
            KNARR_TRY(spec::layer_compression(blob.media_type), "layer {}", blob.digest.text());
            if (KNARR_TRY(pull_.store.has(blob.digest))) {
                tell(PullPhase::present, blob, blob.size);
                stored_.insert(blob.digest);
                present_.insert(blob.digest);
            } else if (std::ranges::find(wanted_, blob.digest, [](const spec::Descriptor* other) {
                           return other->digest;
                       }) == wanted_.end()) {
                wanted_.push_back(&blob);
            }
        }
        return {};
    }

    Result<> start_downloads() {
        while (next_ < wanted_.size() && downloads_.size() < pull_.source.parallel()) {
            const spec::Descriptor& blob = *wanted_[next_];
            auto writer = KNARR_TRY(pull_.store.write_blob(blob.digest, blob.size));
            auto stream = KNARR_TRY(pull_.source.open_blob(blob), "layer {}", blob.digest.text());
            downloads_.push_back(
                {.blob = &blob, .writer = std::move(writer), .stream = std::move(stream)});
            tell(PullPhase::downloading, blob, 0);
            ++next_;
        }
        return {};
    }

    /// One buffer of one blob, so that all get their turn. Whether anything moved.
    Result<bool> advance(Download& download) {
        const Chunk chunk = KNARR_TRY(download.stream->read(buffer_));
        if (chunk.bytes > 0) {
            KNARR_TRY(download.writer->write({buffer_.data(), chunk.bytes}));
            tell(PullPhase::downloading, *download.blob, download.writer->written());
        }
        if (chunk.at_end) {
            KNARR_TRY(fault_point("pull.blob"));
            KNARR_TRY(download.writer->commit());
            download.stream.reset();
            download.writer.reset();
            stored_.insert(download.blob->digest);
        }
        return chunk.bytes > 0 || chunk.at_end;
    }

    /// Starts the lowest layer that is not unpacked once its blob is stored, or ends the running
    /// one. Layers are unpacked one after the other: each looks at those below.
    Result<bool> advance_unpack() {
        if (unpack_) {
            if (!unpack_ready_ && !unpack_->done()) {
                return false;
            }
            const spec::Descriptor& blob = pull_.layers[unpacked_];
            const auto unpacked = unpack_->finish();  // its errors name the layer
            unpack_.reset();
            unpack_ready_ = false;
            if (!unpacked) {
                KNARR_TRY(fetch_again(blob, unpacked.error()));
                return true;
            }
            tell(PullPhase::unpacking, blob, blob.size);
            ++unpacked_;
            return true;
        }
        if (unpacked_ == pull_.layers.size() || !stored_.contains(pull_.layers[unpacked_].digest)) {
            return false;
        }
        const spec::Descriptor& blob = pull_.layers[unpacked_];
        tell(PullPhase::unpacking, blob, 0);
        const auto end = pull_.chain.begin() + static_cast<std::ptrdiff_t>(unpacked_) + 1;
        const auto compression = KNARR_TRY(spec::layer_compression(blob.media_type));
        unpack_.emplace(KNARR_TRY(
            layer::Unpack::start(pull_.store,
                                 {.blob = blob.digest,
                                  .diff_id = pull_.diff_ids[unpacked_],
                                  .compression = compression,
                                  .chain = std::vector<spec::Digest>(pull_.chain.begin(), end),
                                  .limits = pull_.limits})));
        return true;
    }

    /// A layer that cannot be unpacked although its blob was stored before may be damaged on the
    /// disk: then it is put aside and fetched. Else the error stands.
    Result<> fetch_again(const spec::Descriptor& blob, Error error) {
        if (!present_.erase(blob.digest) ||
            !KNARR_TRY(pull_.store.quarantine_if_damaged(blob.digest))) {
            return fail(std::move(error));
        }
        if (pull_.progress) {
            pull_.progress({.phase = PullPhase::waiting,
                            .text = fmt::format("the stored layer {} is damaged: it is put aside "
                                                "and fetched again",
                                                blob.digest.text())});
        }
        stored_.erase(blob.digest);
        wanted_.push_back(&blob);
        return {};
    }

    Result<> wait(Patience patience) {
        std::vector<ByteStream*> streams;
        for (const Download& download : downloads_) {
            streams.push_back(download.stream.get());
        }
        const int worker = unpack_ && !unpack_->done() ? unpack_->ready_fd().get() : -1;
        unpack_ready_ =
            KNARR_TRY(wait_for_news(pull_.source, streams, pull_.options, patience, worker));
        return {};
    }

    const LayerPull& pull_;
    std::vector<char> buffer_;
    std::vector<const spec::Descriptor*> wanted_;
    std::size_t next_ = 0;  // in wanted_
    std::list<Download> downloads_;
    std::set<spec::Digest> stored_, present_;  // present: from the start
    std::size_t unpacked_ = 0;                 // layers that are ready, from the lowest
    std::optional<layer::Unpack> unpack_;
    bool unpack_ready_ = false;
};

}  // namespace

Result<> pull_layers(const LayerPull& pull) {
    return LayerPuller(pull).run();
}

}  // namespace knarr::image
