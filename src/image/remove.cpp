#include "image/remove.h"

#include <algorithm>
#include <optional>

#include "core/core.h"
#include "image/find.h"
#include "image/reference.h"

namespace knarr::image {

namespace {

/// What a removal takes, and what the image keeps.
struct Doomed {
    std::vector<store::Ref> refs, left;
    std::optional<Image> image;  // nothing: it is damaged
};

bool is_tag(const store::Ref& ref) {
    return !is_nameless(ref.reference) && ref.reference.find('@') == std::string::npos;
}

bool has_tag_in(const Reference& repository, const std::vector<store::Ref>& refs) {
    return std::ranges::any_of(refs, [&](const store::Ref& ref) {
        const auto other = is_tag(ref) ? Reference::parse(ref.reference)
                                       : Result<Reference>(fail(Errc::not_found, "no tag"));
        return other && other->name() == repository.name();
    });
}

/// With the last tag in a repository those go that name it by digest.
void doom_digests(const store::Ref& tag, Doomed& doomed) {
    const auto reference = Reference::parse(tag.reference);
    if (!is_tag(tag) || !reference || has_tag_in(*reference, doomed.left)) {
        return;
    }
    std::erase_if(doomed.left, [&](const store::Ref& ref) {
        const bool goes = ref.reference.starts_with(reference->name() + "@");
        if (goes) {
            doomed.refs.push_back(ref);
        }
        return goes;
    });
}

Result<Doomed> doomed_by(const store::Store& store, std::string_view text) {
    Doomed doomed;
    const auto named = KNARR_TRY(find_ref(store, text));
    if (named) {
        doomed.refs.push_back(*named);
        if (auto loaded = load_named(store, *named)) {
            doomed.image = *std::move(loaded);
        }
    } else {
        for (Image& found : KNARR_TRY(find_by_id(store, text))) {
            if (auto ref = KNARR_TRY(store.get_ref(found.reference))) {
                doomed.refs.push_back(*std::move(ref));
            }
            doomed.image = std::move(found);
        }
    }
    if (!doomed.image) {
        return doomed;
    }
    for (const Image& same : KNARR_TRY(images_by_digest(store, doomed.image->id.hex()))) {
        const auto goes = std::ranges::find(doomed.refs, same.reference, &store::Ref::reference);
        if (goes == doomed.refs.end()) {
            if (auto ref = KNARR_TRY(store.get_ref(same.reference))) {
                doomed.left.push_back(*std::move(ref));
            }
        }
    }
    if (named) {
        doom_digests(*named, doomed);
    }
    return doomed;
}

/// Names that people gave; one that is a digest counts for nothing, as with docker.
Result<> refuse_several(std::string_view text, const Doomed& doomed, const ImageUse& use) {
    std::string tags;
    const auto count = std::ranges::count_if(doomed.refs, is_tag);
    for (const store::Ref& ref : doomed.refs) {
        if (is_tag(ref)) {
            tags += (tags.empty() ? "" : ", ") + ref.reference;
        }
    }
    if (count < 2 || use.forced) {
        return {};
    }
    return fail(Error{.code = Errc::image_in_use,
                      .message = fmt::format(
                          "image {} has {} names: {}", printable(text), count, printable(tags)),
                      .hint = "name the one that is to go, or knarr rmi -f for all of them"});
}

/// Which of the containers that stand on an image hold it up.
Result<> refuse_used(std::string_view text,
                     const std::vector<std::string>& users,
                     const ImageUse& use) {
    const auto runs = std::ranges::find_if(
        users, [&](const std::string& container) { return use.runs && use.runs(container); });
    if (runs != users.end()) {
        return fail(Error{
            .code = Errc::image_in_use,
            .message =
                fmt::format("image {} is used by container {}, which runs", printable(text), *runs),
            .hint = fmt::format("knarr rm -f {} first", *runs)});
    }
    if (!users.empty() && !use.forced) {
        return fail(Error{
            .code = Errc::image_in_use,
            .message =
                fmt::format("image {} is used by container {}", printable(text), users.front()),
            .hint = fmt::format("knarr rm {} first; or knarr rmi -f, then it keeps its layers",
                                users.front())});
    }
    return {};
}

/// Of an image whose last reference would go.
Result<> refuse_in_use(std::string_view text, const Doomed& doomed, const ImageUse& use) {
    if (!doomed.left.empty()) {
        return {};
    }
    const std::string mount = use.mounted_at ? use.mounted_at(*doomed.image) : std::string();
    if (!mount.empty()) {
        return fail(
            Error{.code = Errc::image_in_use,
                  .message = fmt::format("image {} is mounted at {}", printable(text), mount),
                  .hint = fmt::format("knarr image unmount {} first", printable(text))});
    }
    const auto users = use.users ? use.users(*doomed.image) : std::vector<std::string>();
    return refuse_used(text, users, use);
}

}  // namespace

Result<> add_gone(const store::Store& store, const Image& image, std::vector<std::string>& gone) {
    const auto add = [&](const spec::Digest& digest) {
        if (std::ranges::find(gone, digest.text()) == gone.end()) {
            gone.push_back(digest.text());
        }
    };
    if (!KNARR_TRY(store.has(image.id))) {
        add(image.id);
    }
    for (auto id = image.chain.rbegin(); id != image.chain.rend(); ++id) {
        if (!KNARR_TRY(store.has_layer(*id))) {
            add(*id);
        }
    }
    return {};
}

std::vector<std::string> digests_without_tag(const std::vector<store::Ref>& removed,
                                             const std::vector<store::Ref>& left) {
    std::vector<std::string> digests;
    for (const store::Ref& ref : removed) {
        const auto reference = Reference::parse(ref.reference);
        if (!reference || is_nameless(ref.reference) || has_tag_in(*reference, left)) {
            continue;
        }
        std::string digest = fmt::format("{}@{}", reference->name(), ref.digest.text());
        const bool is_told =
            std::ranges::find(digests, digest) != digests.end() ||
            std::ranges::find(removed, digest, &store::Ref::reference) != removed.end();
        if (!is_told) {
            digests.push_back(std::move(digest));
        }
    }
    return digests;
}

Result<RemovedImage> remove_image(const store::Store& store,
                                  std::string_view text,
                                  const ImageUse& use) {
    const Doomed doomed = KNARR_TRY(doomed_by(store, text));
    if (doomed.refs.empty()) {
        return not_stored(store, text);
    }
    KNARR_TRY(refuse_several(text, doomed, use));
    if (doomed.image) {
        KNARR_TRY(refuse_in_use(text, doomed, use));
    }
    RemovedImage removed;
    for (const store::Ref& ref : doomed.refs) {
        KNARR_TRY(store.remove_ref(ref.reference), "remove image {}", printable(ref.reference));
        removed.untagged.push_back(ref.reference);
    }
    std::ranges::move(digests_without_tag(doomed.refs, doomed.left),
                      std::back_inserter(removed.untagged));
    KNARR_TRY(store.collect(use.layers), "remove image {}", printable(text));
    if (!doomed.image) {
        return removed;
    }
    for (const spec::Digest& digest : blobs_of(*doomed.image)) {
        if (!KNARR_TRY(store.has(digest))) {
            removed.deleted.push_back(digest.text());
        }
    }
    KNARR_TRY(add_gone(store, *doomed.image, removed.gone));
    return removed;
}

}  // namespace knarr::image
