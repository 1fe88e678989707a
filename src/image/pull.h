#pragma once
// image: what an image is called, which variant fits, how it gets into the store and out of it.
// clang-format off
//
//   reference.h    names by Docker's rules           platform.h   variants
//   credentials.h  logins of podman and docker       source.h     where bytes come from
//   pull_process.h, connect.h, registry_source.h     knarr-pull, the registry
//   deadline.h     one time for the whole of it
//   short_names.h  names without a registry   config_files.h  where podman has its files
//   places.h       mirrors and certificates: registries_conf.h, hosts_toml.h
//   remote.h       tags, referrers, manifests, deleting in a registry;  referrers_tag.h the list we keep
//   login.h, credential_helper.h                     login, logout      push.h   store -> registry
//   layout_source.h, docker_archive.h                oci:DIR, oci-archive:FILE, docker-archive:FILE
//   pull.h         source -> store, verified while it streams, unpacked as it comes
//   find.h         what a name means here     image_list.h   list, inspect
//   remove.h       rmi                        names.h   tag, untag, history
//   upkeep.h       prune, verify, df          save.h, load.h   archives; archive_writer.h writes,
//   file_tree.h, archive_index.h, archive_input.h    and these read, the files that they consist of
//   import.h, import_change.h  a tar of files as an image; tree_tar.h  files as a tar
//   layer_pull.h   the layers of one image, side by side
// clang-format on
//
// In: a reference or a path. Out: blobs and layer directories in the store, and the reference that
// keeps them. Nothing is visible under the reference before all of it is there.

#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "image/source.h"
#include "knarr/image.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::image {

/// A stored image, decoded.
struct Image {
    std::string reference;  ///< under which it was pulled or found; may be empty
    spec::Digest top;       ///< digest of the manifest or index that the reference names
    spec::Digest id;        ///< digest of its configuration
    spec::Digest digest;    ///< digest of its manifest
    spec::Manifest manifest;
    spec::ImageConfig config;
    std::vector<spec::Digest> chain;  ///< chain IDs of its layer directories, lowest first
};

/// Brings an image into the store: the manifest that fits the platform, its configuration and its
/// layers, each written once, hashed while it streams and unpacked as soon as those below it are.
/// What is there already is not fetched again, unless it proves damaged. A killed pull leaves
/// nothing visible but whole blobs, which the next one uses. `lease` protects the image from
/// collectors, also after the return. Single-threaded programs only.
/// `name`: a reference, "oci:DIR[:TAG]", "oci-archive:FILE[:TAG]" or "docker-archive:FILE[:TAG]".
/// Errors: those of the source; digest_mismatch; invalid_image; platform_mismatch; no_space;
/// interrupted.
Result<Image> pull_image(const store::Store& store,
                         const store::Lease& lease,
                         const std::string& name,
                         const PullOptions& options,
                         const Limits& limits,
                         const PullProgressFn& progress);

/// The same from an open source.
Result<Image> pull_from(Source& source,
                        const store::Store& store,
                        const store::Lease& lease,
                        const PullOptions& options,
                        const Limits& limits,
                        const PullProgressFn& progress);

}  // namespace knarr::image
