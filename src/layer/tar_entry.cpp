#include "layer/tar_entry.h"

#include <sys/stat.h>

#include "platform/disk.h"

namespace knarr::layer {

mode_t special_type(EntryType type) {
    return type == EntryType::fifo               ? S_IFIFO
           : type == EntryType::character_device ? S_IFCHR
                                                 : S_IFBLK;
}

Result<> write_data(TarReader& tar, const TarEntry& entry, const sys::Fd& file) {
    if (!entry.sparse) {
        while (true) {
            const std::string_view piece = KNARR_TRY(tar.data());
            if (piece.empty()) {
                return {};
            }
            KNARR_TRY(sys::write_all(file, piece));
        }
    }
    KNARR_TRY(sys::set_size(file, entry.size));
    std::string_view piece;
    for (const SparseRun& run : entry.runs) {
        std::uint64_t done = 0;
        while (done < run.bytes) {
            piece = piece.empty() ? KNARR_TRY(tar.data()) : piece;
            if (piece.empty()) {
                return fail(Errc::invalid_image, "its data is cut off");
            }
            const std::string_view part = piece.substr(0, run.bytes - done);
            KNARR_TRY(sys::write_all_at(file, part, run.offset + done));
            done += part.size();
            piece.remove_prefix(part.size());
        }
    }
    return {};
}

}  // namespace knarr::layer
