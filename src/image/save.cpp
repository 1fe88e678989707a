#include "image/save.h"

#include <algorithm>
#include <set>

#include "core/core.h"
#include "image/archive_writer.h"
#include "image/find.h"
#include "image/reference.h"
#include "platform/file.h"
#include "platform/standard_stream.h"
#include "spec/json_writer.h"
#include "spec/wasm.h"

namespace knarr::image {
namespace {

constexpr std::size_t kCopyBytes = size::kMiB;
/// Source: image-spec annotations.md; containerd's name for whole references, which docker writes
/// and reads.
const std::string kRefName = "org.opencontainers.image.ref.name";
const std::string kImageName = "io.containerd.image.name";

/// One image to save, with the names that it was asked for by.
struct Saved {
    Image image;
    std::vector<Reference> names;
};

std::string blob_file(const spec::Digest& digest) {
    return fmt::format("blobs/sha256/{}", digest.hex());
}

/// What is asked for, each image once, protected.
Result<std::vector<Saved>> choose(const store::Store& store,
                                  const store::Lease& lease,
                                  const std::vector<std::string>& names) {
    std::vector<Saved> all;
    for (const std::string& name : names) {
        Image image = KNARR_TRY(find_image(store, name));
        const std::set<spec::Digest> blobs = blobs_of(image);
        KNARR_TRY(lease.protect({blobs.begin(), blobs.end()}));
        for (const spec::Digest& digest : blobs) {
            if (!KNARR_TRY(store.has(digest))) {
                return fail(
                    Error{.code = Errc::image_not_found,
                          .message = fmt::format(
                              "image {}: blob {} is not stored", printable(name), digest.text()),
                          .hint = "pull the image again"});
            }
        }
        const auto named = KNARR_TRY(find_ref(store, name));
        const auto reference = Reference::parse(named ? named->reference : name);
        const spec::Digest digest = image.digest;
        const bool by_name = reference && reference->text() == image.reference &&
                             !reference->tag().empty() && !reference->digest();
        auto known = std::ranges::find_if(
            all, [&](const Saved& saved) { return saved.image.digest == digest; });
        if (known == all.end()) {
            all.push_back({.image = std::move(image), .names = {}});
            known = all.end() - 1;
        }
        if (by_name) {
            known->names.push_back(*reference);
        }
    }
    return all;
}

Result<> copy_blob(const store::Store& store, FileSink& sink, const spec::Digest& digest) {
    const sys::Fd file = KNARR_TRY(store.open_blob(digest));
    const auto size = static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
    KNARR_TRY(sink.begin(blob_file(digest), size));
    std::vector<char> buffer(kCopyBytes);
    store::Sha256 sum;
    while (true) {
        const std::size_t got =
            KNARR_TRY(sys::read_some(file, buffer), "read blob {}", digest.text());
        if (got == 0) {
            break;
        }
        sum.update({buffer.data(), got});
        KNARR_TRY(sink.write({buffer.data(), got}));
    }
    if (sum.finish() != digest) {
        return fail(Error{.code = Errc::corrupt,
                          .message = fmt::format("blob {} is damaged", digest.text()),
                          .hint = "knarr image verify puts it aside, then pull the image again"});
    }
    return sink.end();
}

spec::Descriptor describe_manifest(const Image& image, std::uint64_t size) {
    return {.media_type = image.manifest.media_type,
            .digest = image.digest,
            .size = size,
            .platform = image.config.platform.os.empty() ? std::nullopt
                                                         : std::optional(image.config.platform),
            .annotations = {},
            .artifact_type = {}};
}

/// One entry for each name, one without for an image that was asked for by its ID.
Result<std::string> layout_index(const store::Store& store, const std::vector<Saved>& all) {
    spec::Index index{
        .media_type = std::string(spec::media::kOciIndex), .manifests = {}, .annotations = {}};
    for (const Saved& saved : all) {
        const spec::Descriptor plain =
            describe_manifest(saved.image, KNARR_TRY(store.blob_size(saved.image.digest)));
        if (saved.names.empty()) {
            index.manifests.push_back(plain);
        }
        for (const Reference& name : saved.names) {
            spec::Descriptor entry = plain;
            entry.annotations[kImageName] = name.text();
            entry.annotations[kRefName] = name.text();  // where podman and skopeo look
            index.manifests.push_back(std::move(entry));
        }
    }
    return spec::encode_index(index);
}

/// Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
std::string docker_manifest(const std::vector<Saved>& all) {
    spec::JsonWriter json;
    json.begin_array();
    for (const Saved& saved : all) {
        json.begin_object().member("Config", blob_file(saved.image.id)).key("RepoTags");
        if (saved.names.empty()) {
            json.null();
        } else {
            json.begin_array();
            for (const Reference& name : saved.names) {
                json.value(name.familiar());
            }
            json.end_array();
        }
        json.key("Layers").begin_array();
        for (const spec::Descriptor& layer : saved.image.manifest.layers) {
            json.value(blob_file(layer.digest));
        }
        json.end_array().end_object();
    }
    json.end_array();
    return std::move(json).text();
}

Result<std::unique_ptr<FileSink>> open_sink(const SaveRequest& request) {
    if (request.format == ArchiveFormat::oci_dir) {
        return directory_sink(request.path);
    }
    if (request.path.empty()) {
        return tar_sink(KNARR_TRY(sys::duplicate(sys::StandardStream(1).fd()), "standard output"));
    }
    return tar_file_sink(request.path);
}

}  // namespace

Result<> save_images(const store::Store& store, const SaveRequest& request) {
    const store::Lease lease = KNARR_TRY(store.lease_to_read());
    const std::vector<Saved> all = KNARR_TRY(choose(store, lease, request.names));
    for (const Saved& saved : all) {
        if (request.format == ArchiveFormat::docker_archive &&
            spec::is_wasm(saved.image.manifest)) {
            return fail(Error{.code = Errc::unsupported,
                              .message = fmt::format("image {} is a WebAssembly module, and docker "
                                                     "archives are of tars",
                                                     printable(saved.image.reference)),
                              .hint = "--format oci-archive, or oci-dir"});
        }
    }
    const auto sink = KNARR_TRY(open_sink(request), "save");
    std::set<spec::Digest> written;
    for (const Saved& saved : all) {
        std::vector<spec::Digest> blobs{saved.image.digest, saved.image.id};
        for (const spec::Descriptor& layer : saved.image.manifest.layers) {
            blobs.push_back(layer.digest);
        }
        for (const spec::Digest& digest : blobs) {
            if (written.insert(digest).second) {
                KNARR_TRY(copy_blob(store, *sink, digest), "save");
            }
        }
    }
    const std::string index = KNARR_TRY(layout_index(store, all), "save");
    KNARR_TRY(sink->put("index.json", index), "save");
    if (request.format == ArchiveFormat::docker_archive) {
        KNARR_TRY(sink->put("manifest.json", docker_manifest(all)), "save");
    }
    KNARR_TRY(sink->put("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"), "save");
    KNARR_TRY(sink->finish(), "save");
    return {};
}

}  // namespace knarr::image
