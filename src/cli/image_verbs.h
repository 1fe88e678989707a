#pragma once
// The verbs inside `image`, which is their table; some of them are verbs of their own as well.

#include "cli/verb.h"

namespace knarr::cli {

// image_import.cpp, image_mount.cpp, export.cpp
extern const Verb kImport, kImageMount, kImageUnmount, kExport;
// image_trees.cpp
extern const Verb kImageDiff, kImageRootfs;
// image_upkeep.cpp
extern const Verb kImageGc, kImagePrune, kImageVerify, kImageDf;
// image_remote.cpp
extern const Verb kImageTags, kImageReferrers, kImageDelete;

/// How a list is printed: for people; as one JSON array, in the shape of docker's API; as one
/// object a line, in that of docker's command line.
enum class ImageFormat : std::uint8_t { table, json, lines };
/// --json and --format. Errors: invalid_argument for any other format.
Result<ImageFormat> image_format(const Parsed& args);

/// "docker.io/library/busybox:latest" -> {"docker.io/library/busybox", "latest"}; "<none>" for what
/// a reference does not have.
std::pair<std::string, std::string> split_reference(const std::string& reference);
/// The first twelve digits, or the whole ID; "<damaged>" for an image without one.
std::string shown_id(const std::string& id, bool whole);

}  // namespace knarr::cli
