// What references and leases reach, and the removal of everything else.
#include <algorithm>

#include <fcntl.h>

#include "core/fault.h"
#include "core/limits.h"
#include "store/store.h"

namespace knarr::store {

Result<> Store::mark(const spec::Digest& digest,
                     std::string_view media_type,
                     int depth,
                     Reach& reach) const {
    constexpr int kMaxIndexDepth = 4;
    if (!reach.blobs.insert(digest).second || !KNARR_TRY(has(digest))) {
        return {};  // seen, or a platform of an index that was never pulled
    }
    if (depth > kMaxIndexDepth) {
        return fail(Errc::limit_exceeded,
                    "{} is an index more than {} levels deep",
                    digest.text(),
                    kMaxIndexDepth);
    }
    const std::string json = KNARR_TRY(read_blob(digest, limits::kMaxManifestBytes));
    const auto decoded =
        KNARR_TRY(spec::decode_manifest_or_index(json, media_type), "{}", digest.text());
    if (decoded.index) {
        bool one_stored = false;
        for (const spec::Descriptor& child : decoded.index->manifests) {
            one_stored |= KNARR_TRY(has(child.digest));
            KNARR_TRY(mark(child.digest, child.media_type, depth + 1, reach));
        }
        for (const spec::Descriptor& child : decoded.index->manifests) {
            if (!one_stored) {
                reach.needed.insert(child.digest);
            }
        }
    }
    if (decoded.manifest) {
        const spec::Descriptor& config = decoded.manifest->config;
        for (const spec::Descriptor& layer : decoded.manifest->layers) {
            reach.blobs.insert(layer.digest);
            reach.needed.insert(layer.digest);
        }
        reach.blobs.insert(config.digest);
        reach.needed.insert(config.digest);
        if (spec::is_image_config(config.media_type) && KNARR_TRY(has(config.digest))) {
            const std::string text =
                KNARR_TRY(read_blob(config.digest, limits::kMaxImageConfigBytes));
            const auto image =
                KNARR_TRY(spec::decode_image_config(text), "{}", config.digest.text());
            for (spec::Digest& id : chain_ids(image.diff_ids)) {
                reach.layers.insert(std::move(id));
            }
        }
    }
    return {};
}

Result<Reach> Store::reach(const Ref& ref) const {
    Reach reach;
    reach.needed.insert(ref.digest);
    KNARR_TRY(mark(ref.digest, ref.media_type, 0, reach), "{}", ref.reference);
    return reach;
}

Result<Collected> Store::collect(const std::set<spec::Digest>& layers_in_use) const {
    std::vector<Doomed> doomed;
    Collected out;
    {
        // Nobody takes a lease from here on; who has one is seen. Leases first: see lease.h.
        const sys::FileLock lock = KNARR_TRY(
            sys::FileLock::acquire(dir_, std::string(kStoreLock), sys::FileLock::Kind::exclusive));
        const std::set<spec::Digest> held = KNARR_TRY(leased(), "collect");
        Reach kept{.layers = layers_in_use};
        for (const Ref& ref : KNARR_TRY(list_refs(), "collect")) {
            KNARR_TRY(mark(ref.digest, ref.media_type, 0, kept), "collect {}", ref.reference);
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
