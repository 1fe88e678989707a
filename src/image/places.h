#pragma once
// Where the images of a reference are asked for: mirrors and the registry, with their certificates
// and logins, as the files of podman, containerd and docker say.
//
//   registries.conf    of containers, else          (registries_conf.h)
//   hosts.toml         of containerd, else          (hosts_toml.h)
//   the registry that the name says
//   certificates       DIR/HOST[:PORT]/{*.crt, *.cert, *.key} of docker and podman

#include <string>
#include <vector>

#include "image/connect.h"
#include "image/pull_process.h"
#include "image/reference.h"

namespace knarr::image {

/// The places in the order in which they are to be asked, the registry itself last; without
/// mirrors for anything but a pull. What is doubtful about them is told through `notice`.
/// Errors: those of the files; denied for a blocked registry; invalid_argument for plain http to
/// another host than this without insecure = true.
Result<std::vector<Place>> places_of(const Reference& reference,
                                     const PullOptions& options,
                                     Purpose purpose,
                                     const PullProcess::NoticeFn& notice);

}  // namespace knarr::image
