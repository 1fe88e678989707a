#pragma once
// Reads a tar as it comes: ustar, PAX, GNU and v7 headers become one shape. Everything in it is
// hostile; nothing is allocated before its size was checked.
// Source: POSIX pax(1) "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "layer/inflate.h"
#include "layer/tar_extended.h"

namespace knarr::layer {

enum class EntryType : std::uint8_t {
    file,
    hard_link,
    symlink,
    character_device,
    block_device,
    directory,
    fifo
};

/// A run of data in a sparse file; between the runs are holes.
struct SparseRun {
    std::uint64_t offset = 0, bytes = 0;
};

struct TarEntry {
    EntryType type = EntryType::file;
    std::string path;         // as it stands in the tar; no NUL
    std::string link_target;  // of links; no NUL
    std::uint32_t mode = 0;   // 07777
    std::uint32_t uid = 0, gid = 0;
    std::int64_t mtime_s = 0;
    std::uint32_t mtime_ns = 0;
    std::uint32_t device_major = 0, device_minor = 0;
    std::uint64_t size = 0;         // of the file as it will be
    std::uint64_t stored_size = 0;  // of its data in the tar
    bool sparse = false;
    std::vector<SparseRun> runs;  // of a sparse file: sorted, apart, together stored_size bytes
    std::vector<std::pair<std::string, std::string>> xattrs;
};

using TarBlock = std::array<char, 512>;

class TarReader {
public:
    explicit TarReader(ByteSource& source) : source_(source) {}

    /// The next entry, after what is left of the current one's data; nothing at the end.
    /// Errors: invalid_image naming the entry's number; limit_exceeded for names and attributes.
    Result<std::optional<TarEntry>> next();
    /// The next piece of the entry's stored data; empty at its end.
    Result<std::string_view> data();
    /// Passes over what is left of the entry's data and its padding.
    Result<> skip_data();
    /// How many bytes of the tar were taken so far: before any data(), where the entry's begin.
    std::uint64_t position() const { return position_; }

private:
    Result<bool> read_block(TarBlock& block);  // false at the end of the source
    Result<std::string> read_body(std::uint64_t size, std::size_t max, std::string_view what);
    Result<> pass_over();
    Result<> read_pax(const TarBlock& block, TarExtended& extended);
    Result<TarEntry> make_entry(const TarBlock& block, TarExtended& extended);

    ByteSource& source_;
    std::string_view have_;       // of the current piece
    std::uint64_t left_ = 0;      // data of the current entry
    std::uint64_t padding_ = 0;   // behind it
    std::uint64_t position_ = 0;  // in the tar
    std::uint64_t number_ = 0;    // of headers, for messages
    PaxRecords global_;
};

}  // namespace knarr::layer
