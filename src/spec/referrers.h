#pragma once
// The list of what has a manifest as its subject (signatures, SBOMs, ...), which clients keep under
// a tag where the registry does not keep it. Source: distribution-spec v1.1 "Referrers Tag Schema",
// "Pushing Manifests with Subject", "Deleting Manifests".

#include <optional>
#include <string>
#include <string_view>

#include "spec/image.h"

namespace knarr::spec {

/// What a manifest or an index with a subject says of itself.
struct Referral {
    std::string subject;  ///< a digest, not necessarily of SHA-256
    Descriptor entry;     ///< as it stands in the subject's list
};

/// Nothing when the document has no subject. `digest` is the document's.
/// Errors: invalid_image with the JSON path, as of decode_manifest_or_index.
Result<std::optional<Referral>> referral_of(std::string_view json, const Digest& digest);

/// The tag that stands for the list: "sha256-ab...".
std::string referrers_tag(std::string_view subject);

/// `list` with the entry; everything else stays as it is. An empty text is a list yet to come.
/// Nothing when it is in the list already.
/// Errors: invalid_image when `list` is no OCI index; `media_type` is what the registry says.
Result<std::optional<std::string>> add_referrer(std::string_view list,
                                                std::string_view media_type,
                                                const Descriptor& entry);
/// The same without all entries of that digest. Nothing when there is none.
Result<std::optional<std::string>> remove_referrer(std::string_view list,
                                                   std::string_view media_type,
                                                   const Digest& gone);

}  // namespace knarr::spec
