// Any bytes as a layer's tar for the driver erofs: refused, or an image that is well-formed and
// points to nothing outside the data.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "erofs/check.h"
#include "erofs/testing_reader.h"
#include "layer/apply.h"
#include "layer/erofs_tree.h"
#include "layer/tar_file.h"
#include "layer_input.h"

namespace {

knarr::sys::Fd memory_file() {
    return knarr::sys::Fd(memfd_create("fuzz", MFD_CLOEXEC));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace erofs = knarr::erofs;
    namespace layer = knarr::layer;
    namespace sys = knarr::sys;
    const std::string bytes =
        knarr::fuzz::with_checksums({reinterpret_cast<const char*>(data), size});
    const sys::Fd tar_file = memory_file(), image_file = memory_file();
    if (!sys::write_all(tar_file, bytes)) {
        return 0;
    }
    layer::TarFile file(tar_file, bytes.size());
    layer::TarReader tar(file);
    layer::ErofsTree tree(tar_file, bytes.size());
    layer::ApplyRequest request;
    request.limits.max_rootfs_bytes = 1 << 26;
    const auto applied = layer::apply_tar(tar, tree, request);
    if (!applied || !tree.mark_opaque(applied->opaque) || !tree.write(image_file, 1 << 26)) {
        return 0;
    }
    const auto data_bytes = static_cast<std::uint64_t>(lseek(tar_file.get(), 0, SEEK_END));
    const auto image_bytes = static_cast<std::size_t>(lseek(image_file.get(), 0, SEEK_END));
    std::string image(image_bytes, '\0');
    if (!sys::read_at(image_file, image, 0)) {
        std::abort();
    }
    const std::uint64_t blocks = data_bytes / erofs::kBlockBytes;
    const auto read = [&](std::uint64_t at, std::span<char> into) {
        return sys::read_at(image_file, into, at);
    };
    if (!erofs::testing_reader::Reader(image, blocks).problem.empty() ||
        !erofs::check(image.size(), {blocks}, read)) {
        std::abort();
    }
    return 0;
}
