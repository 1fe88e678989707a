#include "image/referrers_tag.h"

#include "core/core.h"
#include "platform/sealed_memory.h"

namespace knarr::image {
namespace {

/// Writes of one client. Each that is lost to another's is one that the other had its turn.
constexpr int kMaxWrites = 8;

Result<> write_list(PullProcess& process,
                    const std::string& tag,
                    const std::string& list,
                    const PullOptions& options) {
    const sys::Fd file = KNARR_TRY(sys::make_sealed_copy("referrers", list));
    const std::uint32_t id =
        KNARR_TRY(process.push({.kind = rpc::FetchKind::manifest,
                                .target = tag,
                                .media_type = std::string(spec::media::kOciIndex),
                                .size = list.size()},
                               file));
    KNARR_TRY(finish(process, id, options));
    return {};
}

/// Lets `change` have the list (null: there is none) until it finds nothing to change. Whether it
/// was written.
template <typename Change>
Result<bool> edit_list(PullProcess& process,
                       const std::string& subject,
                       const PullOptions& options,
                       Change change) {
    const std::string tag = spec::referrers_tag(subject);
    for (int written = 0; written <= kMaxWrites; ++written) {
        const auto now = KNARR_TRY(fetch_if_there(
            process, rpc::FetchKind::manifest, tag, limits::kMaxManifestBytes, options));
        const std::optional<std::string> next = KNARR_TRY(change(now ? &*now : nullptr));
        if (!next) {
            return written > 0;
        }
        if (written < kMaxWrites) {
            KNARR_TRY(write_list(process, tag, *next, options));
        }
    }
    return fail(Error{.code = Errc::registry_failed,
                      .message = fmt::format("it was written {} times, and each time the registry "
                                             "had another list afterwards",
                                             kMaxWrites),
                      .hint = "wait until nobody else pushes what refers to the same image, and "
                              "do it again"});
}

std::optional<std::string> told(bool written, std::string text) {
    return written ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> list_referrer(PullProcess& process,
                                                 const spec::Referral& referral,
                                                 const PullOptions& options) {
    const auto add = [&](const Document* list) -> Result<std::optional<std::string>> {
        return list == nullptr ? spec::add_referrer({}, {}, referral.entry)
                               : spec::add_referrer(list->text, list->media_type, referral.entry);
    };
    const bool written = KNARR_TRY(edit_list(process, referral.subject, options, add),
                                   "put {} into the list of what refers to {}",
                                   referral.entry.digest.text(),
                                   printable(referral.subject, 100));
    return told(written,
                fmt::format("the registry keeps no list of what refers to {}: {} was put into the "
                            "one under the tag {}",
                            printable(referral.subject, 100),
                            referral.entry.digest.text(),
                            spec::referrers_tag(referral.subject)));
}

Result<std::optional<std::string>> unlist_referrer(PullProcess& process,
                                                   const spec::Referral& referral,
                                                   const PullOptions& options) {
    const auto remove = [&](const Document* list) -> Result<std::optional<std::string>> {
        if (list == nullptr) {
            return std::optional<std::string>();
        }
        return spec::remove_referrer(list->text, list->media_type, referral.entry.digest);
    };
    const bool written = KNARR_TRY(edit_list(process, referral.subject, options, remove));
    return told(written,
                fmt::format("{} was taken out of the list of what refers to {}, under the tag {}",
                            referral.entry.digest.text(),
                            printable(referral.subject, 100),
                            spec::referrers_tag(referral.subject)));
}

}  // namespace knarr::image
