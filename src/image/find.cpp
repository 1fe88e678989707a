#include "image/find.h"

#include <algorithm>
#include <array>

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

bool is_hex(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
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

/// Its blobs and its layers.
std::vector<spec::Digest> all_of(const Image& image) {
    const std::set<spec::Digest> blobs = blobs_of(image);
    std::vector<spec::Digest> all(blobs.begin(), blobs.end());
    all.insert(all.end(), image.chain.begin(), image.chain.end());
    return all;
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

Result<Image> load_named(const store::Store& store,
                         const store::Ref& ref,
                         std::string_view platform) {
    return KNARR_TRY(load(store, ref, platform), "image {}", printable(ref.reference));
}

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

std::unexpected<Error> not_stored(const store::Store& store, std::string_view text) {
    const std::string local = local_name(store, text);
    return fail(Error{
        .code = Errc::image_not_found,
        .message = fmt::format("image {0} is not stored (No such image: {0})", printable(text)),
        .hint = local.empty() ? std::string("knarr images lists what is stored, knarr pull "
                                            "fetches more")
                              : fmt::format("{} is stored: name it so", printable(local))});
}

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
    for (const Image& image : KNARR_TRY(find_by_id(store, text))) {
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

}  // namespace knarr::image
