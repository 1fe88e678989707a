#pragma once
// Volumes, directories that outlive the containers that use them: DATA_ROOT/volumes/NAME/ with
//   _data    what containers see
//   meta     when it was made, its labels, whether it is an anonymous one (JSON)
//   copying, copied   while it is filled with what an image has there
// Who uses one stands with the container (ContainerUse), before the container looks for it.
//
// A volume gets its name when it is whole and loses it before anything of it is removed, both with
// DATA_ROOT/volumes/.lock held: whatever is killed leaves a whole one, or none and something
// (.new, .gone-*) that the next one takes away.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "knarr/volume.h"
#include "platform/fd.h"

namespace knarr::engine {

using knarr::VolumeInfo;
using knarr::VolumeWish;

/// docker's: two or more letters, digits, "_", ".", "-", the first a letter or digit. Errors:
/// invalid_argument.
Result<> check_volume_name(std::string_view name);
/// A name for an anonymous one: 64 hexadecimal digits.
std::string new_volume_name();

/// Makes a volume; one that is there stays as it is, as docker has it. `data_root` is absolute,
/// here and below.
Result<VolumeInfo> make_volume(const std::string& data_root, const VolumeWish& wish);
/// All volumes by name.
Result<std::vector<VolumeInfo>> list_volumes(const std::string& data_root);
/// Errors: not_found.
Result<VolumeInfo> find_volume(const std::string& data_root, const std::string& name);
/// Removes a volume with all that is in it. Errors: not_found; wrong_state, naming the containers
/// that have it, also ended ones.
Result<> remove_volume(const std::string& data_root, const std::string& name);
/// Removes those of a container that is gone which nobody else has; what cannot be is told.
void remove_anonymous_volumes(const std::string& data_root,
                              const std::vector<std::string>& names,
                              const std::function<void(std::string_view)>& warn);
/// What a volume's content takes on the disk.
Result<std::uint64_t> volume_bytes(const std::string& data_root, const std::string& name);
/// Removes what killed processes left half made or half removed.
Result<> sweep_volumes(const std::string& data_root);

/// The containers of each volume that some container has.
Result<std::map<std::string, std::vector<std::string>>> users_of_volumes(
    const std::string& data_root);

/// The absolute directory that a container sees of a volume.
std::string mountpoint_of(const std::string& data_root, std::string_view name);
/// Which volume a mount with this source shows; empty: none.
std::string volume_shown_by(const std::string& data_root, const std::string& source);

/// Fills a volume that is empty with what the image has in the directory `target`, and gives it
/// that one's owner and mode; docker's copy-up. Nothing where the image has no directory there.
/// `root` is the image's root file system: `target` is resolved inside. A killed one is gone on
/// with, or begun again; two at once wait for each other.
Result<> fill_volume(const std::string& data_root,
                     const std::string& name,
                     const sys::Fd& root,
                     const std::string& target);

}  // namespace knarr::engine
