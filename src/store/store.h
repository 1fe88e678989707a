#pragma once
// store: the bytes of images on disk, found by digest. Knows nothing of registries or mounts.
//
//   blob     bytes named by their sha256: manifests, configs, compressed layers. Written once.
//   ref      a reference ("docker.io/library/busybox:1") -> the descriptor of its manifest or index
//   layer    an unpacked layer directory, named by its OCI chain ID (made by the layer room)
//   staged   not yet visible: held under a file lock by its writer, so that what a killed process
//            left is known to be nobody's, and is removed by the next writer
//   part     the beginning of a blob that broke off, kept for the next pull to go on from, until a
//            collection
//
//   store.h         all of these, from open() on; the files behind it: blob.cpp, ref.cpp,
//                   collect.cpp (garbage), check.cpp (damage), lease.cpp, store.cpp
//   lease.h         what a process is about to use, kept from collectors
//   sha256.h        the digest of bytes
//   disk_trouble.h  a full, read-only or broken disk, in words
//
// In: bytes with the digest that names them. Out: descriptors of verified files. Directory:
//   DATA_ROOT/blobs/sha256/ab/<64 hex>  ingest/  refs/<sha256 of the reference>.json
//             layers/<64 hex>/  layers/.tmp-*  leases/  quarantine/  lock  staging.lock
// Who adds to the store (pull, load, tag, run) holds a lease on what it will need, so nothing is
// collected between the arrival of a blob and the reference that keeps it: lease.h. `lock` is held
// for moments only, so that a collector waits for no pull and no pull for a collector's removals.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "platform/file.h"
#include "spec/image.h"
#include "store/lease.h"
#include "store/sha256.h"

namespace knarr::store {

/// Held shared while a lease is written, exclusively while something is judged to be garbage.
inline constexpr std::string_view kStoreLock = "lock";

/// A name for a manifest or an index.
struct Ref {
    std::string reference;  // canonical, "docker.io/library/busybox:1"
    std::string media_type;
    spec::Digest digest;
    std::uint64_t size = 0;   // of the manifest or index
    std::string pulled_time;  // RFC 3339
};

/// A place that only we, and root, are to decide about.
struct OwnPlace {
    std::string_view what;    // "data root"
    std::string_view option;  // what names another one: "--data-root DIR"
    const std::string& path;  // absolute
};
/// Errors: denied when others have a hand in what is on the way to it (sys::hands_of_others): they
/// may lead us to a place of theirs.
Result<> check_way(const OwnPlace& place);
/// The same of a data root.
Result<> check_way(const std::string& data_root);
/// Opens the place, made where it is not there: mode 0700, those above it 0755. Errors: as
/// check_way(), also where a stranger made a part of the way meanwhile.
Result<sys::Fd> open_own_place(const OwnPlace& place);

class Store;

/// Whether a name in ingest/ is that of a part.
bool is_part_name(std::string_view name);

/// Whether what comes of a blob before it breaks off is kept for the next writer, and what an
/// earlier one kept is taken.
enum class Parts : std::uint8_t { drop, keep };

/// A part that is smaller is not worth the question for the rest.
inline constexpr std::uint64_t kMinPartBytes = std::uint64_t{1} << 20;

/// One blob on its way in. Hashes while it is written; the destructor removes what was not
/// committed, or keeps it as a part.
class BlobWriter {
public:
    BlobWriter(BlobWriter&& other) noexcept;
    BlobWriter& operator=(BlobWriter&&) = delete;
    BlobWriter(const BlobWriter&) = delete;
    BlobWriter& operator=(const BlobWriter&) = delete;
    ~BlobWriter();

    /// Errors: digest_mismatch when more comes than the descriptor says; no_space, io.
    Result<> write(std::string_view bytes);
    std::uint64_t written() const { return written_; }
    /// So much of it was there from an earlier writer.
    std::uint64_t resumed() const { return resumed_; }
    /// Makes the blob visible: fsync, rename, fsync of the directory.
    /// Errors: digest_mismatch when size or digest are not the announced ones.
    Result<> commit();
    /// True when the blob was there from the start: writes are dropped, commit() does nothing.
    bool exists() const { return exists_; }
    /// What was written so far, from its beginning; not when exists().
    Result<sys::Fd> open_for_reading() const;

private:
    friend class Store;
    BlobWriter(spec::Digest digest, std::uint64_t size) : digest_(std::move(digest)), size_(size) {}

    spec::Digest digest_;
    std::uint64_t size_ = 0, written_ = 0, flushed_ = 0, resumed_ = 0;
    bool exists_ = false;
    bool keep_part_ = false;  // of what is written; never of what is known to be wrong
    sys::Fd blobs_, ingest_, file_;
    std::string name_;  // in ingest/; empty when nothing is to be removed
    Sha256 sum_;
};

/// What collect() removed.
struct Collected {
    std::uint64_t blobs = 0, layers = 0, quarantined = 0;
    std::uint64_t bytes = 0;  // of blobs, quarantined ones and parts included
};

/// What an image needs.
struct Reach {
    std::set<spec::Digest> blobs = {};   // all that it names, also variants that were never pulled
    std::set<spec::Digest> needed = {};  // those without which it is not whole
    std::set<spec::Digest> layers = {};  // chain IDs
    /// Of `blobs`, those that were read for what is below them. One image's layer may be another's
    /// manifest, so being kept is not the same.
    std::set<spec::Digest> documents = {};
};

/// One blob, read again.
struct BlobCheck {
    std::uint64_t bytes = 0;
    spec::Digest found;  // what its bytes hash to
};

class Store {
public:
    /// Opens the store, making it (0700) when it is not there. What killed processes left staged
    /// is removed.
    /// Errors: denied when the directory is not ours or open to others.
    static Result<Store> open(const std::string& root);

    const std::string& root() const { return root_; }

    // --- blobs ---
    Result<bool> has(const spec::Digest& digest) const;
    /// Errors: image_not_found.
    Result<sys::Fd> open_blob(const spec::Digest& digest) const;
    Result<std::uint64_t> blob_size(const spec::Digest& digest) const;
    /// A whole manifest or config, verified again.
    /// Errors: image_not_found; limit_exceeded past `max`; corrupt when the disk changed it.
    Result<std::string> read_blob(const spec::Digest& digest, std::size_t max) const;
    /// Starts to write the blob of a descriptor.
    Result<BlobWriter> write_blob(const spec::Digest& digest,
                                  std::uint64_t size,
                                  Parts parts = Parts::drop) const;
    /// write_blob, write and commit of bytes at hand; their digest. A damaged blob in their place
    /// is quarantined.
    Result<spec::Digest> put_blob(std::string_view bytes) const;
    Result<> remove_blob(const spec::Digest& digest) const;
    /// Sorted.
    Result<std::vector<spec::Digest>> list_blobs() const;
    /// Reads every byte of a blob. Errors: image_not_found; io when the disk does not give them.
    Result<BlobCheck> check_blob(const spec::Digest& digest) const;
    /// Checks a blob and, when it is damaged or cannot be read, moves it out of the way into
    /// quarantine/, so that the next pull fetches it anew. Whether it was damaged.
    Result<bool> quarantine_if_damaged(const spec::Digest& digest) const;
    /// Names in quarantine/ with their sizes.
    Result<std::vector<std::pair<std::string, std::uint64_t>>> list_quarantine() const;

    // --- references ---
    Result<> put_ref(const Ref& ref) const;
    Result<std::optional<Ref>> get_ref(std::string_view reference) const;
    /// Sorted by reference. Errors: corrupt naming the file.
    Result<std::vector<Ref>> list_refs() const;
    /// Whether it was there.
    Result<bool> remove_ref(std::string_view reference) const;

    // --- layer directories; the layer room fills them ---
    const sys::Fd& layers_dir() const { return layers_; }
    std::string layer_path(const spec::Digest& chain_id) const;  // DATA_ROOT/layers/<hex>
    Result<bool> has_layer(const spec::Digest& chain_id) const;
    Result<std::vector<spec::Digest>> list_layers() const;

    // --- leases, locks and space ---
    Result<Lease> lease() const;
    /// For who only reads: on a read-only file system, where nothing is removed, one that protects
    /// nothing.
    Result<Lease> lease_to_read() const;
    /// Held for the moment in which something staged is made and locked.
    Result<sys::FileLock> lock_staging() const;

    /// What a reference reaches, as far as the store knows. An entry of an index that is stored and
    /// is no document is kept as it is. Errors: corrupt; invalid_image, limit_exceeded of the
    /// reference's own manifest or index.
    Result<Reach> reach(const Ref& ref) const;

    /// Removes blobs and layers that neither a reference nor a lease reaches, but no layer of
    /// `layers_in_use` (chain IDs of existing containers), and what is quarantined. A document that
    /// the disk damaged stops the collection: what is below it cannot be told from garbage. One
    /// that is sound but cannot be decoded reaches nothing, and stops nothing: it came from
    /// outside.
    Result<Collected> collect(const std::set<spec::Digest>& layers_in_use) const;

private:
    /// A layer that nobody finds any more; its tree is still to be removed.
    struct Doomed {
        std::string name;  // in layers/
        std::optional<sys::FileLock> lock;
    };
    Result<std::set<spec::Digest>> leased() const;
    Result<std::optional<Doomed>> doom_layer(const spec::Digest& chain_id) const;
    Result<> clean_staged() const;
    static Result<Store> make(const std::string& root);
    Result<Lease> make_lease() const;
    Result<> make_staged(BlobWriter& writer, Parts parts) const;
    Result<> take_part(BlobWriter& writer) const;  // with the staging lock held
    Result<> read_part(BlobWriter& writer) const;
    Result<> remove_parts(Collected& out) const;
    Result<> remove_unwritten_refs() const;  // with kStoreLock held exclusively
    Result<> mark(const spec::Digest& top, Reach& reach) const;
    Result<> mark_document(const spec::Digest& digest,
                           Reach& reach,
                           std::vector<spec::Digest>& below) const;

    std::string root_;
    sys::Fd dir_, blobs_, ingest_, refs_, layers_, leases_, quarantine_;
};

/// The OCI chain IDs of an image's layers, lowest first.
/// Source: image-spec config.md "Layer ChainID".
std::vector<spec::Digest> chain_ids(const std::vector<spec::Digest>& diff_ids);

}  // namespace knarr::store
