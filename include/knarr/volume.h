#pragma once
// Volumes: directories that outlive the containers that use them.

#include <map>
#include <string>

namespace knarr {

struct VolumeInfo {
    std::string name = {};
    std::string mountpoint = {};  ///< absolute directory with its content
    std::string created = {};     ///< RFC 3339, UTC
    std::map<std::string, std::string> labels = {};
    bool anonymous = false;   ///< made for one container, without a name of a person's
    std::string damage = {};  ///< why nothing but name and mountpoint is known; empty: all is
};

struct VolumeWish {
    std::string name = {};
    std::map<std::string, std::string> labels = {};
    bool anonymous = false;
};

}  // namespace knarr
