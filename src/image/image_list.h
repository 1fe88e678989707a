#pragma once
// Stored images: found, listed, described, removed.

#include <functional>
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

/// Every stored image once, with all its references; sorted by the first of them. An image that
/// cannot be decoded is listed by its reference alone.
Result<std::vector<ImageSummary>> list_images(const store::Store& store);

/// One image as `docker image inspect` shows it: one JSON object.
Result<std::string> inspect_image(const store::Store& store, std::string_view text);

/// Who uses images: containers that exist.
struct ImageUse {
    /// The IDs of the containers that use the image.
    std::function<std::vector<std::string>(const Image&)> users = {};
    /// Whether a container, by its ID, runs.
    std::function<bool(const std::string&)> runs = {};
    /// Those that do not run need not hold an image up, and an ID may have several names.
    bool forced = false;
    /// Where the image is mounted on the host; empty: nowhere.
    std::function<std::string(const Image&)> mounted_at = {};
    /// Chain IDs that containers and mounts need, whatever image they came with.
    std::set<spec::Digest> layers = {};
};

/// Adds to `gone` what of a removed image is no longer stored: its ID, and its layers from the
/// uppermost by their chain IDs.
Result<> add_gone(const store::Store& store, const Image& image, std::vector<std::string>& gone);

/// "NAME@DIGEST" of the repositories of `removed` in which `left`, the same image's, has no tag.
std::vector<std::string> digests_without_tag(const std::vector<store::Ref>& removed,
                                             const std::vector<store::Ref>& left);

/// Removes a reference; with the last one of an image also what only that image needed. With the
/// last tag in a repository go references to it by digest, as with docker. By ID or digest, all its
/// references go, of which there may be several by force alone. Waits for no pull: what one needs
/// stays. Errors: image_not_found; image_in_use, naming the names, or the container or mount, when
/// the last reference would go.
Result<RemovedImage> remove_image(const store::Store& store,
                                  std::string_view text,
                                  const ImageUse& use);

}  // namespace knarr::image
