#pragma once
// What a container's image is called: as docker shows it, and by whom it is looked for. Pure.

#include <string>
#include <string_view>

#include "knarr/container.h"

namespace knarr::cli {

/// As docker's `ps` shows what somebody typed: a name without its registry, library and digest,
/// twelve digits of a whole ID; `whole`: as it was typed.
std::string shown_image(const ContainerInfo& info, bool whole);

/// Whether `called` is a name of the image that is known as `name`, whole or as somebody typed it:
/// the same, or the same in another spelling, or that without its tag or digest.
bool names_image(std::string_view name, std::string_view called);

}  // namespace knarr::cli
