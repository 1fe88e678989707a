#include "knarr/unwritable.h"

#include "platform/own_copy.h"

namespace knarr {

Result<> run_from_unwritable_file() {
    return sys::run_from_unwritable_file();
}

}  // namespace knarr
