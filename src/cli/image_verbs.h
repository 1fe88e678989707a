#pragma once
// The verbs inside `image`, which is their table; some of them are verbs of their own as well.

#include <string>
#include <string_view>
#include <vector>

#include "cli/verb.h"
#include "knarr/files.h"
#include "knarr/image.h"

namespace knarr::cli {

// pull.cpp, of which kPull is the verb of its own
extern const Verb kImagePull;
// image_import.cpp, image_mount.cpp, export.cpp
extern const Verb kImport, kImageMount, kImageUnmount, kExport;
// image_trees.cpp
extern const Verb kImageDiff, kImageRootfs, kImageExport;
// image_upkeep.cpp
extern const Verb kImageGc, kImagePrune, kImageVerify, kImageDf;
// image_remote.cpp
extern const Verb kImageTags, kImageReferrers, kImageDelete;

/// --format of lists of images, their history and their room.
inline constexpr Option kRowsOption{
    .name = "format",
    .value = "FORMAT",
    .help = "table, json, or a Go template for each row, as docker's: '{{json .}}'",
    .fallback = "table",
};
/// --output of what writes a tar of files, checked: empty for standard output.
inline constexpr Option kTarOutputOption{.name = "output",
                                         .letter = 'o',
                                         .value = "FILE",
                                         .help = "where to",
                                         .fallback = "standard output"};
/// Errors: invalid_argument for an empty one, and for a terminal.
Result<std::string> tar_output(const Parsed& args);

/// How a list is printed: for people; as one JSON array, in the shape of docker's API; by a
/// template whose fields are those of docker's command line.
enum class ImageFormat : std::uint8_t { table, json, rows };
/// --json and --format. Errors: invalid_argument for what is no template.
Result<ImageFormat> image_format(const Parsed& args);
/// `rows`, JSON objects, each by the template that --format is. `headings` as RowFormat wants them.
/// Errors: invalid_argument.
Result<std::string> by_template(const Parsed& args,
                                std::string_view headings,
                                const std::vector<std::string>& rows);

/// As docker shows it: "docker.io/library/busybox:latest" -> {"busybox", "latest"}; "<none>" for
/// what a reference does not have.
std::pair<std::string, std::string> split_reference(const std::string& stored);
/// Each name of each image with what it takes: the second table of `image df -v`.
std::string each_image_table(const StoreUsage& usage);
/// A line for each name that was taken away, "Untagged: busybox:latest"; none for a digest, which
/// nobody gave.
std::string untagged_text(std::string_view word, const std::vector<std::string>& references);
/// podman's shape of what `diff` and `image diff` print.
std::string changes_json(const std::vector<FileChange>& changes);
/// The first twelve digits, or the whole ID; "<damaged>" for an image without one.
std::string shown_id(const std::string& id, bool whole);

}  // namespace knarr::cli
