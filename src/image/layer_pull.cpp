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
/// Decompressing takes a whole processor, what feeds it about half of one.
constexpr std::size_t kMaxAhead = 2;

/// One distinct blob on its way into the store.
struct Download {
    const spec::Descriptor* blob = nullptr;
    std::optional<store::BlobWriter> writer = {};
    std::unique_ptr<ByteStream> stream = {};
};

/// A layer whose tar is made ahead of its turn, also while its blob comes in.
struct Ahead {
    std::size_t layer = 0;
    layer::InflateJob job;
    bool ready = false;
};

class LayerPuller {
public:
    explicit LayerPuller(const LayerPull& pull)
        : pull_(pull), buffer_(kBufferBytes), roots_(pull.store) {}

    Result<> run() {
        KNARR_TRY(look_around());
        if (pull_.chain.empty()) {
            return store_blobs();
        }
        KNARR_TRY(choose_driver());
        while (unpacked_ < pull_.layers.size()) {
            bool moved = KNARR_TRY(advance_downloads());
            KNARR_TRY(start_ahead());
            moved |= KNARR_TRY(advance_unpack());
            // Looks even when there is more to do: a wish to stop must not wait for a slow moment.
            KNARR_TRY(wait(moved ? Patience::just_look : Patience::wait));
        }
        return {};
    }

private:
    Result<> store_blobs() {
        while (next_ < wanted_.size() || !downloads_.empty()) {
            const bool moved = KNARR_TRY(advance_downloads());
            KNARR_TRY(wait(moved ? Patience::just_look : Patience::wait));
        }
        return {};
    }

    /// Whether anything moved.
    Result<bool> advance_downloads() {
        KNARR_TRY(start_downloads());
        bool moved = false;
        for (Download& download : downloads_) {
            moved |= KNARR_TRY(advance(download), "layer {}", download.blob->digest.text());
        }
        std::erase_if(downloads_, [](const Download& download) { return !download.stream; });
        return moved;
    }

    void tell(PullPhase phase, const spec::Descriptor& blob, std::uint64_t done) const {
        if (pull_.progress) {
            pull_.progress(
                {.phase = phase, .layer = blob.digest.text(), .done = done, .total = blob.size});
        }
    }

    /// Which blobs are wanted, in order: those whose layer is not unpacked yet. An unpacked layer
    /// still wants its blob, so that the image can be pushed and verified.
    Result<> look_around() {
        if (pull_.chain.empty()) {
            KNARR_TRY(check_modules(pull_.layers, pull_.limits));
        }
        for (const spec::Descriptor& blob : pull_.layers) {
            if (!pull_.chain.empty()) {
                KNARR_TRY(spec::layer_compression(blob.media_type), "layer {}", blob.digest.text());
            }
            if (KNARR_TRY(is_stored(blob))) {
                tell(PullPhase::present, blob, blob.size);
                stored_.insert(blob.digest);
                present_.insert(blob.digest);
            } else if (std::ranges::find(wanted_, blob.digest, [](const spec::Descriptor* other) {
                           return other->digest;
                       }) == wanted_.end()) {
                wanted_.push_back(&blob);
                tell(PullPhase::downloading, blob, 0);  // so that the sum of all is known
            }
        }
        return {};
    }

    /// Damage of a tar shows when it is unpacked; a module is looked at here.
    Result<bool> is_stored(const spec::Descriptor& blob) const {
        return KNARR_TRY(pull_.store.has(blob.digest)) &&
               (!pull_.chain.empty() || !KNARR_TRY(pull_.store.quarantine_if_damaged(blob.digest)));
    }

    /// Asked for only when something is to be unpacked: it costs a trial.
    Result<> choose_driver() {
        const std::string& name = pull_.options.snapshot_driver;
        const auto wanted = layer::parse_driver(name);
        if (!name.empty() && !wanted) {
            return fail(Errc::invalid_argument,
                        "snapshot driver \"{}\" is none of erofs, dir",
                        printable(name));
        }
        for (const spec::Digest& chain_id : pull_.chain) {
            if (!KNARR_TRY(pull_.store.has_layer(chain_id))) {
                driver_ = KNARR_TRY(layer::choose_driver(pull_.store, wanted));
                break;
            }
        }
        return {};
    }

    layer::UnpackRequest request_of(std::size_t layer) const {
        const spec::Descriptor& blob = pull_.layers[layer];
        const auto end = pull_.chain.begin() + static_cast<std::ptrdiff_t>(layer) + 1;
        return {.blob = blob.digest,
                .diff_id = pull_.diff_ids[layer],
                .compression = spec::layer_compression(blob.media_type)
                                   .value_or(spec::Compression::none),  // look_around() asked
                .chain = std::vector<spec::Digest>(pull_.chain.begin(), end),
                .limits = pull_.limits,
                .driver = driver_};
    }

    /// Decompresses layers ahead of their turn, from the lowest up.
    Result<> start_ahead() {
        if (driver_ != layer::Driver::erofs) {
            return {};
        }
        while (next_ahead_ < pull_.layers.size() && running_ahead() < kMaxAhead) {
            const std::size_t layer = next_ahead_;
            const spec::Digest& blob = pull_.layers[layer].digest;
            const bool waits_for_it =
                layer == unpacked_ && stored_.contains(blob) && running_ahead() == 0;
            if (waits_for_it || KNARR_TRY(pull_.store.has_layer(pull_.chain[layer]))) {
                ++next_ahead_;  // the unpacking itself decompresses it
                continue;
            }
            const auto download = std::ranges::find(
                downloads_, blob, [](const Download& one) { return one.blob->digest; });
            sys::Fd file;
            const bool whole = stored_.contains(blob);
            if (whole) {
                file = KNARR_TRY(pull_.store.open_blob(blob));
            } else if (download != downloads_.end() && !download->writer->exists()) {
                file = KNARR_TRY(download->writer->open_for_reading());
            } else {
                break;  // its download has not begun
            }
            auto job = KNARR_TRY(layer::InflateJob::start(pull_.store, request_of(layer), file));
            if (whole) {
                job.whole();
            } else {
                job.grew();  // by what came before this pull
            }
            ahead_.push_back({.layer = layer, .job = std::move(job)});
            ++next_ahead_;
        }
        return {};
    }

    std::size_t running_ahead() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(ahead_, [](const Ahead& one) { return !one.ready; }));
    }

    void tell_ahead(const spec::Digest& blob, bool whole) {
        for (Ahead& one : ahead_) {
            if (pull_.layers[one.layer].digest == blob) {
                if (whole) {
                    one.job.whole();
                } else {
                    one.job.grew();
                }
            }
        }
    }

    Result<> start_downloads() {
        Source& source = pull_.source;
        while (next_ < wanted_.size() && downloads_.size() < source.parallel()) {
            const spec::Descriptor& blob = *wanted_[next_++];
            auto writer = KNARR_TRY(pull_.store.write_blob(
                blob.digest,
                blob.size,
                source.can_resume() ? store::Parts::keep : store::Parts::drop));
            const std::uint64_t there = writer.resumed();
            if (there != 0) {
                tell_of_part(blob, there);
            }
            if (there == blob.size && there != 0) {
                KNARR_TRY(writer.commit());  // it broke off in its very last moment
                stored_.insert(blob.digest);
                continue;
            }
            auto stream =
                KNARR_TRY(there != 0 ? source.open_rest(blob, there) : source.open_blob(blob),
                          "layer {}",
                          blob.digest.text());
            tell(PullPhase::downloading, blob, there);
            downloads_.push_back(
                {.blob = &blob, .writer = std::move(writer), .stream = std::move(stream)});
        }
        return {};
    }

    void tell_of_part(const spec::Descriptor& blob, std::uint64_t there) const {
        if (pull_.progress) {
            pull_.progress({.phase = PullPhase::waiting,
                            .text = fmt::format("layer {} goes on after {} of {} that an earlier "
                                                "pull got",
                                                blob.digest.hex().substr(0, 12),
                                                human_size(there),
                                                human_size(blob.size))});
        }
    }

    /// One buffer of one blob, so that all get their turn. Whether anything moved.
    Result<bool> advance(Download& download) {
        const Chunk chunk = KNARR_TRY(download.stream->read(buffer_));
        if (chunk.bytes > 0) {
            KNARR_TRY(download.writer->write({buffer_.data(), chunk.bytes}));
            tell(PullPhase::downloading, *download.blob, download.writer->written());
            tell_ahead(download.blob->digest, false);
        }
        if (chunk.at_end) {
            KNARR_TRY(fault_point("pull.blob"));
            KNARR_TRY(download.writer->commit());
            download.stream.reset();
            download.writer.reset();
            stored_.insert(download.blob->digest);
            tell_ahead(download.blob->digest, true);
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
        std::unique_ptr<layer::Inflated> inflated;
        const auto ahead = std::ranges::find(ahead_, unpacked_, &Ahead::layer);
        if (ahead != ahead_.end()) {
            if (!ahead->ready) {
                return false;
            }
            auto done = ahead->job.finish();
            ahead_.erase(ahead);
            if (!done) {
                KNARR_TRY(fetch_again(blob, done.error()));
                return true;
            }
            inflated = std::make_unique<layer::Inflated>(*std::move(done));
        }
        next_ahead_ = std::max(next_ahead_, unpacked_ + 1);
        tell(PullPhase::unpacking, blob, 0);
        unpack_.emplace(KNARR_TRY(
            layer::Unpack::start(pull_.store, request_of(unpacked_), roots_, std::move(inflated))));
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
        std::vector<AlsoReady> workers{
            {.fd = unpack_ && !unpack_->done() ? unpack_->ready_fd().get() : -1}};
        for (const Ahead& one : ahead_) {
            workers.push_back({.fd = one.ready ? -1 : one.job.ready_fd().get()});
        }
        KNARR_TRY(wait_for_news(pull_.source, streams, pull_.options, patience, workers));
        unpack_ready_ = workers.front().is_ready;
        std::size_t at = 1;
        for (Ahead& one : ahead_) {
            one.ready = one.ready || workers[at++].is_ready;
        }
        return {};
    }

    const LayerPull& pull_;
    std::vector<char> buffer_;
    std::vector<const spec::Descriptor*> wanted_;
    std::size_t next_ = 0;  // in wanted_
    std::list<Download> downloads_;
    std::set<spec::Digest> stored_, present_;  // present: from the start
    std::size_t unpacked_ = 0;                 // layers that are ready, from the lowest
    layer::Driver driver_ = layer::Driver::dir;
    layer::LayerRoots roots_;
    std::list<Ahead> ahead_;
    std::size_t next_ahead_ = 0;  // layers before it need no job of their own any more
    std::optional<layer::Unpack> unpack_;
    bool unpack_ready_ = false;
};

}  // namespace

Result<> check_modules(const std::vector<spec::Descriptor>& modules, const Limits& limits) {
    std::set<spec::Digest> seen;
    std::uint64_t sum = 0;
    for (const spec::Descriptor& blob : modules) {
        if (blob.size > limits.max_layer_bytes) {
            return fail(Errc::limit_exceeded,
                        "layer {}: a module of {} bytes is above {}, the most that the policy {} "
                        "allows",
                        blob.digest.text(),
                        blob.size,
                        limits.max_layer_bytes,
                        limits.policy);
        }
        sum += seen.insert(blob.digest).second ? blob.size : 0;
        if (sum > limits.max_rootfs_bytes) {
            return fail(Errc::limit_exceeded,
                        "the modules together are above {} bytes, the most that the policy {} "
                        "allows for an image",
                        limits.max_rootfs_bytes,
                        limits.policy);
        }
    }
    return {};
}

Result<> pull_layers(const LayerPull& pull) {
    return LayerPuller(pull).run();
}

}  // namespace knarr::image
