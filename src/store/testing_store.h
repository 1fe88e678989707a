#pragma once
// A store in a directory of its own, for the tests of this room.

#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/testing_directory.h"
#include "store/store.h"

namespace knarr::store {

class StoreTest : public testing::Test {
protected:
    Store open() const { return Store::open(path_).value(); }
    std::vector<std::string> names(const std::string& sub) const {
        const sys::Fd dir = sys::open_path(path_ + "/" + sub, O_RDONLY | O_DIRECTORY).value();
        return sys::list_dir(dir).value();
    }
    static spec::Descriptor descriptor(std::string_view type,
                                       const spec::Digest& digest,
                                       std::size_t size) {
        return {.media_type = std::string(type),
                .digest = digest,
                .size = size,
                .platform = std::nullopt,
                .annotations = {},
                .artifact_type = {}};
    }
    std::string blob_file(const spec::Digest& digest) const {
        return fmt::format("{}/blobs/sha256/{}/{}", path_, digest.hex().substr(0, 2), digest.hex());
    }
    /// Stores an index of these; its digest.
    static spec::Digest put_index(const Store& store, const std::vector<spec::Digest>& children) {
        spec::Index index{
            .media_type = std::string(spec::media::kOciIndex), .manifests = {}, .annotations = {}};
        for (const spec::Digest& child : children) {
            index.manifests.push_back(descriptor(spec::media::kOciManifest, child, 1));
        }
        return store.put_blob(spec::encode_index(index)).value();
    }
    static void name_it(const Store& store, const std::string& name, const spec::Digest& top) {
        EXPECT_TRUE(store.put_ref({.reference = name,
                                   .media_type = std::string(spec::media::kOciIndex),
                                   .digest = top,
                                   .size = 1,
                                   .pulled_time = "2026-11-23T00:00:00Z"}));
    }
    /// Stores an image of one layer; the digest of its manifest.
    static Ref put_image(const Store& store, const std::string& name, const std::string& layer) {
        const spec::Digest blob = store.put_blob(layer).value();
        const std::string config =
            fmt::format(R"({{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{)"
                        R"("type":"layers","diff_ids":["{}"]}}}})",
                        blob.text());
        const spec::Digest config_digest = store.put_blob(config).value();
        const std::string manifest = spec::encode_manifest(spec::Manifest{
            .media_type = std::string(spec::media::kOciManifest),
            .config = descriptor(spec::media::kOciConfig, config_digest, config.size()),
            .layers = {descriptor("application/vnd.oci.image.layer.v1.tar", blob, layer.size())},
            .annotations = {},
            .artifact_type = {}});
        Ref ref{.reference = name,
                .media_type = std::string(spec::media::kOciManifest),
                .digest = store.put_blob(manifest).value(),
                .size = manifest.size(),
                .pulled_time = "2026-11-23T00:00:00Z"};
        EXPECT_TRUE(store.put_ref(ref));
        return ref;
    }

    sys::TestDirectory scratch_;
    std::string path_ = scratch_.path();
};

}  // namespace knarr::store
