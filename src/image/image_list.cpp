#include "image/image_list.h"

#include <algorithm>
#include <map>

#include "core/core.h"
#include "image/find.h"
#include "image/platform.h"
#include "image/reference.h"

namespace knarr::image {
namespace {

Result<std::uint64_t> stored_size(const store::Store& store, const Image& image) {
    std::uint64_t sum = 0;
    for (const spec::Digest& digest : blobs_of(image)) {
        if (KNARR_TRY(store.has(digest))) {
            sum += KNARR_TRY(store.blob_size(digest));
        }
    }
    return sum;
}

/// As docker shows a reference: its tag, and "NAME@DIGEST" of what it was pulled as.
void add_shown_names(ImageSummary& summary, const store::Ref& ref) {
    const auto reference = Reference::parse(ref.reference);
    if (!reference || is_nameless(ref.reference)) {
        return;
    }
    if (!reference->tag().empty() && !reference->digest()) {
        summary.repo_tags.push_back(reference->familiar());
    }
    std::string digest = fmt::format("{}@{}", reference->familiar_name(), ref.digest.text());
    if (std::ranges::find(summary.repo_digests, digest) == summary.repo_digests.end()) {
        summary.repo_digests.push_back(std::move(digest));
    }
}

}  // namespace

Result<std::vector<ImageSummary>> list_images(const store::Store& store) {
    std::map<spec::Digest, ImageSummary> by_manifest;
    std::vector<ImageSummary> all;
    for (const store::Ref& ref : KNARR_TRY(store.list_refs())) {
        const auto image = load_named(store, ref);
        if (!image) {
            all.push_back({.digest = ref.digest.text(), .references = {ref.reference}});
            continue;
        }
        ImageSummary& summary = by_manifest[image->digest];
        summary.references.push_back(ref.reference);
        add_shown_names(summary, ref);
        if (summary.references.size() == 1) {
            summary.id = image->id.text();
            summary.digest = image->digest.text();
            summary.created = image->config.created;
            summary.platform = to_text(image->config.platform);
            summary.labels = image->config.config.labels;
            summary.size = KNARR_TRY(stored_size(store, *image));
        }
    }
    for (auto& [digest, summary] : by_manifest) {
        all.push_back(std::move(summary));
    }
    std::ranges::sort(
        all, {}, [](const ImageSummary& summary) { return summary.references.front(); });
    return all;
}

}  // namespace knarr::image
