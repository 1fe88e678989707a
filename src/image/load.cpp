// Which kind of archive it is, and which images are in it.
#include "image/load.h"

#include <algorithm>
#include <array>
#include <functional>

#include <fcntl.h>

#include "core/core.h"
#include "image/archive_input.h"
#include "image/docker_archive.h"
#include "image/file_tree.h"
#include "image/layout_source.h"
#include "image/pull.h"
#include "platform/file.h"

namespace knarr::image {
namespace {

/// An image in the archive, under the names that it is to have; none: only its digest.
struct Entry {
    std::function<Result<std::unique_ptr<Source>>(const std::string& name)> open;
    std::vector<std::string> names;
};

/// The archive as a file that can be read anywhere: what comes through a pipe, and what is
/// compressed, is written to the disk first.
Result<sys::Fd> plain_file(const store::Store& store,
                           sys::Fd input,
                           const Limits& limits,
                           const Deadline& deadline) {
    sys::Fd file = KNARR_TRY(regular_file(store, std::move(input), limits, deadline));
    const Packing packing = KNARR_TRY(packing_of(file));
    KNARR_TRY(refuse_other_packing(packing, "knarr load"));
    if (packing != Packing::gzip && packing != Packing::zstd) {
        return file;
    }
    sys::Fd plain = KNARR_TRY(unnamed_file(store));
    KNARR_TRY(inflate(file, &plain, limits.max_rootfs_bytes, deadline));
    return plain;
}

/// One index of the archive for all its images.
using Tree = std::shared_ptr<const FileTree>;

/// The images of a layout. Entries with the same digest are one image with several names.
Result<std::vector<Entry>> layout_entries(const Tree& tree, const std::string& path) {
    std::vector<Entry> all;
    std::vector<spec::Digest> digests;
    for (LayoutEntry& found : KNARR_TRY(list_layout(*tree, path))) {
        const auto known = std::ranges::find(digests, found.descriptor.digest);
        if (known != digests.end()) {
            if (!found.name.empty()) {
                all[static_cast<std::size_t>(known - digests.begin())].names.push_back(found.name);
            }
            continue;
        }
        digests.push_back(found.descriptor.digest);
        Entry entry;
        if (!found.name.empty()) {
            entry.names.push_back(found.name);
        }
        entry.open = [tree, descriptor = std::move(found.descriptor)](const std::string& name) {
            return open_layout_entry(tree, descriptor, name);
        };
        all.push_back(std::move(entry));
    }
    return all;
}

Result<std::vector<Entry>> docker_entries(const Tree& tree) {
    std::vector<Entry> all;
    const auto digests = std::make_shared<SliceDigests>();  // shared by the archive's images
    for (DockerEntry& found : KNARR_TRY(list_docker_archive(*tree))) {
        Entry entry{.open = {}, .names = std::move(found.names)};
        entry.open = [tree, digests, image = std::move(found.image)](const std::string& name) {
            return open_docker_entry(tree, image, name, *digests);
        };
        all.push_back(std::move(entry));
    }
    return all;
}

Result<Tree> open_tree(const store::Store& store,
                       const std::string& path,
                       const Limits& limits,
                       const Deadline& deadline) {
    sys::Fd input = KNARR_TRY(open_input(path));
    if (S_ISDIR(KNARR_TRY(sys::stat_of(input)).st_mode)) {
        return Tree(KNARR_TRY(open_directory_tree(path)));
    }
    sys::Fd file = KNARR_TRY(plain_file(store, std::move(input), limits, deadline));
    return Tree(KNARR_TRY(open_archive_tree(std::move(file))));
}

Result<std::vector<Entry>> entries_of(const Tree& tree, const std::string& path) {
    // The layout first: a docker archive of today is one as well, and its manifests have the
    // digests that the images were pulled by.
    if (tree->open("oci-layout") && tree->open("index.json")) {
        return layout_entries(tree, path);
    }
    if (tree->open("manifest.json")) {
        return docker_entries(tree);
    }
    return fail(Error{.code = Errc::invalid_image,
                      .message = "it holds neither oci-layout nor manifest.json: it is no archive "
                                 "of images",
                      .hint = "a tar of files is none: knarr image import makes one of it"});
}

}  // namespace

Result<std::vector<LoadedImage>> load_images(const store::Store& store,
                                             const std::string& path,
                                             const PullOptions& options,
                                             const Limits& limits,
                                             const PullProgressFn& progress) {
    const std::string label = path.empty() ? "standard input" : printable(path);
    const store::Lease lease = KNARR_TRY(store.lease());
    const Deadline deadline = deadline_of(options, system_clock().steady());
    const Tree tree = KNARR_TRY(open_tree(store, path, limits, deadline), "load {}", label);
    std::vector<LoadedImage> loaded;
    for (const Entry& entry : KNARR_TRY(entries_of(tree, path), "load {}", label)) {
        const std::string first = entry.names.empty() ? std::string() : entry.names.front();
        const auto source = KNARR_TRY(entry.open(first), "load {}", label);
        for (const std::string& name : entry.names) {  // before anything is stored
            KNARR_TRY(check_name(*source, name), "load {}", label);
        }
        TimedSource timed(*source, deadline);
        const Image image =
            KNARR_TRY(pull_from(timed, store, lease, options, limits, progress), "load {}", label);
        loaded.push_back({.id = image.id.text(), .reference = image.reference});
        for (std::size_t i = 1; i < entry.names.size(); ++i) {
            auto ref = KNARR_TRY(store.get_ref(image.reference));
            if (!ref) {
                return fail(Errc::image_not_found, "{} was removed meanwhile", image.reference);
            }
            ref->reference = entry.names[i];
            KNARR_TRY(store.put_ref(*ref), "load {}", label);
            loaded.push_back({.id = image.id.text(), .reference = entry.names[i]});
        }
    }
    return loaded;
}

}  // namespace knarr::image
