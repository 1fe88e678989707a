#include "platform/pipe_owner.h"

#include <sys/stat.h>
#include <unistd.h>

namespace knarr::sys {

void give_pipes(uid_t user) {
    for (int fd = 0; fd < 3; ++fd) {
        struct stat file{};
        if (fstat(fd, &file) == 0 && S_ISFIFO(file.st_mode) && file.st_uid != user) {
            static_cast<void>(fchown(fd, user, static_cast<gid_t>(-1)) == 0);
        }
    }
}

}  // namespace knarr::sys
