#pragma once
// Where an image's bytes come from: a registry, an OCI layout, an archive. All look the same.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "knarr/image.h"
#include "knarr/result.h"
#include "spec/image.h"

namespace knarr::image {

/// What one read gave. No bytes and no end: nothing has come yet.
struct Chunk {
    std::size_t bytes = 0;
    bool at_end = false;  ///< everything was read, and the sender says that it was whole
};

/// One manifest or blob on its way. Never blocks. Its bytes are not to be believed before their
/// digest was checked.
class ByteStream {
public:
    virtual ~ByteStream() = default;
    /// To poll for reading; -1 when only Source::pump can bring news.
    virtual int poll_fd() const = 0;
    /// Errors: why the bytes will not come, or not all.
    virtual Result<Chunk> read(std::span<char> buffer) = 0;
    /// What the sender says a manifest is; empty when it does not say.
    virtual std::string media_type() const { return {}; }
    /// Of a list: how to ask for what follows; empty: nothing does.
    virtual std::string next_page() const { return {}; }
};

/// One image at one place. Streams must not outlive their source.
class Source {
public:
    virtual ~Source() = default;

    /// The manifest or index that the reference means.
    virtual Result<std::unique_ptr<ByteStream>> open_top() = 0;
    /// An entry of an index.
    virtual Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor& entry) = 0;
    virtual Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor& blob) = 0;
    /// Whether a blob is worth going on with where it broke off; then open_rest() gives what
    /// follows its first `offset` bytes.
    virtual bool can_resume() const { return false; }
    virtual Result<std::unique_ptr<ByteStream>> open_rest(const spec::Descriptor& blob,
                                                          std::uint64_t offset);

    /// What open_top() must hash to, where the reference or the index of a layout says it.
    virtual std::optional<spec::Digest> top_digest() const = 0;
    /// The name under which the image is stored, "docker.io/library/x:latest"; empty when it has
    /// none but its digest.
    virtual std::string stored_name() const = 0;
    /// How many blobs are worth fetching at once.
    virtual std::size_t parallel() const { return 1; }

    /// To poll for reading besides the streams; -1: none.
    virtual int poll_fd() const { return -1; }
    /// Takes the news in; call when poll_fd() is ready. Errors: what ends the whole source.
    virtual Result<> pump() { return {}; }
    /// When pump() is to be called at the latest, for it ends then.
    virtual Clock::Steady end() const { return Clock::Steady::max(); }
};

/// Whether the source's image may be kept as `name` (empty: by its digest). A name with a digest is
/// for the image with that digest only: whoever gives it, relies on it.
/// Errors: digest_mismatch; invalid_argument for what is no name.
Result<> check_name(const Source& source, const std::string& name);

/// Whether there is something else to do meanwhile.
enum class Patience : std::uint8_t { wait, just_look };

/// A further descriptor to wait for; -1: none.
struct AlsoReady {
    int fd = -1;
    bool is_ready = false;
};

/// Waits until a stream, the source or one of `also` has news, says which of those, and pumps the
/// source. Streams may be null.
/// Errors: interrupted when the options' caller asks to stop; those of Source::pump.
Result<> wait_for_news(Source& source,
                       std::span<ByteStream* const> streams,
                       const PullOptions& options,
                       Patience patience = Patience::wait,
                       std::span<AlsoReady> also = {});

/// Reads a stream to its end. Errors: limit_exceeded past `max` bytes.
Result<std::string> read_whole(Source& source,
                               ByteStream& stream,
                               std::size_t max,
                               const PullOptions& options);

}  // namespace knarr::image
