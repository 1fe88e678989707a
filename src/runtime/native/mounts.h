#pragma once
// Mount options as config.json spells them, and the mounts of a container as steps.

#include <cstdint>
#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

/// What a list of mount options says. Flags of a new mount are MS_*, of a bind MOUNT_ATTR_*.
struct MountOptions {
    unsigned long flags = 0;                   // MS_RDONLY|MS_NOSUID|MS_SYNCHRONOUS|...
    std::uint64_t set = 0, clear = 0;          // MOUNT_ATTR_* of the mount itself
    std::uint64_t rec_set = 0, rec_clear = 0;  // MOUNT_ATTR_* of it and all below: rro, rnosuid
    unsigned long propagation = 0;             // MS_PRIVATE|MS_REC
    bool bind = false, recursive = false, remount = false;
    bool copy_up = false;
    bool idmap = false, idmap_recursive = false;
    std::string data;                     // what is left, for the file system: "size=64k,mode=755"
    std::vector<std::string> only_super;  // options in `flags` that a bind cannot have: "sync"
};

/// Errors: unsupported for an option of another runtime that must not be lost: "copy-symlink".
/// Source: runtime-spec config.md "Linux mount options"; runc features, mountOptions.
Result<MountOptions> parse_mount_options(const std::vector<std::string>& options);

/// The flags of a name of linux.rootfsPropagation: "rslave". 0 for the empty name.
/// Errors: invalid_config listing the names.
Result<unsigned long> parse_propagation(const std::string& name);

/// A destination as an absolute path without ".", "..", "//" and a slash at the end. ".." is taken
/// by the letter, so that what is checked here is what the applier resolves.
std::string clean_destination(const std::string& destination);
/// True when `path` is `root` or lies below it. Both are clean.
bool lies_below(std::string_view path, std::string_view root);

/// What the mounts of a bundle need to know about the rest of it.
struct MountContext {
    const spec::RuntimeConfig& config;
    const sys::HostFacts& host;
    const sys::CgroupPlan* cgroup = nullptr;  // what the container is in; nullptr: nothing
    const std::string& bundle_directory;
    bool cgroup_namespace = false;
    bool rootless = false;
    bool cgroup_is_callers = false;   // no cgroup of its own: it stays in the caller's
    bool user_namespace = false;      // the container is in one, or knarr itself is
    int own_namespaces = 0;           // CLONE_NEW* that the container has for itself, new or joined
    const IdMaps* id_maps = nullptr;  // of a new user namespace
    bool joins_user_namespace = false;  // whose mappings are not known here
};

/// The steps of config.mounts, in order, but those that show the cgroup after all others where no
/// mount lies below them: `late` starts where the cgroup must have been joined.
struct MountSteps {
    std::vector<Step> early, late;
    bool own_dev = false;  // the bundle binds its own /dev: no default devices
    bool has_dev = false;  // something is mounted on /dev
    std::vector<std::string> warnings;
};
Result<MountSteps> plan_mounts(const MountContext& context);

/// The cgroups that the caller is in, as a container sees them that has none of its own.
sys::CgroupPlan cgroup_of_caller(const sys::HostFacts& host);
/// The steps of one mount of type cgroup (cgroup_mounts.cpp).
Result<std::vector<Step>> plan_cgroup_mount(const MountContext& context,
                                            const std::string& target,
                                            const MountOptions& options,
                                            std::vector<std::string>& warnings);

}  // namespace knarr::runtime::native
