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

}  // namespace
}  // namespace knarr::registry
