#pragma once
// What a container made from an image has on disk: DATA_ROOT/containers/ID/ with
//   image        which image and layers it stands on (ContainerUse, as JSON)
//   image.copy   the same once more, for when that is damaged
//   upper work merged   its writable layer (layer/snapshot.h)
//   hosts hostname resolv.conf   shown in the container
//   config.json  what it was started with, to be looked at
// It is made when the container's record names it, and removed with the container.

#include <cstdint>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "bundle/make.h"
#include "platform/file.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::engine {

/// What a container uses: the image that it stands on, which `rmi` must not remove, and volumes.
struct ContainerUse {
    std::string container;                                      // ID
    std::string state_root;                                     // where its record is
    std::uint64_t state_root_device = 0, state_root_inode = 0;  // that this directory has
    std::string boot;                                           // boot_id() when it was made
    std::string reference, image_id;   // "docker.io/library/busybox:1", "sha256:..."
    std::vector<spec::Digest> chain;   // chain IDs of its layers, lowest first
    std::vector<std::string> volumes;  // names
    std::string damage = {};           // nothing of this is known: it may use whatever there is
};

/// DATA_ROOT/containers/.lock: held shared while a container's directory is made that says which
/// image it uses (until then a lease protects the layers), exclusively while images are removed.
Result<sys::FileLock> lock_containers(const std::string& data_root, sys::FileLock::Kind kind);

std::string container_dir(const std::string& data_root, const std::string& id);

/// The overlay that layer::make_root will make in `directory` of these, the layers of an image, and
/// what is below them (layer/base.h), before anything is made.
bundle::OverlayRoot planned_root(const std::vector<std::string>& lowers,
                                 const std::string& directory);

/// The texts of the container's own name files.
struct NameTexts {
    std::string hosts, hostname, resolv_conf;
};
/// For `none`: loopback and the container's own name. For `host`: the host's files.
/// What `names` say comes besides, and its name servers in place of others.
Result<NameTexts> name_texts(NetworkMode network,
                             const std::string& hostname,
                             const NameSettings& names);
bundle::NameFiles name_files(const std::string& directory);

/// Makes the directory with all that is in it; the layers are mounted. Whatever fails, the caller
/// removes the directory.
Result<> make_container_data(const ContainerUse& use,
                             const bundle::Bundle& bundle,
                             const NameTexts& texts);

/// What a container stands on, by either of its two files. Errors: io, corrupt.
Result<ContainerUse> read_use(const std::string& data_root, const std::string& id);

/// The data root that holds a container's directory (container_dir()); empty for another place.
std::string data_root_of(const std::string& container_directory);

/// Unmounts layers that a killed process left mounted and nobody uses any more: those of the
/// container whose directory this is, or all.
Result<> unmount_layers_of(const std::string& container_directory);
Result<> unmount_leftovers(const std::string& data_root);

/// Directories of containers that do not exist and cannot be brought back: their state directory
/// was lost in a reboot, or a killed run left them. Removes them, or only says which they are.
enum class Doing : std::uint8_t { it, nothing };
Result<std::vector<std::string>> remove_data_of_nobody(const std::string& data_root, Doing doing);

/// Containers of which one of those files was damaged, and is mended by the other, or could not be.
struct MendedUse {
    std::string container, damage;
    bool mended = false;
};
Result<std::vector<MendedUse>> mend_uses(const std::string& data_root);

/// The images that containers of this data root stand on, those included that recover() can bring
/// back. What remove_data_of_nobody() says is removed on the way, or stays.
/// Call with lock_containers(exclusive) held.
Result<std::vector<ContainerUse>> images_in_use(const std::string& data_root, Doing doing);

}  // namespace knarr::engine
