// What references and leases reach, and the removal of everything else.
#include <algorithm>

#include <fcntl.h>

#include "core/fault.h"
#include "core/limits.h"
#include "spec/wasm.h"
#include "store/store.h"

namespace knarr::store {

namespace {

/// Whether bytes are sound and yet no document: whoever lists them as one gains nothing below them.
/// Damage and failures of the disk are no such case: what is below may be needed.
bool is_no_document(const Error& error) {
    return error.code == Errc::invalid_image || error.code == Errc::limit_exceeded;
}

}  // namespace

Result<> Store::mark_document(const spec::Digest& digest,
                              Reach& reach,
                              std::vector<spec::Digest>& below) const {
    const std::string json = KNARR_TRY(read_blob(digest, limits::kMaxManifestBytes));
    // By its own word: another image may list the same document as something else.
    const auto decoded = KNARR_TRY(spec::decode_manifest_or_index(json, {}), "{}", digest.text());
    if (decoded.index) {
        bool one_stored = false;
        for (const spec::Descriptor& child : decoded.index->manifests) {
            one_stored |= KNARR_TRY(has(child.digest));
            below.push_back(child.digest);
        }
        for (const spec::Descriptor& child : decoded.index->manifests) {
            if (!one_stored) {
                reach.needed.insert(child.digest);
            }
        }
        return {};
    }
    const spec::Descriptor& config = decoded.manifest->config;
    for (const spec::Descriptor& layer : decoded.manifest->layers) {
        reach.blobs.insert(layer.digest);
        reach.needed.insert(layer.digest);
    }
    reach.blobs.insert(config.digest);
    reach.needed.insert(config.digest);
    if (spec::is_image_config(config.media_type) && KNARR_TRY(has(config.digest))) {
        const std::string text = KNARR_TRY(read_blob(config.digest, limits::kMaxImageConfigBytes));
        const auto image =
            KNARR_TRY(spec::decode_config_of(*decoded.manifest, text), "{}", config.digest.text());
        for (spec::Digest& id : chain_ids(image.diff_ids)) {
            reach.layers.insert(std::move(id));
        }
    }
    return {};
}

Result<> Store::mark(const spec::Digest& top, Reach& reach) const {
    // A list, not a recursion: the depth is the images' choice. Digests make no circles.
    std::vector<spec::Digest> left{top};
    while (!left.empty()) {
        const spec::Digest digest = std::move(left.back());
        left.pop_back();
        reach.blobs.insert(digest);
        // Not stored: a platform of an index that was never pulled.
        if (reach.documents.contains(digest) || !KNARR_TRY(has(digest))) {
            continue;
        }
        reach.documents.insert(digest);
        auto marked = mark_document(digest, reach, left);
        if (!marked && (digest == top || !is_no_document(marked.error()))) {
            return marked;
        }
    }
    return {};
}

Result<Reach> Store::reach(const Ref& ref) const {
    Reach reach;
    reach.needed.insert(ref.digest);
    KNARR_TRY(mark(ref.digest, reach), "{}", ref.reference);
    return reach;
}

/// What a killed put_ref() has written of a reference.
Result<> Store::remove_unwritten_refs() const {
    for (const std::string& name : KNARR_TRY(sys::list_dir(refs_))) {
        if (name.ends_with(".tmp")) {
            KNARR_TRY(sys::unlink_at(refs_, name));
        }
    }
    return {};
}

Result<Collected> Store::collect(const std::set<spec::Digest>& layers_in_use) const {
    std::vector<Doomed> doomed;
    Collected out;
    {
        // Nobody takes a lease from here on; who has one is seen. Leases first: see lease.h.
        const sys::FileLock lock = KNARR_TRY(
            sys::FileLock::acquire(dir_, std::string(kStoreLock), sys::FileLock::Kind::exclusive));
        KNARR_TRY(remove_unwritten_refs(), "collect");
        const std::set<spec::Digest> held = KNARR_TRY(leased(), "collect");
        Reach kept{.layers = layers_in_use};
        for (const Ref& ref : KNARR_TRY(list_refs(), "collect")) {
            auto marked = mark(ref.digest, kept);
            if (!marked && !is_no_document(marked.error())) {
                KNARR_TRY(std::move(marked), "collect {}", ref.reference);
            }
        }
        for (const spec::Digest& chain_id : KNARR_TRY(list_layers(), "collect")) {
            if (!kept.layers.contains(chain_id) && !held.contains(chain_id)) {
                if (auto layer = KNARR_TRY(doom_layer(chain_id), "collect")) {
                    doomed.push_back(*std::move(layer));
                    ++out.layers;
                }
            }
        }
        KNARR_TRY(fault_point("store.collect"));
        for (const spec::Digest& digest : KNARR_TRY(list_blobs(), "collect")) {
            if (!kept.blobs.contains(digest) && !held.contains(digest)) {
                out.bytes += KNARR_TRY(blob_size(digest), "collect");
                KNARR_TRY(remove_blob(digest), "collect");
                ++out.blobs;
            }
        }
    }
    KNARR_TRY(remove_parts(out), "collect");
    for (const auto& [name, bytes] : KNARR_TRY(list_quarantine(), "collect")) {
        KNARR_TRY(sys::unlink_at(quarantine_, name), "collect");
        out.bytes += bytes;
        ++out.quarantined;
    }
    // Trees take long, and nobody finds them any more: no lock is needed.
    Result<> first;
    for (const Doomed& layer : doomed) {
        Result<> removed = sys::remove_tree_at(layers_, layer.name);
        if (!removed && first) {
            first = std::move(removed);
        }
    }
    KNARR_TRY(std::move(first), "collect");
    return out;
}

}  // namespace knarr::store
