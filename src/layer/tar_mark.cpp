#include "layer/tar_mark.h"

#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr const char* kMark = "trusted.knarr.diff_id";

}  // namespace

bool is_known_to_hold(const sys::Fd& blob, const spec::Digest& diff_id) {
    const auto mark = sys::get_xattr(blob, kMark);
    return mark && *mark && **mark == diff_id.text();
}

void remember_tar(const sys::Fd& blob, const spec::Digest& diff_id) {
    static_cast<void>(sys::set_xattr(blob, kMark, diff_id.text()));
}

}  // namespace knarr::layer
