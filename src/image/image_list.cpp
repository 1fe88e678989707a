#include "image/image_list.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/core.h"
#include "image/platform.h"
#include "image/reference.h"
#include "image/short_names.h"
#include "platform/spawn.h"
#include "spec/wasm.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMinPrefixDigits = 2;

/// The manifest that a reference means here: itself, or the entry of its index that was pulled.
Result<spec::Digest> manifest_of(const store::Store& store,
                                 const spec::Index& index,
                                 std::string_view platform) {
    const spec::Platform wanted = platform.empty() ? host_platform(KNARR_TRY(sys::machine_name()))
                                                   : KNARR_TRY(parse_platform(platform));
    spec::Index stored = index;
    std::vector<spec::Descriptor> kept;
    for (const spec::Descriptor& entry : index.manifests) {
        if (KNARR_TRY(store.has(entry.digest))) {
            kept.push_back(entry);
        }
    }
    stored.manifests = std::move(kept);
    auto best = choose_platform(stored, wanted);
    if (best) {
        return best->digest;
    }
    if (platform.empty() && !stored.manifests.empty()) {
        return stored.manifests.front().digest;
    }
    return fail(Errc::image_not_found, "it is not stored for {}", to_text(wanted));
}

Result<Image> load(const store::Store& store, const store::Ref& ref, std::string_view platform) {
    std::string text = KNARR_TRY(store.read_blob(ref.digest, limits::kMaxManifestBytes));
    auto content = KNARR_TRY(spec::decode_manifest_or_index(text, ref.media_type));
    spec::Digest digest = ref.digest;
    if (content.index) {
        digest = KNARR_TRY(manifest_of(store, *content.index, platform));
        text = KNARR_TRY(store.read_blob(digest, limits::kMaxManifestBytes));
        content = KNARR_TRY(spec::decode_manifest_or_index(text, {}));
        if (!content.manifest) {
            return fail(Errc::invalid_image, "an index inside an index");
        }
    }
    const spec::Digest id = content.manifest->config.digest;
    text = KNARR_TRY(store.read_blob(id, limits::kMaxImageConfigBytes));
    spec::ImageConfig config = KNARR_TRY(spec::decode_config_of(*content.manifest, text));
    std::vector<spec::Digest> chain = store::chain_ids(config.diff_ids);
    return Image{.reference = ref.reference,
                 .top = ref.digest,
                 .id = id,
                 .digest = digest,
                 .manifest = *std::move(content.manifest),
                 .config = std::move(config),
                 .chain = std::move(chain)};
}

Result<Image> load_named(const store::Store& store,
                         const store::Ref& ref,
                         std::string_view platform = {}) {
    return KNARR_TRY(load(store, ref, platform), "image {}", printable(ref.reference));
}

bool is_hex(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The stored references whose image is `digest` or starts with `prefix`.
Result<std::vector<Image>> images_by_digest(const store::Store& store,
                                            std::string_view prefix,
                                            std::string_view platform) {
    std::vector<Image> found;
    for (const store::Ref& ref : KNARR_TRY(store.list_refs())) {
        auto image = load_named(store, ref, platform);
        if (!image) {
            continue;  // a broken image has no ID; it can be removed by its reference
        }
        const bool fits = std::ranges::any_of(
            std::array{&image->id, &image->digest, &image->top},
            [&](const spec::Digest* digest) { return digest->hex().starts_with(prefix); });
        if (fits) {
            found.push_back(*std::move(image));
        }
    }
    return found;
}

/// By ID, digest or prefix of one: all references of the one image that fits.
Result<std::vector<Image>> find_by_id(const store::Store& store,
                                      std::string_view text,
                                      std::string_view platform) {
    constexpr std::string_view kAlgorithm = "sha256:";
    std::string_view hex = text;
    if (hex.starts_with(kAlgorithm)) {
        hex.remove_prefix(kAlgorithm.size());
    }
    if (!is_hex(hex) || hex.size() > 64 || (hex.size() < kMinPrefixDigits)) {
        return std::vector<Image>{};
    }
    std::vector<Image> found = KNARR_TRY(images_by_digest(store, hex, platform));
    std::set<spec::Digest> ids;
    for (const Image& image : found) {
        ids.insert(image.id);
    }
    if (ids.size() > 1) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format(
                              "{} is the start of {} images' IDs", printable(text), ids.size()),
                          .hint = "give more digits"});
    }
    return found;
}

/// "NAME@DIGEST" too, of an image that was pulled by tag.
Result<std::optional<store::Ref>> find_exactly(const store::Store& store,
                                               const Reference& reference) {
    auto named = KNARR_TRY(store.get_ref(reference.text()));
    if (!reference.digest() || (named && named->digest == *reference.digest())) {
        return named;  // a stored name is not believed to have its digest
    }
    for (store::Ref& ref : KNARR_TRY(store.list_refs())) {
        const auto other = Reference::parse(ref.reference);
        if (other && other->name() == reference.name() && ref.digest == *reference.digest()) {
            return std::optional(std::move(ref));
        }
    }
    return std::optional<store::Ref>();
}

/// "localhost/NAME:TAG" of a short name, where that is stored: what was loaded or built here.
std::string local_name(const store::Store& store, std::string_view text) {
    const auto local = Reference::parse(fmt::format("localhost/{}", text));
    if (!local || !is_short_name(text)) {
        return {};
    }
    const auto ref = store.get_ref(local->text());
    return ref && *ref ? local->text() : std::string();
}

std::unexpected<Error> not_stored(const store::Store& store, std::string_view text) {
    const std::string local = local_name(store, text);
    return fail(Error{
        .code = Errc::image_not_found,
        .message = fmt::format("image {0} is not stored (No such image: {0})", printable(text)),
        .hint = local.empty() ? std::string("knarr images lists what is stored, knarr pull "
                                            "fetches more")
                              : fmt::format("{} is stored: name it so", printable(local))});
}

/// Its blobs and its layers.
std::vector<spec::Digest> all_of(const Image& image) {
    const std::set<spec::Digest> blobs = blobs_of(image);
    std::vector<spec::Digest> all(blobs.begin(), blobs.end());
    all.insert(all.end(), image.chain.begin(), image.chain.end());
    return all;
}

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

Result<bool> is_whole(const store::Store& store, const Image& image) {
    for (const spec::Digest& id : image.chain) {
        if (!KNARR_TRY(store.has_layer(id))) {
            return false;
        }
    }
    // What is unpacked can do without its blobs, a module is nothing else.
    for (const spec::Descriptor& module : image.manifest.layers) {
        if (image.chain.empty() && !KNARR_TRY(store.has(module.digest))) {
            return false;
        }
    }
    return true;
}

Result<bool> fits(const Image& image, const PullOptions& options) {
    const spec::Platform wanted = options.platform.empty()
                                      ? host_platform(KNARR_TRY(sys::machine_name()))
                                      : KNARR_TRY(parse_platform(options.platform));
    return image.config.platform.architecture.empty() || spec::is_wasm(image.manifest) ||
           satisfies(image.config.platform, wanted);
}

}  // namespace

bool is_file_source(std::string_view name) {
    return name.starts_with("oci:") || name.starts_with("oci-archive:") ||
           name.starts_with("docker-archive:");
}

Result<> check_files(const Image& image) {
    if (spec::is_wasm(image.manifest)) {
        return fail(
            Error{.code = Errc::unsupported,
                  .message = fmt::format("image {} is a WebAssembly module: it has no files",
                                         printable(image.reference)),
                  .hint = "this build stores and hands on such images; it runs none"});
    }
    if (image.chain.empty()) {
        return fail(Errc::invalid_image, "image {} has no layers", printable(image.reference));
    }
    return {};
}

Result<std::optional<store::Ref>> find_ref(const store::Store& store, std::string_view text) {
    if (!Reference::parse(text)) {
        return std::optional<store::Ref>();
    }
    for (const Reference& meant : KNARR_TRY(meanings(text, Wanted::stored))) {
        if (auto found = KNARR_TRY(find_exactly(store, meant))) {
            return found;
        }
    }
    return std::optional<store::Ref>();
}

Result<Image> find_image(const store::Store& store,
                         std::string_view text,
                         std::string_view platform) {
    if (const auto ref = KNARR_TRY(find_ref(store, text))) {
        return load_named(store, *ref, platform);
    }
    std::vector<Image> found = KNARR_TRY(find_by_id(store, text, platform));
    if (found.empty()) {
        return not_stored(store, text);
    }
    return std::move(found.front());
}

bool is_nameless(std::string_view reference) {
    return reference.starts_with("sha256:");
}

std::set<spec::Digest> blobs_of(const Image& image) {
    std::set<spec::Digest> blobs{image.id, image.digest, image.top};
    for (const spec::Descriptor& layer : image.manifest.layers) {
        blobs.insert(layer.digest);
    }
    return blobs;
}

Result<store::Ref> find_reference(const store::Store& store, std::string_view text) {
    if (auto ref = KNARR_TRY(find_ref(store, text))) {
        return *std::move(ref);
    }
    for (const Image& image : KNARR_TRY(find_by_id(store, text, {}))) {
        if (auto ref = KNARR_TRY(store.get_ref(image.reference))) {
            return *std::move(ref);
        }
    }
    return not_stored(store, text);
}

Result<Image> find_whole(const store::Store& store,
                         const store::Lease& lease,
                         std::string_view text,
                         std::string_view platform) {
    Image image = KNARR_TRY(find_image(store, text, platform));
    KNARR_TRY(lease.protect(all_of(image)));
    if (!KNARR_TRY(store.has(image.top)) || !KNARR_TRY(is_whole(store, image))) {
        return fail(
            Errc::image_not_found, "image {}: not all of its layers are stored", printable(text));
    }
    return image;
}

Result<Image> find_or_pull(const store::Store& store,
                           const store::Lease& lease,
                           const std::string& name,
                           const PullOptions& options,
                           const Limits& limits,
                           const PullProgressFn& progress) {
    if (is_file_source(name)) {
        return pull_image(store, lease, name, options, limits, progress);
    }
    auto image = find_whole(store, lease, name, options.platform);
    if (!image && image.error().code != Errc::image_not_found &&
        image.error().code != Errc::corrupt) {
        return image;
    }
    if (image && KNARR_TRY(fits(*image, options))) {
        return image;
    }
    if (image && !KNARR_TRY(find_ref(store, name))) {
        return fail(Error{.code = Errc::platform_mismatch,
                          .message = fmt::format("image {} is stored for {} only",
                                                 printable(name),
                                                 printable(to_text(image->config.platform), 64)),
                          .hint = "an ID cannot be pulled: give its name, or --platform"});
    }
    Result<Image> pulled = pull_image(store, lease, name, options, limits, progress);
    const std::string local = pulled ? std::string() : local_name(store, name);
    if (!local.empty()) {
        Error error = std::move(pulled).error();
        error.hint = fmt::format("{} is stored: name it so, if it is meant", printable(local));
        return fail(std::move(error));
    }
    return pulled;
}

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
        for (Image& found : KNARR_TRY(find_by_id(store, text, {}))) {
            if (auto ref = KNARR_TRY(store.get_ref(found.reference))) {
                doomed.refs.push_back(*std::move(ref));
            }
            doomed.image = std::move(found);
        }
    }
    if (!doomed.image) {
        return doomed;
    }
    for (const Image& same : KNARR_TRY(images_by_digest(store, doomed.image->id.hex(), {}))) {
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
