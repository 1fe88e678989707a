#include "store/disk_trouble.h"

#include <cerrno>

#include "core/text.h"

namespace knarr::store {

Error about_disk(Error error, const std::string& root, const std::optional<sys::FreeSpace>& free) {
    const std::string place = printable(root);
    std::string hint;
    switch (error.sys_errno) {
        case ENOSPC:
        case EDQUOT:
            hint = fmt::format(
                "{}make room ({}knarr image gc, knarr image prune), or choose another place with "
                "--data-root",
                free ? fmt::format("{} has {} and {} inodes free: ",
                                   place,
                                   human_size(free->bytes),
                                   free->inodes)
                     : "",
                error.sys_errno == EDQUOT ? "there is a quota; " : "");
            break;
        case EROFS:
            hint = fmt::format(
                "mount the file system of {} writable (the kernel may have made it read-only after "
                "an error, see dmesg), or choose another place with --data-root",
                place);
            break;
        case EIO:
            error = std::move(error).advise(fmt::format(
                "a disk fails, dmesg says which; then knarr image verify tells what of {} is "
                "damaged",
                place));
            return error;
        default:
            return error;
    }
    if (error.hint.empty() && error.message.find(root) == std::string::npos) {
        error.message += fmt::format(", in {}", place);
    }
    return std::move(error).advise(hint);
}

}  // namespace knarr::store
