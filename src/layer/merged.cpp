#include "layer/merged.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/fault.h"
#include "core/limits.h"
#include "erofs/check.h"
#include "erofs/merge.h"
#include "layer/stored.h"
#include "platform/disk.h"

namespace knarr::layer {

namespace {

/// Of all layers together: a file takes about 300 bytes of memory until the image is written,
/// besides its attributes and names, which the images' bytes bound.
constexpr std::uint64_t kMaxFiles = std::uint64_t{1} << 18;
constexpr std::uint64_t kMaxImageBytes = 32 * size::kMiB;

Result<std::uint64_t> size_of(const sys::Fd& file) {
    return static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
}

struct Merged {
    erofs::Tree tree;
    erofs::Devices devices;
};

Result<Merged> merge(const store::Store& store, const std::vector<spec::Digest>& chain) {
    Merged out;
    for (const spec::Digest& chain_id : chain) {
        const sys::Fd image = KNARR_TRY(open_layer_file(store, chain_id, kImageFile));
        const sys::Fd data = KNARR_TRY(open_layer_file(store, chain_id, kDataFile));
        const std::uint64_t blocks = KNARR_TRY(size_of(data)) / erofs::kBlockBytes;
        const std::uint64_t bytes = KNARR_TRY(size_of(image));
        const auto read = [&](std::uint64_t at, std::span<char> into) {
            return sys::read_at(image, into, at);
        };
        erofs::Tree tree =
            KNARR_TRY(erofs::decode(bytes, {blocks}, read), "layer {}", chain_id.text());
        // What meta files say of it was written by who unpacked the layer.
        if (out.tree.inodes.size() + tree.inodes.size() > kMaxFiles + chain.size()) {
            return fail(Errc::limit_exceeded, "the layers have more than {} files", kMaxFiles);
        }
        const auto device = static_cast<std::uint16_t>(out.devices.size());
        erofs::put_over(out.tree, std::move(tree), device);
        out.devices.push_back(blocks);
    }
    erofs::drop_marks(out.tree);
    return out;
}

/// On the disk before it has a name: what a crash leaves of it would be mounted.
Result<> write(const store::Store& store, const std::vector<spec::Digest>& chain) {
    const Merged merged = KNARR_TRY(merge(store, chain));
    const sys::Fd dir = KNARR_TRY(sys::open_at(
        store.layers_dir(), std::string(chain.back().hex()), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const sys::Fd file = KNARR_TRY(sys::make_unnamed_file(dir));
    KNARR_TRY(fault_point("layer.merge"));
    KNARR_TRY(erofs::encode(merged.tree, merged.devices, [&](std::string_view piece) {
        return sys::write_all(file, piece);
    }));
    KNARR_TRY(fault_point("layer.merge.sync"));
    KNARR_TRY(sys::sync_fd(file));
    Result<> made = sys::make_dir_at(dir, kMergedDir, 0755);
    if (!made && made.error().sys_errno != EEXIST) {
        return made;
    }
    KNARR_TRY(fault_point("layer.merge.name"));
    return sys::name_file_at(file, dir, kMergedFile);
}

Result<bool> is_there(const store::Store& store, const spec::Digest& chain_id) {
    return KNARR_TRY(sys::stat_at(store.layers_dir(), layer_file(chain_id, kMergedFile)))
        .has_value();
}

}  // namespace

bool are_mergeable(const std::vector<LayerInfo>& layers, std::uint64_t image_bytes) {
    std::uint64_t entries = 0;
    for (const LayerInfo& layer : layers) {
        entries += layer.entries;
    }
    return layers.size() > 1 && entries <= kMaxFiles && image_bytes <= kMaxImageBytes &&
           std::ranges::all_of(layers,
                               [](const LayerInfo& one) { return one.driver == Driver::erofs; });
}

Result<std::uint64_t> image_bytes_of(const store::Store& store,
                                     const std::vector<spec::Digest>& chain) {
    std::uint64_t sum = 0;
    for (const spec::Digest& chain_id : chain) {
        const auto found =
            KNARR_TRY(sys::stat_at(store.layers_dir(), layer_file(chain_id, kImageFile)));
        sum += found ? static_cast<std::uint64_t>(found->st_size) : 0;
    }
    return sum;
}

Result<> make_merged(const store::Store& store, const std::vector<spec::Digest>& chain) {
    const sys::FileLock lock = KNARR_TRY(sys::FileLock::acquire(
        store.layers_dir(), layer_file(chain.back(), "lock"), sys::FileLock::Kind::exclusive));
    return KNARR_TRY(is_there(store, chain.back())) ? Result<>{} : write(store, chain);
}

Result<bool> is_merged_sound(const store::Store& store, const std::vector<spec::Digest>& chain) {
    if (!KNARR_TRY(is_there(store, chain.back()))) {
        return true;
    }
    const sys::Fd file = KNARR_TRY(open_layer_file(store, chain.back(), kMergedFile));
    const Merged merged = KNARR_TRY(merge(store, chain));
    bool same = true;
    std::uint64_t at = 0;
    const std::uint64_t size = KNARR_TRY(size_of(file));
    std::string stored;
    const auto compare = [&](std::string_view piece) -> Result<> {
        same = same && size - at >= piece.size();
        if (same) {
            stored.resize(piece.size());
            KNARR_TRY(sys::read_at(file, stored, at));
            same = stored == piece;
            at += piece.size();
        }
        return {};
    };
    KNARR_TRY(erofs::encode(merged.tree, merged.devices, compare));
    return same && at == size;
}

Result<std::uint64_t> merged_bytes(const store::Store& store, const spec::Digest& chain_id) {
    const auto found =
        KNARR_TRY(sys::stat_at(store.layers_dir(), layer_file(chain_id, kMergedFile)));
    return found ? static_cast<std::uint64_t>(found->st_size) : 0;
}

}  // namespace knarr::layer
