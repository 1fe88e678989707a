#include "image/pull.h"

#include "core/core.h"
#include "core/fault.h"
#include "image/deadline.h"
#include "image/docker_archive.h"
#include "image/layer_pull.h"
#include "image/layout_source.h"
#include "image/platform.h"
#include "image/registry_source.h"
#include "image/short_names.h"
#include "platform/spawn.h"
#include "spec/wasm.h"
#include "store/disk_trouble.h"

namespace knarr::image {
namespace {

constexpr std::string_view kLayoutPrefix = "oci:", kOciArchivePrefix = "oci-archive:",
                           kDockerArchivePrefix = "docker-archive:";

/// A manifest or an index, verified and stored.
struct CheckedManifest {
    std::string text;
    spec::Digest digest;
    std::string media_type;
    spec::ManifestOrIndex content;
};

class Puller {
public:
    Puller(Source& source,
           const store::Store& store,
           const store::Lease& lease,
           const PullOptions& options,
           const Limits& limits,
           const PullProgressFn& progress)
        : source_(source),
          store_(store),
          lease_(lease),
          options_(options),
          limits_(limits),
          progress_(progress) {}

    Result<Image> run() {
        KNARR_TRY(check_name(source_, source_.stored_name()));
        tell("manifest");
        std::unique_ptr<ByteStream> stream = KNARR_TRY(source_.open_top());
        CheckedManifest top = KNARR_TRY(read_document(*stream, source_.top_digest()), "manifest");
        stream.reset();
        const spec::Platform wanted = KNARR_TRY(wanted_platform());
        CheckedManifest chosen = top.content.index ? KNARR_TRY(choose(top, wanted)) : top;
        spec::Manifest manifest = *std::move(chosen.content.manifest);
        // From here on nothing that is found stored can go.
        KNARR_TRY(protect(top.digest, chosen, manifest));
        tell("configuration");
        spec::ImageConfig config = KNARR_TRY(read_config(manifest));
        const bool is_wasm = spec::is_wasm(manifest);
        if (!is_wasm) {
            KNARR_TRY(check_platform(config, wanted));
        }
        if (!is_wasm && config.diff_ids.size() != manifest.layers.size()) {
            return fail(Errc::invalid_image,
                        "the manifest has {} layers, the configuration {}",
                        manifest.layers.size(),
                        config.diff_ids.size());
        }
        const std::vector<spec::Digest> chain = store::chain_ids(config.diff_ids);
        KNARR_TRY(lease_.protect(chain));
        KNARR_TRY(store_.put_blob(chosen.text));
        KNARR_TRY(pull_layers({.source = source_,
                               .store = store_,
                               .options = options_,
                               .limits = limits_,
                               .progress = progress_,
                               .layers = manifest.layers,
                               .diff_ids = config.diff_ids,
                               .chain = chain}));
        KNARR_TRY(fault_point("pull.ref"));
        const bool is_new = KNARR_TRY(keep(top));
        if (progress_) {
            progress_({.phase = PullPhase::finished,
                       .text = chosen.digest.text(),
                       .reference = reference_of(top),
                       .digest = top.digest.text(),
                       .is_new = is_new});
        }
        return Image{.reference = reference_of(top),
                     .top = top.digest,
                     .id = manifest.config.digest,
                     .digest = chosen.digest,
                     .manifest = std::move(manifest),
                     .config = std::move(config),
                     .chain = chain};
    }

private:
    Result<> protect(const spec::Digest& top,
                     const CheckedManifest& chosen,
                     const spec::Manifest& manifest) {
        std::vector<spec::Digest> digests{top, chosen.digest, manifest.config.digest};
        for (const spec::Descriptor& layer : manifest.layers) {
            digests.push_back(layer.digest);
        }
        return lease_.protect(digests);
    }

    void tell(std::string_view text) {
        if (progress_) {
            progress_({.phase = PullPhase::resolving, .text = std::string(text)});
        }
    }

    Result<CheckedManifest> read_document(ByteStream& stream,
                                          const std::optional<spec::Digest>& expected) {
        std::string text =
            KNARR_TRY(read_whole(source_, stream, limits::kMaxManifestBytes, options_));
        const spec::Digest digest = store::sha256_of(text);
        if (expected && digest != *expected) {
            return fail(Errc::digest_mismatch, "it is {}, not {}", digest.text(), expected->text());
        }
        // Servers that know nothing of images say "application/json" or the like.
        std::string said = stream.media_type();
        if (!said.starts_with("application/vnd.")) {
            said.clear();
        }
        auto content = KNARR_TRY(spec::decode_manifest_or_index(text, said));
        std::string media_type =
            content.index ? content.index->media_type : content.manifest->media_type;
        return CheckedManifest{.text = std::move(text),
                               .digest = digest,
                               .media_type = std::move(media_type),
                               .content = std::move(content)};
    }

    Result<spec::Platform> wanted_platform() const {
        if (!options_.platform.empty()) {
            return parse_platform(options_.platform);
        }
        return host_platform(KNARR_TRY(sys::machine_name()));
    }

    Result<CheckedManifest> choose(const CheckedManifest& top, const spec::Platform& wanted) {
        const spec::Descriptor entry = KNARR_TRY(choose_platform(*top.content.index, wanted));
        std::unique_ptr<ByteStream> stream = KNARR_TRY(source_.open_manifest(entry));
        CheckedManifest chosen =
            KNARR_TRY(read_document(*stream, entry.digest), "manifest for {}", to_text(wanted));
        if (!chosen.content.manifest) {
            return fail(Errc::invalid_image, "an index inside an index");
        }
        return chosen;
    }

    Result<spec::ImageConfig> read_config(const spec::Manifest& manifest) {
        const spec::Descriptor& blob = manifest.config;
        if (!spec::is_image_config(blob.media_type) &&
            !(spec::is_wasm(manifest) && blob.media_type == spec::media::kWasmConfig)) {
            return fail(Errc::invalid_image,
                        "this is no container image but {}",
                        printable(blob.media_type, 128));
        }
        if (KNARR_TRY(store_.has(blob.digest)) &&
            !KNARR_TRY(store_.quarantine_if_damaged(blob.digest))) {
            const std::string text =
                KNARR_TRY(store_.read_blob(blob.digest, limits::kMaxImageConfigBytes));
            return spec::decode_config_of(manifest, text);
        }
        if (blob.size > limits::kMaxImageConfigBytes) {
            return fail(Errc::limit_exceeded,
                        "configuration of {} bytes; at most {} are allowed",
                        blob.size,
                        limits::kMaxImageConfigBytes);
        }
        std::unique_ptr<ByteStream> stream = KNARR_TRY(source_.open_blob(blob), "configuration");
        const std::string text = KNARR_TRY(
            read_whole(source_, *stream, limits::kMaxImageConfigBytes, options_), "configuration");
        const spec::Digest digest = store::sha256_of(text);
        if (digest != blob.digest) {
            return fail(Errc::digest_mismatch,
                        "configuration: it is {}, not {}",
                        digest.text(),
                        blob.digest.text());
        }
        spec::ImageConfig config = KNARR_TRY(spec::decode_config_of(manifest, text));
        KNARR_TRY(store_.put_blob(text));
        return config;
    }

    Result<> check_platform(const spec::ImageConfig& config, const spec::Platform& wanted) const {
        if (config.platform.architecture.empty() || satisfies(config.platform, wanted)) {
            return {};
        }
        return fail(Error{.code = Errc::platform_mismatch,
                          .message = fmt::format("the image is for {}, not for {}",
                                                 printable(to_text(config.platform), 64),
                                                 to_text(wanted)),
                          .hint = fmt::format("to have it all the same: --platform {}",
                                              printable(to_text(config.platform), 64))});
    }

    std::string reference_of(const CheckedManifest& top) const {
        const std::string name = source_.stored_name();
        return name.empty() ? top.digest.text() : name;
    }

    /// From here on the image exists. Whether its name meant something else before.
    Result<bool> keep(const CheckedManifest& top) {
        KNARR_TRY(store_.put_blob(top.text));
        const std::string reference = reference_of(top);
        const auto before = store_.get_ref(reference);  // a damaged one is written anew
        KNARR_TRY(store_.put_ref({.reference = reference,
                                  .media_type = top.media_type,
                                  .digest = top.digest,
                                  .size = top.text.size(),
                                  .pulled_time = format_time(system_clock().wall())}));
        return !before || !*before || (*before)->digest != top.digest;
    }

    Source& source_;
    const store::Store& store_;
    const store::Lease& lease_;
    const PullOptions& options_;
    const Limits& limits_;
    const PullProgressFn& progress_;
};

Result<std::unique_ptr<Source>> open_reference(const Reference& reference,
                                               const PullOptions& options,
                                               const PullProgressFn& progress) {
    return open_registry(reference, options, [progress](const std::string& notice) {
        if (progress) {
            progress({.phase = PullPhase::waiting, .text = notice});
        }
    });
}

/// What the name means without a registry; nothing: it is of one.
Result<std::unique_ptr<Source>> open_local(std::string_view name) {
    if (name.starts_with(kLayoutPrefix)) {
        return open_layout_dir(name.substr(kLayoutPrefix.size()));
    }
    if (name.starts_with(kOciArchivePrefix)) {
        return open_oci_archive(name.substr(kOciArchivePrefix.size()));
    }
    if (name.starts_with(kDockerArchivePrefix)) {
        return open_docker_archive(name.substr(kDockerArchivePrefix.size()));
    }
    return nullptr;
}

}  // namespace

Result<Image> pull_from(Source& source,
                        const store::Store& store,
                        const store::Lease& lease,
                        const PullOptions& options,
                        const Limits& limits,
                        const PullProgressFn& progress) {
    return store::about_disk(Puller(source, store, lease, options, limits, progress).run(),
                             store.root());
}

Result<Image> pull_image(const store::Store& store,
                         const store::Lease& lease,
                         const std::string& name,
                         const PullOptions& options,
                         const Limits& limits,
                         const PullProgressFn& progress) {
    const Deadline deadline = deadline_of(options, system_clock().steady());
    if (const auto local = KNARR_TRY(open_local(name), "pull {}", printable(name))) {
        TimedSource timed(*local, deadline);
        return KNARR_TRY(
            pull_from(timed, store, lease, options, limits, progress), "pull {}", printable(name));
    }
    const std::vector<Reference> meant =
        KNARR_TRY(meanings(name, Wanted::fetched), "pull {}", printable(name));
    // A registry to search that is down is an error: what it has may be another image than the
    // next one's.
    for (std::size_t at = 0; at + 1 < meant.size(); ++at) {
        const auto source =
            KNARR_TRY(open_reference(meant[at], options, progress), "pull {}", printable(name));
        auto image = pull_from(*source, store, lease, options, limits, progress);
        if (image || (image.error().code != Errc::image_not_found &&
                      image.error().code != Errc::unauthorized)) {
            return KNARR_TRY(std::move(image), "pull {}", printable(name));
        }
        if (progress) {
            progress({.phase = PullPhase::waiting,
                      .text = fmt::format(
                          "{}; asking for {}", image.error().message, meant[at + 1].text())});
        }
    }
    const auto source =
        KNARR_TRY(open_reference(meant.back(), options, progress), "pull {}", printable(name));
    return KNARR_TRY(
        pull_from(*source, store, lease, options, limits, progress), "pull {}", printable(name));
}

}  // namespace knarr::image

namespace knarr {

std::string_view name_of(PullPhase phase) {
    switch (phase) {
        case PullPhase::resolving:
            return "resolving";
        case PullPhase::downloading:
            return "downloading";
        case PullPhase::unpacking:
            return "unpacking";
        case PullPhase::present:
            return "present";
        case PullPhase::waiting:
            return "waiting";
        case PullPhase::uploading:
            return "uploading";
        case PullPhase::uploaded:
            return "uploaded";
        case PullPhase::finished:
            break;
    }
    return "finished";
}

}  // namespace knarr
