#include "image/upkeep.h"

#include <algorithm>
#include <map>

#include "core/core.h"
#include "image/find.h"
#include "image/image_list.h"
#include "layer/layer.h"

namespace knarr::image {
namespace {

/// What each reference reaches. A damaged document ends the walk below it.
std::vector<std::pair<store::Ref, store::Reach>> reach_of(const store::Store& store,
                                                          const std::vector<store::Ref>& refs) {
    std::vector<std::pair<store::Ref, store::Reach>> all;
    for (const store::Ref& ref : refs) {
        auto reach = store.reach(ref);
        if (!reach) {
            reach = store::Reach{.blobs = {ref.digest}, .needed = {ref.digest}, .layers = {}};
        }
        all.emplace_back(ref, *std::move(reach));
    }
    return all;
}

Result<std::vector<store::Ref>> refs_of(const store::Store& store,
                                        const std::vector<std::string>& names) {
    std::vector<store::Ref> all = KNARR_TRY(store.list_refs());
    if (names.empty()) {
        return all;
    }
    std::vector<store::Ref> chosen;
    chosen.reserve(names.size());
    for (const std::string& name : names) {
        chosen.push_back(KNARR_TRY(find_reference(store, name)));
    }
    return chosen;
}

/// Reads one blob. Nothing: it is gone meanwhile.
Result<std::optional<BrokenBlob>> read_again(const store::Store& store,
                                             const spec::Digest& digest,
                                             DamagePolicy policy,
                                             VerifyReport& report) {
    const auto check = store.check_blob(digest);
    if (!check && check.error().code == Errc::image_not_found) {
        return std::nullopt;
    }
    ++report.blobs;
    if (check && check->found == digest) {
        report.bytes += check->bytes;
        return std::nullopt;
    }
    BrokenBlob broken{.digest = digest.text()};
    if (check) {
        broken.size = check->bytes;
        broken.problem = "its bytes are " + check->found.text();
        report.bytes += check->bytes;
    } else {
        broken.problem = check.error().message;
    }
    if (policy == DamagePolicy::quarantine) {
        KNARR_TRY(store.quarantine_if_damaged(digest));
    }
    return broken;
}

/// The merged image of an image's layers, compared with what they make. Nothing: it is sound, or
/// there is none.
Result<std::optional<BrokenBlob>> check_merged(const store::Store& store,
                                               const Image& image,
                                               DamagePolicy policy) {
    const spec::Digest& top = image.chain.back();
    const std::uint64_t bytes = KNARR_TRY(layer::merged_bytes(store, top));
    const auto sound = layer::is_merged_sound(store, image.chain);
    if (sound && *sound) {
        return std::nullopt;
    }
    if (policy == DamagePolicy::quarantine) {
        KNARR_TRY(layer::drop_merged(store, top));
    }
    return BrokenBlob{.digest = top.text(),
                      .size = bytes,
                      .problem = sound ? "the image merged of its layers is another than they "
                                         "make; the next container has it made again"
                                       : sound.error().message,
                      .references = {}};
}

/// Of all these references; each stack of layers once.
Result<> check_all_merged(const store::Store& store,
                          const std::vector<std::pair<store::Ref, store::Reach>>& reached,
                          DamagePolicy policy,
                          VerifyReport& report) {
    std::map<spec::Digest, std::optional<BrokenBlob>> seen;
    for (const auto& [ref, reach] : reached) {
        const auto image = find_image(store, ref.reference);
        if (!image || image->chain.empty()) {
            continue;  // its blobs are damaged, which is said already; or it is a module
        }
        const auto [one, is_new] = seen.emplace(image->chain.back(), std::nullopt);
        if (is_new) {
            one->second = KNARR_TRY(check_merged(store, *image, policy));
        }
        if (one->second) {
            one->second->references.push_back(ref.reference);
        }
    }
    for (auto& [top, broken] : seen) {
        if (broken) {
            report.damaged.push_back(*std::move(broken));
        }
    }
    return {};
}

}  // namespace

Result<PrunedImages> prune_images(const store::Store& store,
                                  const PruneRequest& request,
                                  const ImageUse& use) {
    PrunedImages pruned;
    std::vector<Image> images;
    std::set<spec::Digest> blobs;
    for (const ImageSummary& summary : KNARR_TRY(list_images(store))) {
        if (summary.id.empty() ||
            (!request.all && !std::ranges::all_of(summary.references, is_nameless))) {
            continue;  // damaged ones are for a person to judge
        }
        if (request.only && !request.only(summary)) {
            continue;
        }
        const auto image = find_image(store, summary.references.front());
        if (!image) {
            continue;  // removed meanwhile, or a name that means another image or several
        }
        if ((use.users && !use.users(*image).empty()) ||
            (use.mounted_at && !use.mounted_at(*image).empty())) {
            continue;
        }
        blobs.merge(blobs_of(*image));
        std::vector<store::Ref> refs;
        for (const std::string& reference : summary.references) {
            if (auto ref = KNARR_TRY(store.get_ref(reference))) {
                refs.push_back(*std::move(ref));
            }
            KNARR_TRY(store.remove_ref(reference), "prune {}", printable(reference));
            pruned.untagged.push_back(reference);
        }
        std::ranges::move(digests_without_tag(refs, {}), std::back_inserter(pruned.untagged));
        images.push_back(*image);
    }
    pruned.bytes = KNARR_TRY(store.collect(use.layers), "prune images").bytes;
    for (const spec::Digest& digest : blobs) {
        if (!KNARR_TRY(store.has(digest))) {
            pruned.deleted.push_back(digest.text());
        }
    }
    for (const Image& image : images) {
        KNARR_TRY(add_gone(store, image, pruned.gone));
    }
    return pruned;
}

Result<VerifyReport> verify_images(const store::Store& store,
                                   const std::vector<std::string>& names,
                                   DamagePolicy policy) {
    const auto reached = reach_of(store, KNARR_TRY(refs_of(store, names)));
    std::map<spec::Digest, std::vector<std::string>> users, needed_by;
    std::set<spec::Digest> blobs;
    for (const auto& [ref, reach] : reached) {
        for (const spec::Digest& digest : reach.blobs) {
            users[digest].push_back(ref.reference);
            blobs.insert(digest);
        }
        for (const spec::Digest& digest : reach.needed) {
            needed_by[digest].push_back(ref.reference);
        }
    }
    VerifyReport report;
    for (const auto& [digest, references] : needed_by) {
        if (!KNARR_TRY(store.has(digest)) && KNARR_TRY(store.get_ref(references.front()))) {
            report.missing.push_back(
                {.digest = digest.text(), .problem = "it is not stored", .references = references});
        }
    }
    if (names.empty()) {
        const auto stored = KNARR_TRY(store.list_blobs());
        blobs = {stored.begin(), stored.end()};
    }
    for (const spec::Digest& digest : blobs) {
        if (auto broken = KNARR_TRY(read_again(store, digest, policy, report))) {
            broken->references = users[digest];
            report.damaged.push_back(*std::move(broken));
        }
    }
    KNARR_TRY(check_all_merged(store, reached, policy, report));
    return report;
}

Result<StoreUsage> image_usage(const store::Store& store, const ImageUse& use) {
    StoreUsage usage;
    std::map<spec::Digest, unsigned> images_with;  // blob -> how many images have it
    std::set<spec::Digest> active_blobs;
    std::vector<std::set<spec::Digest>> blobs_of_each;
    for (ImageSummary& summary : KNARR_TRY(list_images(store))) {
        std::set<spec::Digest> blobs;
        std::uint64_t containers = 0;
        if (const auto image = find_image(store, summary.references.front())) {
            blobs = blobs_of(*image);
            containers = use.users ? use.users(*image).size() : 0;
        }
        for (const spec::Digest& digest : blobs) {
            ++images_with[digest];
            if (containers > 0) {
                active_blobs.insert(digest);
            }
        }
        ++usage.images.total;
        usage.images.active += containers > 0 ? 1 : 0;
        usage.each.push_back({.image = std::move(summary), .containers = containers});
        blobs_of_each.push_back(std::move(blobs));
    }
    std::map<spec::Digest, std::uint64_t> sizes;
    for (const spec::Digest& digest : KNARR_TRY(store.list_blobs())) {
        const auto bytes = store.blob_size(digest);
        if (!bytes) {
            continue;  // gone meanwhile
        }
        sizes[digest] = *bytes;
        const bool garbage = !images_with.contains(digest);
        UsageLine& line = garbage ? usage.garbage : usage.images;
        line.total += garbage ? 1 : 0;
        line.bytes += *bytes;
        line.reclaimable += active_blobs.contains(digest) ? 0 : *bytes;
    }
    for (std::size_t i = 0; i < usage.each.size(); ++i) {
        for (const spec::Digest& digest : blobs_of_each[i]) {
            (images_with[digest] > 1 ? usage.each[i].shared : usage.each[i].unique) +=
                sizes[digest];
        }
    }
    for (const auto& [name, bytes] : KNARR_TRY(store.list_quarantine())) {
        ++usage.garbage.total;
        usage.garbage.bytes += bytes;
        usage.garbage.reclaimable += bytes;
    }
    for (const spec::Digest& chain_id : KNARR_TRY(store.list_layers())) {
        const auto info = layer::read_layer_info(store, chain_id);
        const std::uint64_t bytes =
            (info ? info->bytes : 0) + KNARR_TRY(layer::merged_bytes(store, chain_id));
        const bool active = use.layers.contains(chain_id);
        ++usage.layers.total;
        usage.layers.active += active ? 1 : 0;
        usage.layers.bytes += bytes;
        usage.layers.reclaimable += active ? 0 : bytes;
    }
    return usage;
}

}  // namespace knarr::image
