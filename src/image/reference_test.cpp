#include "image/reference.h"

#include <gtest/gtest.h>

#include "core/limits.h"

namespace knarr::image {
namespace {

const std::string kHex(64, 'a');

struct Good {
    std::string text, canonical, host, familiar;
};

class GoodReference : public testing::TestWithParam<Good> {};

TEST_P(GoodReference, IsCompletedByDockersRules) {
    const Reference reference = Reference::parse(GetParam().text).value();
    EXPECT_EQ(reference.text(), GetParam().canonical);
    EXPECT_EQ(reference.host(), GetParam().host);
    EXPECT_EQ(reference.familiar(), GetParam().familiar);
    EXPECT_EQ(Reference::parse(reference.text()).value().text(), reference.text()) << "stable";
}

const std::string kHub = "registry-1.docker.io";

INSTANTIATE_TEST_SUITE_P(
    Table,
    GoodReference,
    testing::Values(
        Good{"busybox", "docker.io/library/busybox:latest", kHub, "busybox:latest"},
        Good{"busybox:1.36", "docker.io/library/busybox:1.36", kHub, "busybox:1.36"},
        Good{"me/app", "docker.io/me/app:latest", kHub, "me/app:latest"},
        Good{"docker.io/busybox", "docker.io/library/busybox:latest", kHub, "busybox:latest"},
        Good{"index.docker.io/busybox", "docker.io/library/busybox:latest", kHub, "busybox:latest"},
        Good{"docker.io/a/b/c:x", "docker.io/a/b/c:x", kHub, "a/b/c:x"},
        Good{"library/a/b", "docker.io/library/a/b:latest", kHub, "library/a/b:latest"},
        Good{"library/a/b.c/d", "docker.io/library/a/b.c/d:latest", kHub, "library/a/b.c/d:latest"},
        Good{"library/" + kHex,
             "docker.io/library/" + kHex + ":latest",
             kHub,
             "library/" + kHex + ":latest"},
        Good{"library/sha256:" + kHex,
             "docker.io/library/sha256:" + kHex,
             kHub,
             "library/sha256:" + kHex},
        Good{"docker.io/localhost/x",
             "docker.io/localhost/x:latest",
             kHub,
             "docker.io/localhost/x:latest"},
        Good{"docker.io/b.c/x", "docker.io/b.c/x:latest", kHub, "docker.io/b.c/x:latest"},
        Good{"localhost/x", "localhost/x:latest", "localhost", "localhost/x:latest"},
        Good{"localhost:5000/x",
             "localhost:5000/x:latest",
             "localhost:5000",
             "localhost:5000/x:latest"},
        Good{"host.tld/x:T-1.0_b", "host.tld/x:T-1.0_b", "host.tld", "host.tld/x:T-1.0_b"},
        Good{"UPPER/x", "UPPER/x:latest", "UPPER", "UPPER/x:latest"},
        Good{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000", "[::1]:5000/x:latest"},
        Good{"a__b/c.d-e--f_g", "docker.io/a__b/c.d-e--f_g:latest", kHub, "a__b/c.d-e--f_g:latest"},
        Good{"x@sha256:" + kHex, "docker.io/library/x@sha256:" + kHex, kHub, "x@sha256:" + kHex},
        Good{"h.io/x:1@sha256:" + kHex,
             "h.io/x:1@sha256:" + kHex,
             "h.io",
             "h.io/x:1@sha256:" + kHex}));

class BadReference : public testing::TestWithParam<std::string> {};

TEST_P(BadReference, IsRefusedWithItsText) {
    const auto reference = Reference::parse(GetParam());
    ASSERT_FALSE(reference);
    EXPECT_EQ(reference.error().code, Errc::invalid_argument);
    EXPECT_FALSE(reference.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(Table,
                         BadReference,
                         testing::Values("",
                                         "Busybox",
                                         "busy box",
                                         "../x",
                                         "/x",
                                         "x/",
                                         "a//b",
                                         "x:",
                                         "x:.tag",
                                         "x:-tag",
                                         "x:" + std::string(129, 't'),
                                         "x:a/b",
                                         ":tag",
                                         "@sha256:" + kHex,
                                         "x@",
                                         "x@sha256:abc",
                                         "x@sha512:" + kHex + kHex,
                                         "x@sha256:" + std::string(64, 'A'),
                                         "x@sha256:../" + kHex,
                                         "a..b",
                                         "a___b",
                                         "-a",
                                         "a-",
                                         "a_.b",
                                         kHex,
                                         "sha256:" + kHex,
                                         "host.tld:0/x",
                                         "host.tld:99999/x",
                                         "host.tld:/x",
                                         "-h.tld/x",
                                         "h-.tld/x",
                                         "h..tld/x",
                                         "[::1/x",
                                         "http://h/x",
                                         "x\n",
                                         std::string("x\0y", 3),
                                         "docker://x",
                                         "a.b/" + std::string(252, 'x')));

TEST(ReferenceLength, IsBounded) {
    // A digest of 71 characters and a tag leave more room than the longest name takes.
    const std::string name = "a.b/" + std::string(251, 'x');
    const std::string longest = name + ":" + std::string(128, 't') + "@sha256:" + kHex;
    EXPECT_TRUE(Reference::parse(longest)) << longest.size();
    const std::string at_bound(limits::kMaxReferenceBytes, 'x');
    EXPECT_EQ(Reference::parse(at_bound).error().code, Errc::invalid_argument);
    EXPECT_EQ(Reference::parse(at_bound + "x").error().code, Errc::limit_exceeded);
}

TEST(FamiliarReference, IsDockersWayOfWritingWhatIsStored) {
    EXPECT_EQ(familiar_reference("docker.io/library/busybox:latest"), "busybox:latest");
    EXPECT_EQ(familiar_reference("docker.io/user/app:1"), "user/app:1");
    EXPECT_EQ(familiar_reference("localhost:5000/x:1"), "localhost:5000/x:1");
    EXPECT_EQ(familiar_reference("localhost/x:1"), "localhost/x:1");
    EXPECT_EQ(familiar_reference("docker.io/library/a@sha256:" + kHex), "a@sha256:" + kHex);
    EXPECT_EQ(familiar_reference("sha256:" + kHex), "sha256:" + kHex) << "no name";
    EXPECT_EQ(familiar_reference(""), "");
}

}  // namespace
}  // namespace knarr::image
