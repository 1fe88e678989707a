#pragma once
// The list of what has a manifest as its subject, at a registry that keeps none: an index under the
// tag sha256-DIGEST, which its clients write. Source: distribution-spec v1.1 "Referrers Tag
// Schema".

#include "image/connect.h"
#include "spec/referrers.h"

namespace knarr::image {

/// Puts a manifest that was pushed into its subject's list; reads the list again, and does it anew
/// where another client wrote it meanwhile.
/// Errors: invalid_image when the tag is something else; registry_failed when others never let it
/// be; those of the registry. The manifest itself stays. What was written, for people, who named
/// no such tag; nothing when it was in the list already.
Result<std::optional<std::string>> list_referrer(PullProcess& process,
                                                 const spec::Referral& referral,
                                                 const PullOptions& options);

/// Takes a manifest that was deleted out of the list, if there is one, in the same way.
Result<std::optional<std::string>> unlist_referrer(PullProcess& process,
                                                   const spec::Referral& referral,
                                                   const PullOptions& options);

}  // namespace knarr::image
