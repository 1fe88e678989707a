#pragma once
// What a registry has, asked and changed without the store: tags, referrers, deleting.

#include "knarr/image.h"
#include "knarr/result.h"

namespace knarr::image {

/// All tags of a repository, as the registry sorts them. Errors: image_not_found;
/// limit_exceeded past a million.
Result<RemoteTags> list_tags(const RemoteRequest& request);

/// What refers to a manifest as its subject: signatures, SBOMs and the like. A registry without
/// that API is asked for the tag that stands in for it.
/// Source: distribution-spec v1.1 "Listing Referrers", "Unavailable Referrers API".
Result<RemoteReferrers> list_referrers(const RemoteRequest& request);

/// The manifest that a name means; with RemoteDetail::variants also those of a list, each checked
/// against its digest and size, and that it is a manifest or a list. Errors: image_not_found;
/// limit_exceeded for a long list, by number and bytes; invalid_image.
Result<RemoteManifest> inspect_manifest(const RemoteRequest& request, RemoteDetail detail);

/// Deletes the manifest that a name means, and with it all tags that it has.
/// Errors: image_not_found; unsupported where the registry does not delete.
Result<RemoteImage> delete_remote(const RemoteRequest& request);

}  // namespace knarr::image
