#include "image/names.h"

#include <algorithm>

#include "core/core.h"
#include "image/find.h"
#include "image/reference.h"
#include "image/short_names.h"
#include "layer/layer.h"

namespace knarr::image {
namespace {

/// All references of the image that `ref` means: those to the same manifest or index.
Result<std::vector<store::Ref>> refs_of_image(const store::Store& store, const store::Ref& ref) {
    std::vector<store::Ref> all = KNARR_TRY(store.list_refs());
    std::erase_if(all, [&](const store::Ref& other) { return other.digest != ref.digest; });
    return all;
}

}  // namespace

Result<std::string> tag_image(const store::Store& store,
                              std::string_view text,
                              std::string_view new_name) {
    const Reference target = KNARR_TRY(Reference::parse(new_name), "the new name");
    if (target.digest()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("{} has a digest, which is not a name to give",
                                                 printable(new_name)),
                          .hint = "give NAME or NAME:TAG"});
    }
    const store::Lease lease = KNARR_TRY(store.lease());
    store::Ref ref = KNARR_TRY(find_reference(store, text));
    const store::Reach reach = KNARR_TRY(store.reach(ref));
    std::vector<spec::Digest> digests(reach.blobs.begin(), reach.blobs.end());
    digests.insert(digests.end(), reach.layers.begin(), reach.layers.end());
    KNARR_TRY(lease.protect(digests));
    if (!KNARR_TRY(store.has(ref.digest))) {
        return fail(Errc::image_not_found, "image {} is being removed", printable(text));
    }
    ref.reference = target.text();
    ref.pulled_time = format_time(system_clock().wall());
    KNARR_TRY(store.put_ref(ref), "tag {}", printable(new_name));
    return ref.reference;
}

Result<std::vector<std::string>> untag_image(const store::Store& store,
                                             std::string_view text,
                                             const std::vector<std::string>& names) {
    store::Ref ref = KNARR_TRY(find_reference(store, text));
    std::vector<store::Ref> left = KNARR_TRY(refs_of_image(store, ref));
    const std::string nameless = ref.digest.text();
    std::erase_if(left, [&](const store::Ref& other) { return other.reference == nameless; });
    std::vector<std::string> taken;
    if (names.empty()) {
        for (const store::Ref& other : left) {
            taken.push_back(other.reference);
        }
    }
    for (const std::string& name : names) {
        std::string canonical;
        for (const Reference& meant : KNARR_TRY(meanings(name, Wanted::stored))) {
            if (canonical.empty() &&
                std::ranges::find(left, meant.text(), &store::Ref::reference) != left.end()) {
                canonical = meant.text();
            }
        }
        if (canonical.empty()) {
            return fail(Errc::invalid_argument,
                        "{} is not a name of image {}",
                        printable(name),
                        printable(text));
        }
        if (std::ranges::find(taken, canonical) == taken.end()) {  // given twice, taken once
            taken.push_back(canonical);
        }
    }
    if (taken.size() == left.size()) {
        ref.reference = nameless;  // first, so that the image is never without a reference
        KNARR_TRY(store.put_ref(ref), "untag {}", printable(text));
    }
    for (const std::string& reference : taken) {
        KNARR_TRY(store.remove_ref(reference), "untag {}", printable(reference));
    }
    return taken;
}

Result<std::vector<HistoryStep>> image_history(const store::Store& store, std::string_view text) {
    const Image image = KNARR_TRY(find_image(store, text));
    std::vector<HistoryStep> steps;
    std::size_t layer = 0;
    const auto layer_size = [&]() -> std::uint64_t {
        if (layer >= image.chain.size()) {
            return 0;
        }
        const auto info = layer::read_layer_info(store, image.chain[layer]);
        return info ? info->bytes : image.manifest.layers[layer].size;
    };
    for (const spec::History& entry : image.config.history) {
        HistoryStep step{
            .created = entry.created, .created_by = entry.created_by, .comment = entry.comment};
        if (!entry.empty_layer) {
            step.size = layer_size();
            ++layer;
        }
        steps.push_back(std::move(step));
    }
    // Not every tool writes a history, or all of it.
    for (; layer < image.chain.size(); ++layer) {
        steps.push_back({.created = image.config.created, .size = layer_size()});
    }
    std::ranges::reverse(steps);
    if (!steps.empty()) {
        steps.front().id = image.id.text();
        for (const store::Ref& ref : KNARR_TRY(store.list_refs())) {
            const auto reference = Reference::parse(ref.reference);
            if (ref.digest == image.top && !is_nameless(ref.reference) && reference &&
                !reference->tag().empty()) {
                steps.front().tags.push_back(reference->familiar());
            }
        }
    }
    return steps;
}

}  // namespace knarr::image
