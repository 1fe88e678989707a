#pragma once
// Stored images: which one a name means, and whether it is there whole.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "image/pull.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Whether a layout or an archive is named: "oci:DIR", "oci-archive:FILE", "docker-archive:FILE".
bool is_file_source(std::string_view name);

/// Whether an image has a root file system. Errors: unsupported for a Wasm module; invalid_image
/// for one without layers.
Result<> check_files(const Image& image);

/// The image that a name means: a reference ("busybox"), "NAME@sha256:...", a whole digest (of
/// its manifest, index or configuration), or the first hex digits of one when they fit one image
/// only. `platform` picks among the pulled variants of an index; empty: the host's, else any.
/// Errors: image_not_found; invalid_argument when a prefix fits several; corrupt.
Result<Image> find_image(const store::Store& store,
                         std::string_view text,
                         std::string_view platform = {});

/// By name alone. A short one has several meanings (short_names.h): the first that is stored. What
/// does not have the digest that the name says is not found.
Result<std::optional<store::Ref>> find_ref(const store::Store& store, std::string_view text);

/// The reference that find_image would take, also that of an image that cannot be decoded.
Result<store::Ref> find_reference(const store::Store& store, std::string_view text);

/// The image that a stored reference leads to. Errors: as find_image.
Result<Image> load_named(const store::Store& store,
                         const store::Ref& ref,
                         std::string_view platform = {});

/// Every stored reference whose manifest, index or configuration has a digest that begins with
/// these hex digits; those that cannot be decoded are left out.
Result<std::vector<Image>> images_by_digest(const store::Store& store,
                                            std::string_view prefix,
                                            std::string_view platform = {});

/// The same of an ID or digest as a person writes it: all references of the one image that fits,
/// none when it fits nothing. Errors: invalid_argument when several images fit.
Result<std::vector<Image>> find_by_id(const store::Store& store,
                                      std::string_view text,
                                      std::string_view platform = {});

/// What is said of a name that find_image finds nothing under.
std::unexpected<Error> not_stored(const store::Store& store, std::string_view text);

/// Whether a reference is no name, only the digest that a nameless image is kept by.
bool is_nameless(std::string_view reference);

/// Its manifest, configuration and layers, and the index that it is in.
std::set<spec::Digest> blobs_of(const Image& image);

/// find_image of an image that is stored whole, protected by `lease` from here on.
/// Errors: also image_not_found when a collector was faster, or a layer is not unpacked.
Result<Image> find_whole(const store::Store& store,
                         const store::Lease& lease,
                         std::string_view text,
                         std::string_view platform = {});

/// find_whole, or pull_image when it is not stored whole for the platform that `options` ask for,
/// or damaged. Images from files are always read anew; what is stored of them is not copied again.
Result<Image> find_or_pull(const store::Store& store,
                           const store::Lease& lease,
                           const std::string& name,
                           const PullOptions& options,
                           const Limits& limits,
                           const PullProgressFn& progress);

}  // namespace knarr::image
