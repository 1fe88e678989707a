#pragma once
// Where a saved image goes, file by file: a tar archive, or a directory.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::image {

/// Regular files, one after the other, each of the size that was announced.
class FileSink {
public:
    virtual ~FileSink() = default;
    virtual Result<> begin(const std::string& name, std::uint64_t size) = 0;
    virtual Result<> write(std::string_view bytes) = 0;
    virtual Result<> end() = 0;
    /// All files are there. Without it nothing stays of what a path was given for.
    virtual Result<> finish() = 0;

    Result<> put(const std::string& name, std::string_view text);
};

/// A tar on `output`, which is never sought. Names have at most 100 bytes.
std::unique_ptr<FileSink> tar_sink(sys::Fd output);
/// A tar in a file, which appears whole or not at all; what is there is replaced by finish(). What
/// is no regular file (a pipe, a device) is written to as it is.
Result<std::unique_ptr<FileSink>> tar_file_sink(const std::string& path);
/// The files below a directory, which must not be there or be empty.
/// Errors: already_exists.
Result<std::unique_ptr<FileSink>> directory_sink(const std::string& path);

}  // namespace knarr::image
