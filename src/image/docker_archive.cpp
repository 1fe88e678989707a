#include "image/docker_archive.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/core.h"
#include "image/file_tree.h"
#include "image/layout_source.h"
#include "image/reference.h"
#include "platform/file.h"
#include "spec/oci_layout.h"
#include "store/sha256.h"

namespace knarr::image {
namespace {

constexpr std::string_view kLayerType = "application/vnd.oci.image.layer.v1.tar";
constexpr std::size_t kHashBufferBytes = 64 * size::kKiB;

using Entry = spec::DockerArchiveImage;

Result<Entry> choose(std::vector<Entry> entries, const std::string& wanted) {
    if (wanted.empty() && entries.size() == 1) {
        return std::move(entries.front());
    }
    std::string canonical;
    if (!wanted.empty()) {
        canonical = KNARR_TRY(Reference::parse(wanted)).text();
    }
    std::string names;
    for (Entry& entry : entries) {
        for (const std::string& name : entry.repo_tags) {
            names += (names.empty() ? "" : ", ") + printable(name, 128);
            const auto reference = Reference::parse(name);
            if (!canonical.empty() && reference && reference->text() == canonical) {
                entry.repo_tags = {name};
                return std::move(entry);
            }
        }
    }
    return fail(Error{.code = wanted.empty() ? Errc::invalid_argument : Errc::image_not_found,
                      .message = fmt::format("the archive holds {} images{}{}",
                                             entries.size(),
                                             wanted.empty() ? "" : ", none named ",
                                             printable(wanted)),
                      .hint = names.empty() ? "" : "add :REFERENCE, one of " + names});
}

Result<spec::Digest> hash_slice(const FileSlice& slice) {
    store::Sha256 sum;
    std::vector<char> buffer(kHashBufferBytes);
    std::uint64_t done = 0;
    while (done < slice.size) {
        const auto part =
            std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), slice.size - done));
        KNARR_TRY(sys::read_at(slice.file, part, slice.offset + done));
        sum.update({part.data(), part.size()});
        done += part.size();
    }
    return sum.finish();
}

/// By the first bytes. Source: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1.
Result<std::string_view> compression_suffix(const FileSlice& slice) {
    std::array<char, 4> magic{};
    const auto part = std::span(magic).first(std::min<std::uint64_t>(magic.size(), slice.size));
    KNARR_TRY(sys::read_at(slice.file, part, slice.offset));
    const std::string_view bytes(part.data(), part.size());
    if (bytes.starts_with("\x1f\x8b")) {
        return "+gzip";
    }
    return bytes == "\x28\xb5\x2f\xfd" ? "+zstd" : "";
}

class DockerArchiveSource final : public Source {
public:
    DockerArchiveSource(std::shared_ptr<const FileTree> tree, std::string name)
        : tree_(std::move(tree)), name_(std::move(name)) {}

    Result<> load(const Entry& entry, SliceDigests& digests) {
        config_ = KNARR_TRY(read_file(*tree_, entry.config, limits::kMaxImageConfigBytes));
        const spec::ImageConfig config = KNARR_TRY(spec::decode_image_config(config_));
        if (config.diff_ids.size() != entry.layers.size()) {
            return fail(Errc::invalid_image,
                        "manifest.json has {} layers, the configuration {}",
                        entry.layers.size(),
                        config.diff_ids.size());
        }
        spec::Manifest manifest{.media_type = std::string(spec::media::kOciManifest),
                                .config = {.media_type = std::string(spec::media::kOciConfig),
                                           .digest = store::sha256_of(config_),
                                           .size = config_.size(),
                                           .platform = {},
                                           .annotations = {},
                                           .artifact_type = {}},
                                .layers = {},
                                .annotations = {},
                                .artifact_type = {}};
        for (std::size_t i = 0; i < entry.layers.size(); ++i) {
            const FileSlice slice = KNARR_TRY(tree_->open(entry.layers[i]));
            const std::string_view suffix = KNARR_TRY(compression_suffix(slice));
            const spec::Digest digest =
                suffix.empty() ? config.diff_ids[i] : KNARR_TRY(digests.of(slice));
            files_.insert_or_assign(digest, entry.layers[i]);
            manifest.layers.push_back({.media_type = fmt::format("{}{}", kLayerType, suffix),
                                       .digest = digest,
                                       .size = slice.size,
                                       .platform = {},
                                       .annotations = {},
                                       .artifact_type = {}});
        }
        config_digest_ = manifest.config.digest;
        manifest_ = spec::encode_manifest(manifest);
        return {};
    }

    Result<std::unique_ptr<ByteStream>> open_top() override {
        return stream_of(manifest_, std::string(spec::media::kOciManifest));
    }
    Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor&) override {
        return fail(Errc::internal, "a docker archive has no index");
    }
    Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor& blob) override {
        if (blob.digest == config_digest_) {
            return stream_of(config_, blob.media_type);
        }
        const auto file = files_.find(blob.digest);
        if (file == files_.end()) {
            return fail(Errc::internal, "{} is not in the manifest", blob.digest.text());
        }
        return stream_of(KNARR_TRY(tree_->open(file->second)), blob.media_type);
    }
    std::optional<spec::Digest> top_digest() const override { return std::nullopt; }
    std::string stored_name() const override { return name_; }

private:
    std::shared_ptr<const FileTree> tree_;  // shared with the archive's other images
    std::string name_, config_, manifest_;
    std::optional<spec::Digest> config_digest_;
    std::map<spec::Digest, std::string> files_;  // layer -> its name in the archive
};

}  // namespace

Result<std::vector<DockerEntry>> list_docker_archive(const FileTree& tree) {
    const std::string manifest =
        KNARR_TRY(read_file(tree, "manifest.json", limits::kMaxManifestBytes));
    std::vector<DockerEntry> all;
    std::size_t names = 0;
    for (Entry& entry : KNARR_TRY(spec::decode_docker_archive(manifest))) {
        if (all.size() == kMaxArchiveImages) {
            return fail(Errc::limit_exceeded,
                        "manifest.json lists more than the {} images allowed",
                        kMaxArchiveImages);
        }
        names += entry.repo_tags.size();
        if (names > kMaxArchiveNames) {
            return fail(Errc::limit_exceeded,
                        "manifest.json lists more than the {} names allowed",
                        kMaxArchiveNames);
        }
        DockerEntry found{.image = std::move(entry)};
        for (const std::string& name : found.image.repo_tags) {
            found.names.push_back(KNARR_TRY(Reference::parse(name), "manifest.json").text());
        }
        all.push_back(std::move(found));
    }
    return all;
}

Result<spec::Digest> SliceDigests::of(const FileSlice& slice) {
    const struct stat info = KNARR_TRY(sys::stat_of(slice.file));
    const Place place{info.st_dev, info.st_ino, slice.offset, slice.size};
    const auto known = known_.find(place);
    if (known != known_.end()) {
        return known->second;
    }
    spec::Digest digest = KNARR_TRY(hash_slice(slice));
    known_.emplace(place, digest);
    return digest;
}

Result<std::unique_ptr<Source>> open_docker_entry(std::shared_ptr<const FileTree> tree,
                                                  const spec::DockerArchiveImage& image,
                                                  const std::string& name,
                                                  SliceDigests& digests) {
    auto source = std::make_unique<DockerArchiveSource>(std::move(tree), name);
    KNARR_TRY(source->load(image, digests));
    return std::unique_ptr<Source>(std::move(source));
}

Result<std::unique_ptr<Source>> open_docker_archive(std::string_view text) {
    const PathAndName what = split_path(text);
    auto tree = KNARR_TRY(open_archive_tree(what.path));
    const std::string manifest =
        KNARR_TRY(read_file(*tree, "manifest.json", limits::kMaxManifestBytes), "{}", what.path);
    auto entries = KNARR_TRY(spec::decode_docker_archive(manifest), "{}", what.path);
    const Entry entry = KNARR_TRY(choose(std::move(entries), what.name), "{}", what.path);
    std::string name = local_reference(what.path, "");
    if (!entry.repo_tags.empty()) {
        name = KNARR_TRY(Reference::parse(entry.repo_tags.front()), "{}", what.path).text();
    }
    SliceDigests digests;
    return KNARR_TRY(open_docker_entry(std::move(tree), entry, name, digests), "{}", what.path);
}

}  // namespace knarr::image
