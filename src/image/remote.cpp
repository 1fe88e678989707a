#include "image/remote.h"

#include <algorithm>

#include "core/core.h"
#include "core/limits.h"
#include "image/connect.h"
#include "image/deadline.h"
#include "image/reference.h"
#include "image/referrers_tag.h"
#include "spec/referrers.h"
#include "spec/registry.h"
#include "store/sha256.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMaxListed = 1'000'000;
constexpr std::size_t kMaxPages = 250;  // of referrers; a page may be empty
constexpr std::size_t kMaxVariants = 256;
constexpr std::uint64_t kMaxVariantBytes = 16 * size::kMiB;  // together

/// One registry, asked for one repository.
struct Remote {
    Reference reference;
    std::unique_ptr<PullProcess> process;
    const PullOptions& options;

    Result<Document> fetch(rpc::FetchKind kind, const std::string& target, std::size_t max) const {
        return fetch_document(*process, kind, target, max, options);
    }
    Result<std::optional<Document>> fetch_if_there(rpc::FetchKind kind,
                                                   const std::string& target) const {
        return image::fetch_if_there(*process, kind, target, limits::kMaxManifestBytes, options);
    }
};

Result<Remote> open(const RemoteRequest& request, Purpose purpose) {
    std::string_view name = request.name;
    if (constexpr std::string_view kTransport = "docker://"; name.starts_with(kTransport)) {
        name.remove_prefix(kTransport.size());
    }
    Reference reference = KNARR_TRY(Reference::parse(name));
    auto process = KNARR_TRY(connect(reference, request.options, purpose, request.notice));
    return Remote{.reference = std::move(reference),
                  .process = std::move(process),
                  .options = request.options};
}

struct Meant {
    spec::Digest digest;
    std::string text;  // of the manifest
    std::string media_type = {};
};

/// The digest of the manifest that the name means: of the bytes that come, whatever the registry
/// calls them.
Result<Meant> resolve(const Remote& remote) {
    const auto& said = remote.reference.digest();
    Document document = KNARR_TRY(remote.fetch(rpc::FetchKind::manifest,
                                               said ? said->text() : remote.reference.tag(),
                                               limits::kMaxManifestBytes));
    spec::Digest digest = store::sha256_of(document.text);
    if (said && digest != *said) {
        return fail(Errc::digest_mismatch, "it is {}, not {}", digest.text(), said->text());
    }
    return Meant{.digest = std::move(digest),
                 .text = std::move(document.text),
                 .media_type = std::move(document.media_type)};
}

Result<> add_referrers(const Document& document,
                       const std::string& artifact_type,
                       RemoteReferrers& out) {
    const auto content = KNARR_TRY(
        spec::decode_manifest_or_index(document.text, spec::media::kOciIndex), "referrers");
    if (!content.index) {
        return fail(Errc::invalid_image, "the list of referrers is no index");
    }
    for (const spec::Descriptor& entry : content.index->manifests) {
        if (artifact_type.empty() || entry.artifact_type == artifact_type) {
            out.referrers.push_back({.digest = entry.digest.text(),
                                     .media_type = entry.media_type,
                                     .artifact_type = entry.artifact_type,
                                     .size = entry.size,
                                     .annotations = entry.annotations});
        }
    }
    return {};
}

Result<RemoteReferrers> referrers_of(const Remote& remote, const std::string& artifact_type) {
    const spec::Digest subject = KNARR_TRY(resolve(remote)).digest;
    RemoteReferrers out{.repository = remote.reference.name(), .subject = subject.text()};
    auto page = KNARR_TRY(remote.fetch_if_there(rpc::FetchKind::referrers, subject.text()));
    if (!page) {
        page = KNARR_TRY(
            remote.fetch_if_there(rpc::FetchKind::manifest, spec::referrers_tag(subject.text())));
        if (page) {
            KNARR_TRY(add_referrers(*page, artifact_type, out));
        }
        return out;
    }
    for (std::size_t pages = 1;; ++pages) {
        KNARR_TRY(add_referrers(*page, artifact_type, out));
        if (out.referrers.size() > kMaxListed) {
            return fail(Errc::limit_exceeded, "it has more than {} referrers", kMaxListed);
        }
        if (pages == kMaxPages) {
            return fail(
                Error{.code = Errc::limit_exceeded,
                      .message = fmt::format("its referrers fill more than {} pages", kMaxPages),
                      .hint = "ask for fewer by --artifact-type, or tell the registry's operator: "
                              "it goes on without end"});
        }
        if (page->next_page.empty()) {
            return out;
        }
        page = KNARR_TRY(
            remote.fetch(rpc::FetchKind::page, page->next_page, limits::kMaxManifestBytes));
    }
}

Result<RemoteTags> tags_of(const Remote& remote) {
    RemoteTags out{.repository = remote.reference.name()};
    Document page = KNARR_TRY(remote.fetch(rpc::FetchKind::tags, "", spec::kMaxTagListBytes));
    while (true) {
        auto tags = KNARR_TRY(spec::decode_tags(page.text));
        if (out.tags.size() + tags.size() > kMaxListed) {
            return fail(Errc::limit_exceeded, "it has more than {} tags", kMaxListed);
        }
        std::ranges::move(tags, std::back_inserter(out.tags));
        if (page.next_page.empty() || tags.empty()) {
            return out;
        }
        page =
            KNARR_TRY(remote.fetch(rpc::FetchKind::page, page.next_page, spec::kMaxTagListBytes));
    }
}

/// What has to have the digest.
Result<std::string> fetch_by_digest(const Remote& remote,
                                    rpc::FetchKind kind,
                                    const spec::Digest& digest,
                                    std::size_t max) {
    Document document = KNARR_TRY(remote.fetch(kind, digest.text(), max));
    const spec::Digest came = store::sha256_of(document.text);
    if (came != digest) {
        return fail(Errc::digest_mismatch, "it is {}, not {}", came.text(), digest.text());
    }
    return std::move(document.text);
}

void set_platform(const std::optional<spec::Platform>& platform, RemoteVariant& variant) {
    if (platform) {
        variant.os = platform->os;
        variant.architecture = platform->architecture;
        variant.variant = platform->variant;
        variant.os_version = platform->os_version;
        variant.os_features = platform->os_features;
    }
}

Result<> check_list(const spec::Index& list) {
    constexpr std::string_view kHint = "leave out --verbose, and ask for one of them by its digest";
    if (list.manifests.size() > kMaxVariants) {
        return fail(Error{
            .code = Errc::limit_exceeded,
            .message = fmt::format(
                "the list has {} manifests, more than {}", list.manifests.size(), kMaxVariants),
            .hint = std::string(kHint)});
    }
    std::uint64_t left = kMaxVariantBytes;
    for (const spec::Descriptor& entry : list.manifests) {
        if (entry.size > left) {
            return fail(Error{.code = Errc::limit_exceeded,
                              .message = fmt::format("the list's manifests have more than {} bytes",
                                                     kMaxVariantBytes),
                              .hint = std::string(kHint)});
        }
        left -= entry.size;
    }
    return {};
}

/// What a list says of one of its manifests holds: digest, size and kind.
Result<std::string> fetch_listed(const Remote& remote, const spec::Descriptor& entry) {
    std::string text = KNARR_TRY(
        fetch_by_digest(remote, rpc::FetchKind::manifest, entry.digest, limits::kMaxManifestBytes));
    if (text.size() != entry.size) {
        return fail(Errc::invalid_image,
                    "{}: it has {} bytes, the list says {}",
                    entry.digest.text(),
                    text.size(),
                    entry.size);
    }
    KNARR_TRY(spec::decode_manifest_or_index(text, entry.media_type), "{}", entry.digest.text());
    return text;
}

Result<> add_list(const Remote& remote, const spec::Index& list, RemoteManifest& out) {
    KNARR_TRY(check_list(list));
    for (const spec::Descriptor& entry : list.manifests) {
        RemoteVariant& variant = out.variants.emplace_back();
        variant.reference = fmt::format("{}@{}", remote.reference.text(), entry.digest.text());
        variant.media_type = entry.media_type;
        variant.digest = entry.digest.text();
        variant.text = KNARR_TRY(fetch_listed(remote, entry));
        set_platform(entry.platform, variant);
    }
    return {};
}

/// A single manifest says by its configuration what it is for, where that is an image's.
Result<> add_single(const Remote& remote,
                    const Meant& meant,
                    const spec::Manifest& manifest,
                    RemoteManifest& out) {
    RemoteVariant& variant = out.variants.emplace_back();
    variant.reference = remote.reference.text();
    variant.media_type = manifest.media_type;
    variant.digest = meant.digest.text();
    variant.text = meant.text;
    if (!spec::is_image_config(manifest.config.media_type)) {
        return {};
    }
    const std::string text = KNARR_TRY(fetch_by_digest(
        remote, rpc::FetchKind::blob, manifest.config.digest, limits::kMaxImageConfigBytes));
    const auto config = KNARR_TRY(spec::decode_image_config(text));
    set_platform(config.platform, variant);
    return {};
}

Result<RemoteManifest> manifest_of(const Remote& remote, RemoteDetail detail) {
    const Meant meant = KNARR_TRY(resolve(remote));
    const auto content = KNARR_TRY(spec::decode_manifest_or_index(meant.text, meant.media_type));
    RemoteManifest out{.text = meant.text, .is_list = content.index.has_value()};
    if (detail == RemoteDetail::variants) {
        KNARR_TRY(content.index ? add_list(remote, *content.index, out)
                                : add_single(remote, meant, *content.manifest, out));
    }
    return out;
}

/// Takes a deleted manifest out of its subject's list, where the registry does not.
/// Source: distribution-spec v1.1 "Deleting Manifests".
Result<> forget_referrer(RemoteRequest request,
                         const Remote& remote,
                         const spec::Referral& referral,
                         const Deadline& deadline) {
    if (KNARR_TRY(remote.fetch_if_there(rpc::FetchKind::referrers, referral.subject))) {
        return {};
    }
    // What was opened for deleting may not be allowed to push.
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(deadline.end - system_clock().steady());
    request.options.timeout = std::max(left, std::chrono::seconds(1));
    const Remote writer = KNARR_TRY(open(request, Purpose::push));
    const auto unlisted = KNARR_TRY(unlist_referrer(*writer.process, referral, request.options));
    if (unlisted && request.notice) {
        request.notice(*unlisted);
    }
    return {};
}

}  // namespace

Result<RemoteTags> list_tags(const RemoteRequest& request) {
    const Remote remote =
        KNARR_TRY(open(request, Purpose::look), "tags of {}", printable(request.name));
    return KNARR_TRY(tags_of(remote), "tags of {}", printable(request.name));
}

Result<RemoteReferrers> list_referrers(const RemoteRequest& request) {
    const Remote remote =
        KNARR_TRY(open(request, Purpose::look), "referrers of {}", printable(request.name));
    return KNARR_TRY(
        referrers_of(remote, request.artifact_type), "referrers of {}", printable(request.name));
}

Result<RemoteManifest> inspect_manifest(const RemoteRequest& request, RemoteDetail detail) {
    const std::string what = "manifest of " + printable(request.name);
    const Remote remote = KNARR_TRY(open(request, Purpose::look), "{}", what);
    auto found = manifest_of(remote, detail);
    if (!found && found.error().code == Errc::image_not_found) {  // docker's words
        return fail(std::move(found).error().within("no such manifest: " +
                                                    printable(remote.reference.text())));
    }
    return KNARR_TRY(std::move(found), "{}", what);
}

Result<RemoteImage> delete_remote(const RemoteRequest& request) {
    const std::string what = "delete " + printable(request.name);
    const Deadline deadline = deadline_of(request.options, system_clock().steady());
    const Remote remote = KNARR_TRY(open(request, Purpose::remove), "{}", what);
    const Meant meant = KNARR_TRY(resolve(remote), "{}", what);
    // What no client can make sense of can still be deleted.
    const auto referral = spec::referral_of(meant.text, meant.digest);
    const std::uint32_t id = KNARR_TRY(remote.process->remove(meant.digest.text()));
    KNARR_TRY(finish(*remote.process, id, request.options), "{}", what);
    if (referral && referral->has_value()) {
        if (auto gone = forget_referrer(request, remote, **referral, deadline); !gone) {
            return fail(std::move(gone).error().within(
                fmt::format("{}: it is deleted, but still in the list of what refers to {}",
                            what,
                            printable((*referral)->subject, 100))));
        }
    }
    return RemoteImage{.repository = remote.reference.name(), .digest = meant.digest.text()};
}

}  // namespace knarr::image
