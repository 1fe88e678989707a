#include "image/push.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/core.h"
#include "image/connect.h"
#include "image/find.h"
#include "image/platform.h"
#include "image/reference.h"
#include "image/referrers_tag.h"
#include "image/short_names.h"
#include "spec/referrers.h"

namespace knarr::image {
namespace {

constexpr std::size_t kParallel = 3;
constexpr std::size_t kMaxMountSources = 8;  // each is one more scope of the token

/// A manifest or an index that is to go.
struct Parcel {
    spec::Digest digest;
    std::string media_type;
    std::uint64_t size = 0;
    std::optional<spec::Referral> referral = {};
};

/// Everything that goes, in its order.
struct Shipment {
    std::vector<spec::Descriptor> blobs;  // each once
    std::vector<Parcel> documents;        // the top one last
};

class Packer {
public:
    Packer(const store::Store& store, const store::Lease& lease, const PushRequest& request)
        : store_(store), lease_(lease), request_(request) {}

    Result<Shipment> pack(const PullProgressFn& progress) {
        const Image image = KNARR_TRY(find_image(store_, request_.name, request_.options.platform));
        const std::set<spec::Digest> all = blobs_of(image);
        KNARR_TRY(lease_.protect({all.begin(), all.end()}));
        if (image.top != image.digest && request_.options.platform.empty()) {
            const auto missing = KNARR_TRY(add_index(image));
            if (!missing) {
                return std::move(shipment_);
            }
            if (request_.all_platforms) {
                return fail(Error{.code = Errc::image_not_found,
                                  .message = fmt::format("not all of the index is stored: {} is "
                                                         "missing",
                                                         missing->text()),
                                  .hint = "pull it for each platform: --platform OS/ARCH"});
            }
            shipment_ = {};
            seen_.clear();
            tell(progress,
                 fmt::format("of the index only {} is stored: its manifest is pushed alone, as {}",
                             printable(to_text(image.config.platform), 64),
                             image.digest.text()));
        }
        KNARR_TRY(require(image.digest));
        if (const auto missing = KNARR_TRY(add_manifest(image.digest))) {
            return fail(Error{.code = Errc::image_not_found,
                              .message = fmt::format("blob {} is not stored", missing->text()),
                              .hint = "pull the image again"});
        }
        return std::move(shipment_);
    }

private:
    static void tell(const PullProgressFn& progress, std::string text) {
        if (progress) {
            progress({.phase = PullPhase::waiting, .text = std::move(text)});
        }
    }

    Result<> require(const spec::Digest& digest) const {
        if (!KNARR_TRY(store_.has(digest))) {
            return fail(Errc::image_not_found, "manifest {} is not stored", digest.text());
        }
        return {};
    }

    /// The first blob that is not stored; nothing when all are.
    Result<std::optional<spec::Digest>> add_manifest(const spec::Digest& digest) {
        const std::string text = KNARR_TRY(store_.read_blob(digest, limits::kMaxManifestBytes));
        const auto content = KNARR_TRY(spec::decode_manifest_or_index(text, {}));
        if (!content.manifest) {
            return fail(Errc::invalid_image, "an index inside an index");
        }
        std::vector<spec::Descriptor> blobs = content.manifest->layers;
        blobs.push_back(content.manifest->config);
        std::vector<spec::Digest> digests;
        digests.reserve(blobs.size());
        for (const spec::Descriptor& blob : blobs) {
            digests.push_back(blob.digest);
        }
        KNARR_TRY(lease_.protect(digests));
        for (spec::Descriptor& blob : blobs) {
            if (!KNARR_TRY(store_.has(blob.digest))) {
                return std::optional(blob.digest);
            }
            if (seen_.insert(blob.digest).second) {
                shipment_.blobs.push_back(std::move(blob));
            }
        }
        KNARR_TRY(add_document(digest, content.manifest->media_type, text));
        return std::optional<spec::Digest>();
    }

    Result<std::optional<spec::Digest>> add_index(const Image& image) {
        const std::string text = KNARR_TRY(store_.read_blob(image.top, limits::kMaxManifestBytes));
        const auto content = KNARR_TRY(spec::decode_manifest_or_index(text, {}));
        if (!content.index) {
            return fail(Errc::invalid_image, "{} is no index", image.top.text());
        }
        for (const spec::Descriptor& entry : content.index->manifests) {
            KNARR_TRY(lease_.protect({entry.digest}));
            if (!KNARR_TRY(store_.has(entry.digest))) {
                return std::optional(entry.digest);
            }
            if (auto missing = KNARR_TRY(add_manifest(entry.digest))) {
                return missing;
            }
        }
        KNARR_TRY(add_document(image.top, content.index->media_type, text));
        return std::optional<spec::Digest>();
    }

    Result<> add_document(const spec::Digest& digest,
                          const std::string& media_type,
                          std::string_view text) {
        shipment_.documents.push_back({.digest = digest,
                                       .media_type = media_type,
                                       .size = text.size(),
                                       .referral = KNARR_TRY(spec::referral_of(text, digest))});
        return {};
    }

    const store::Store& store_;
    const store::Lease& lease_;
    const PushRequest& request_;
    Shipment shipment_;
    std::set<spec::Digest> seen_;
};

/// Repositories of the same registry that may have a blob, because an image from there has it.
Result<std::map<spec::Digest, std::string>> mount_sources(const store::Store& store,
                                                          const Reference& to,
                                                          const Shipment& shipment) {
    std::map<spec::Digest, std::string> sources;
    std::set<std::string> repositories;
    for (const store::Ref& ref : KNARR_TRY(store.list_refs())) {
        const auto from = Reference::parse(ref.reference);
        if (!from || from->domain() != to.domain() || from->repository() == to.repository() ||
            (repositories.size() == kMaxMountSources &&
             !repositories.contains(from->repository()))) {
            continue;
        }
        const auto reach = store.reach(ref);
        if (!reach) {
            continue;  // only a shorter way is lost
        }
        for (const spec::Descriptor& blob : shipment.blobs) {
            if (reach->needed.contains(blob.digest) || reach->blobs.contains(blob.digest)) {
                sources.emplace(blob.digest, from->repository());
                repositories.insert(from->repository());
            }
        }
    }
    return sources;
}

class Pusher {
public:
    Pusher(const store::Store& store,
           const PushRequest& request,
           const PullProgressFn& progress,
           PullProcess& process,
           const Shipment& shipment,
           std::map<spec::Digest, std::string> sources)
        : store_(store),
          request_(request),
          progress_(progress),
          process_(process),
          shipment_(shipment),
          sources_(std::move(sources)) {}

    Result<> run(const Reference& to) {
        auto pushed = push_blobs();
        if (pushed) {
            pushed = push_documents(to);
        }
        if (!pushed) {
            process_.leave();
            Error error = std::move(pushed).error();
            error.message += fmt::format("; {} of {} blobs and {} of {} manifests are there",
                                         blobs_done_,
                                         shipment_.blobs.size(),
                                         documents_done_,
                                         shipment_.documents.size());
            return fail(std::move(error).advise(
                "push again: what the registry has is not sent again; the name is given last"));
        }
        return {};
    }

private:
    struct Running {
        std::uint32_t id = 0;
        const spec::Descriptor* blob = nullptr;
        std::uint64_t told = 0;
    };

    void tell(PullPhase phase, const spec::Descriptor& blob, std::uint64_t done, std::string text) {
        if (progress_) {
            progress_({.phase = phase,
                       .layer = blob.digest.text(),
                       .done = done,
                       .total = blob.size,
                       .text = std::move(text)});
        }
    }

    Result<> start(const spec::Descriptor& blob) {
        const sys::Fd file = KNARR_TRY(store_.open_blob(blob.digest));
        const std::uint64_t size = KNARR_TRY(store_.blob_size(blob.digest));
        if (size != blob.size) {
            return fail(
                Error{.code = Errc::corrupt,
                      .message = fmt::format(
                          "blob {} has {} bytes, not {}", blob.digest.text(), size, blob.size),
                      .hint = "knarr image verify puts it aside, then pull it again"});
        }
        const auto source = sources_.find(blob.digest);
        const std::uint32_t id = KNARR_TRY(
            process_.push({.kind = rpc::FetchKind::blob,
                           .target = blob.digest.text(),
                           .size = size,
                           .mount_from = source == sources_.end() ? std::string() : source->second},
                          file));
        running_.push_back({.id = id, .blob = &blob});
        tell(PullPhase::uploading, blob, 0, {});
        return {};
    }

    /// Takes in how far it is. Whether it is over.
    Result<bool> look(Running& running) {
        const PullProcess::Order& order = process_.order(running.id);
        const spec::Descriptor& blob = *running.blob;
        if (order.failed) {
            return fail(*order.failed);
        }
        if (!order.done) {
            if (order.sent > running.told) {
                running.told = std::min(order.sent, blob.size);
                tell(PullPhase::uploading, blob, running.told, {});
            }
            return false;
        }
        std::string how = "Pushed";
        if (order.how == rpc::Outcome::present) {
            how = "Layer already exists";
        } else if (order.how == rpc::Outcome::mounted) {
            how = "Mounted from " + sources_[blob.digest];
        }
        tell(PullPhase::uploaded, blob, blob.size, std::move(how));
        ++blobs_done_;
        process_.forget(running.id);
        return true;
    }

    Result<> push_blobs() {
        auto next = shipment_.blobs.begin();
        while (next != shipment_.blobs.end() || !running_.empty()) {
            while (next != shipment_.blobs.end() && running_.size() < kParallel) {
                KNARR_TRY(start(*next++));
            }
            KNARR_TRY(wait_for(process_, request_.options));
            for (auto one = running_.begin(); one != running_.end();) {
                one = KNARR_TRY(look(*one)) ? running_.erase(one) : one + 1;
            }
        }
        return {};
    }

    Result<> push_documents(const Reference& to) {
        for (const Parcel& document : shipment_.documents) {
            const bool is_top = &document == &shipment_.documents.back();
            const sys::Fd file = KNARR_TRY(store_.open_blob(document.digest));
            const std::uint32_t id = KNARR_TRY(process_.push(
                {.kind = rpc::FetchKind::manifest,
                 .target = is_top && !to.tag().empty() ? to.tag() : document.digest.text(),
                 .media_type = document.media_type,
                 .size = document.size},
                file));
            const auto order = KNARR_TRY(finish(process_, id, request_.options));
            if (!order.digest.empty() && order.digest != document.digest.text()) {
                return fail(Errc::digest_mismatch,
                            "the registry stored manifest {}, and says that it is {}",
                            document.digest.text(),
                            order.digest);
            }
            ++documents_done_;
            if (document.referral && !order.lists_referrer) {
                const auto listed =
                    KNARR_TRY(list_referrer(process_, *document.referral, request_.options));
                if (listed && progress_) {
                    progress_({.phase = PullPhase::waiting, .text = *listed});
                }
            }
        }
        return {};
    }

    const store::Store& store_;
    const PushRequest& request_;
    const PullProgressFn& progress_;
    PullProcess& process_;
    const Shipment& shipment_;
    std::map<spec::Digest, std::string> sources_;
    std::vector<Running> running_;
    std::size_t blobs_done_ = 0, documents_done_ = 0;
};

Result<Reference> destination_of(const store::Store& store,
                                 const PushRequest& request,
                                 const Shipment& shipment) {
    const bool own_name = request.destination.empty();
    const auto found =
        own_name ? KNARR_TRY(find_ref(store, request.name)) : std::optional<store::Ref>();
    auto to =
        Reference::parse(!own_name ? request.destination
                         : found && is_short_name(request.name) && !is_nameless(found->reference)
                             ? found->reference  // what a short name means here
                             : request.name);
    if (!to && own_name) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "it is named by its ID, which says nothing of a registry",
                          .hint = "name where it goes: knarr push IMAGE HOST/NAME:TAG"});
    }
    if (!to) {
        return fail(std::move(to).error());
    }
    const spec::Digest& top = shipment.documents.back().digest;
    if (to->digest() && *to->digest() != top) {
        return fail(Error{.code = Errc::digest_mismatch,
                          .message = fmt::format("the destination has the digest {}, what is to be "
                                                 "pushed {}",
                                                 to->digest()->text(),
                                                 top.text()),
                          .hint = "leave the digest out"});
    }
    return to;
}

}  // namespace

Result<PushedImage> push_image(const store::Store& store,
                               const store::Lease& lease,
                               const PushRequest& request,
                               const PullProgressFn& progress) {
    const std::string what = printable(request.name);
    const Shipment shipment =
        KNARR_TRY(Packer(store, lease, request).pack(progress), "push {}", what);
    const Reference to = KNARR_TRY(destination_of(store, request, shipment), "push {}", what);
    auto sources = KNARR_TRY(mount_sources(store, to, shipment), "push {}", what);
    std::set<std::string> repositories;
    for (const auto& [digest, repository] : sources) {
        repositories.insert(repository);
    }
    const auto notice = [&progress](const std::string& text) {
        if (progress) {
            progress({.phase = PullPhase::waiting, .text = text});
        }
    };
    const auto process = KNARR_TRY(
        connect(
            to, request.options, Purpose::push, notice, {repositories.begin(), repositories.end()}),
        "push {}",
        what);
    KNARR_TRY(Pusher(store, request, progress, *process, shipment, std::move(sources)).run(to),
              "push {}",
              what);
    const Parcel& top = shipment.documents.back();
    return PushedImage{
        .reference = to.text(), .digest = top.digest.text(), .size = top.size, .tag = to.tag()};
}

}  // namespace knarr::image
