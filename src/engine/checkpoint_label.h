#pragma once
// What a checkpoint says of itself: knarr.json beside CRIU's files. CRIU has no checksums of its
// own, and what it says of an image of another machine nobody understands.
//
// The label is written when CRIU has come to its end, and an older one stays until then: it does
// not fit what a checkpoint that failed has written over. Without one, as in runc's images, and
// where knarr was killed just then, CRIU has the last word.

#include <cstdint>
#include <string>
#include <vector>

#include "knarr/result.h"

namespace knarr::engine {

inline constexpr const char* kCheckpointLabel = "knarr.json";

struct CheckpointFile {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint32_t sum = 0;  // CRC-32
};

struct CheckpointLabel {
    std::string architecture;  // as uname(2) says it
    bool memory_only = false;  // a pre-dump
    std::vector<CheckpointFile> files;
};
std::string encode_label(const CheckpointLabel& label);
/// Errors: corrupt.
Result<CheckpointLabel> decode_label(std::string_view text);

/// The names of image files in the directory; none where it is not there.
std::vector<std::string> image_files(const std::string& directory);
/// Labels what CRIU has written there.
Result<> label_checkpoint(const std::string& directory, bool memory_only);
/// Of a checkpoint that failed: the image files that were not there before.
void remove_new_images(const std::string& directory, const std::vector<std::string>& before);
/// Errors: unsupported for an image of another architecture and for a pre-dump; corrupt with the
/// name of a file that is not as it was written.
Result<> check_checkpoint(const std::string& directory);
/// How much memory of processes the image holds.
std::uint64_t memory_in(const std::string& directory);

}  // namespace knarr::engine
