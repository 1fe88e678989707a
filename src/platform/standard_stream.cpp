#include "platform/standard_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/process.h"

namespace knarr::sys {

Result<Fd> open_null(int flags) {
    return open_path("/dev/null", flags);
}

Result<> null_standard_streams() {
    const Fd null = KNARR_TRY(open_null(O_RDWR));
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        KNARR_TRY(replace_fd(null, number));
    }
    return {};
}

}  // namespace knarr::sys
