#include "image/layout_source.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/core.h"
#include "image/file_tree.h"
#include "image/reference.h"
#include "spec/oci_layout.h"

namespace knarr::image {
namespace {

/// Source: image-spec annotations.md.
const std::string kRefName = "org.opencontainers.image.ref.name";
/// containerd's and docker's name for whole references.
const std::string kImageName = "io.containerd.image.name";

std::string blob_file(const spec::Digest& digest) {
    return fmt::format("blobs/sha256/{}", digest.hex());
}

std::string ref_name(const spec::Descriptor& entry) {
    const auto at = entry.annotations.find(kRefName);
    return at == entry.annotations.end() ? std::string() : at->second;
}

class LayoutSource final : public Source {
public:
    LayoutSource(std::shared_ptr<const FileTree> tree, std::string name)
        : tree_(std::move(tree)), name_(std::move(name)) {}

    /// Finds the image that is meant. Without names, the layout's index is one image for several
    /// platforms.
    Result<> choose(std::string_view tag) {
        index_text_ = KNARR_TRY(read_file(*tree_, "index.json", limits::kMaxManifestBytes));
        auto content = KNARR_TRY(
            spec::decode_manifest_or_index(index_text_, spec::media::kOciIndex), "index.json");
        const std::vector<spec::Descriptor>& entries = content.index->manifests;
        std::string names;
        for (const spec::Descriptor& entry : entries) {
            const std::string name = ref_name(entry);
            if (tag.empty() ? entries.size() == 1 : name == tag) {
                top_ = entry;
                return {};
            }
            if (!name.empty()) {
                names += (names.empty() ? "" : ", ") + printable(name, 128);
            }
        }
        if (tag.empty() && names.empty() && !entries.empty()) {
            return {};
        }
        return fail(Error{.code = tag.empty() ? Errc::invalid_argument : Errc::image_not_found,
                          .message = fmt::format("the layout holds {} images{}{}",
                                                 entries.size(),
                                                 tag.empty() ? "" : ", none named ",
                                                 printable(tag)),
                          .hint = names.empty() ? "" : "add :NAME, one of " + names});
    }

    void take(const spec::Descriptor& entry) { top_ = entry; }

    Result<std::unique_ptr<ByteStream>> open_top() override {
        return top_ ? open_blob(*top_)
                    : stream_of(index_text_, std::string(spec::media::kOciIndex));
    }
    Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor& entry) override {
        return open_blob(entry);
    }
    Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor& blob) override {
        FileSlice slice = KNARR_TRY(tree_->open(blob_file(blob.digest)));
        if (slice.size != blob.size) {
            return fail(Errc::digest_mismatch,
                        "{} has {} bytes, not {}",
                        blob_file(blob.digest),
                        slice.size,
                        blob.size);
        }
        return stream_of(std::move(slice), blob.media_type);
    }
    std::optional<spec::Digest> top_digest() const override {
        return top_ ? std::optional(top_->digest) : std::nullopt;
    }
    std::string stored_name() const override { return name_; }

private:
    std::shared_ptr<const FileTree> tree_;  // shared with the layout's other images
    std::string name_;
    std::string index_text_;
    std::optional<spec::Descriptor> top_;
};

Result<std::unique_ptr<Source>> open_layout(std::unique_ptr<FileTree> tree,
                                            const PathAndName& what) {
    const std::string mark =
        KNARR_TRY(read_file(*tree, "oci-layout", limits::kMaxManifestBytes), "{}", what.path);
    KNARR_TRY(spec::check_oci_layout(mark), "{}", what.path);
    auto source =
        std::make_unique<LayoutSource>(std::move(tree), local_reference(what.path, what.name));
    KNARR_TRY(source->choose(what.name), "{}", what.path);
    return std::unique_ptr<Source>(std::move(source));
}

/// The name that an entry's annotations give it.
std::string entry_name(const spec::Descriptor& entry, const std::string& path) {
    const auto whole = entry.annotations.find(kImageName);
    if (whole != entry.annotations.end()) {
        if (const auto reference = Reference::parse(whole->second)) {
            return reference->text();
        }
    }
    const std::string name = ref_name(entry);
    const bool has_registry = name.find('/') != std::string::npos;
    return name.empty() || (path.empty() && !has_registry) ? std::string()
                                                           : local_reference(path, name);
}

}  // namespace

Result<std::vector<LayoutEntry>> list_layout(const FileTree& tree, const std::string& path) {
    const std::string mark = KNARR_TRY(read_file(tree, "oci-layout", limits::kMaxManifestBytes));
    KNARR_TRY(spec::check_oci_layout(mark));
    const std::string text = KNARR_TRY(read_file(tree, "index.json", limits::kMaxManifestBytes));
    auto content =
        KNARR_TRY(spec::decode_manifest_or_index(text, spec::media::kOciIndex), "index.json");
    std::vector<LayoutEntry> all;
    for (spec::Descriptor& entry : content.index->manifests) {
        if (all.size() == kMaxArchiveImages) {
            return fail(Errc::limit_exceeded,
                        "index.json lists more than the {} images allowed",
                        kMaxArchiveImages);
        }
        std::string name = entry_name(entry, path);
        all.push_back({.descriptor = std::move(entry), .name = std::move(name)});
    }
    return all;
}

Result<std::unique_ptr<Source>> open_layout_entry(std::shared_ptr<const FileTree> tree,
                                                  const spec::Descriptor& entry,
                                                  const std::string& name) {
    auto source = std::make_unique<LayoutSource>(std::move(tree), name);
    source->take(entry);
    return std::unique_ptr<Source>(std::move(source));
}

PathAndName split_path(std::string_view text) {
    const std::size_t colon = text.find(':');
    return {.path = std::string(text.substr(0, colon)),
            .name = colon == std::string_view::npos ? std::string()
                                                    : std::string(text.substr(colon + 1))};
}

std::string local_reference(std::string_view path, std::string_view name) {
    if (const auto whole = Reference::parse(name); whole && name.find('/') != name.npos) {
        return whole->text();
    }
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    std::string stem(path.substr(path.rfind('/') + 1));
    stem.resize(std::min(stem.find('.', 1), stem.size()));
    stem = to_lower(std::move(stem));
    const auto reference =
        Reference::parse(fmt::format("localhost/{}:{}", stem, name.empty() ? kDefaultTag : name));
    // A path that makes no name: the image is known by its digest.
    return reference ? reference->text() : std::string();
}

Result<std::unique_ptr<Source>> open_layout_dir(std::string_view text) {
    const PathAndName what = split_path(text);
    return open_layout(KNARR_TRY(open_directory_tree(what.path)), what);
}

Result<std::unique_ptr<Source>> open_oci_archive(std::string_view text) {
    const PathAndName what = split_path(text);
    return open_layout(KNARR_TRY(open_archive_tree(what.path)), what);
}

}  // namespace knarr::image
