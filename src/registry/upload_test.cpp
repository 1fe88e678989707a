#include "registry/upload.h"

#include <gtest/gtest.h>

namespace knarr::registry {
namespace {

TEST(UploadRange, SaysHowManyBytesThereAre) {
    EXPECT_EQ(parse_upload_range("0-1023"), 1024U);
    EXPECT_EQ(parse_upload_range("bytes=0-9"), 10U);
    EXPECT_EQ(parse_upload_range("0-0"), 0U) << "what is said before the first byte";
    for (const char* field : {"", "0", "-", "5-9", "0-", "0--1", "0-x", "bytes 0-9"}) {
        EXPECT_FALSE(parse_upload_range(field)) << field;
    }
}

TEST(Endpoint, PathsHoldTheRepositoryAndTheNameForMirrors) {
    Endpoint plain({.registry = "r.io", .repository = "a/b"}, registry_url("r.io", false).value());
    EXPECT_EQ(plain.path("tags/list"), "/v2/a/b/tags/list");
    Endpoint mirror({.registry = "m.io", .repository = "a/b", .api = "/x/v2", .ns = "r.io:5000"},
                    registry_url("m.io", false).value());
    EXPECT_EQ(mirror.path("blobs/sha256:1"), "/x/v2/a/b/blobs/sha256:1?ns=r.io%3A5000");
}

}  // namespace
}  // namespace knarr::registry
