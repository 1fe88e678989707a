#pragma once
// bundle: what one container is to be, ready to be planned: its OCI configuration, its root file
// system and the kind of wall around it. Read from a directory (an OCI bundle) or made from an
// image's config and the caller's options with safe defaults.
//
//   read.h           a directory
//   make.h           an image's config and a request: defaults.h has what is not asked for,
//                    default_seccomp.h the profile (seccomp_policy.h, seccomp_names.h), or the
//                    caller's own: seccomp_profile.h
//   settings.h       what the caller asks for besides; host_name.h: which names a host may have
//   image_view.h     files of an image before it is mounted; passwd.h: its users
//   rootfs.h         what the root is made of      template.h  a config.json to begin with

#include <string>

#include "bundle/rootfs.h"
#include "knarr/types.h"
#include "spec/runtime_config.h"

namespace knarr::bundle {

struct Bundle {
    std::string directory;  // absolute; what state JSON reports and hooks receive
    spec::RuntimeConfig config;
    RootFs rootfs;
    Isolation isolation = Isolation::native;
};

}  // namespace knarr::bundle
