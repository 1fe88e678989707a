#include "cli/image_name.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

const std::string kDigits(64, 'a');

std::string shown(std::string name, bool whole = false) {
    ContainerInfo info;
    info.image_name = std::move(name);
    return shown_image(info, whole);
}

TEST(ImageName, IsShownAsDockersPsDoes) {
    EXPECT_EQ(shown("busybox"), "busybox");
    EXPECT_EQ(shown("busybox:latest"), "busybox:latest");
    EXPECT_EQ(shown("docker.io/library/busybox"), "busybox");
    EXPECT_EQ(shown("docker.io/library/busybox:1"), "busybox:1");
    EXPECT_EQ(shown("docker.io/user/app"), "user/app");
    EXPECT_EQ(shown("localhost:5000/x"), "localhost:5000/x");
    EXPECT_EQ(shown("localhost/x:1"), "localhost/x:1");
    EXPECT_EQ(shown("quay.example/a/b:2@sha256:" + kDigits), "quay.example/a/b:2");
    EXPECT_EQ(shown("busybox@sha256:" + kDigits), "busybox");
    EXPECT_EQ(shown("sha256:" + kDigits), "aaaaaaaaaaaa");
    EXPECT_EQ(shown(kDigits), "aaaaaaaaaaaa");
    EXPECT_EQ(shown("8c811b4a"), "8c811b4a") << "the beginning of an ID stays as it was typed";
    EXPECT_EQ(shown("Not A Name"), "Not A Name");
    EXPECT_EQ(shown(""), "") << "of a bundle";
}

TEST(ImageName, IsShownAsItWasTypedWhereAllIs) {
    for (const std::string& name : {std::string("docker.io/library/busybox"),
                                    "busybox@sha256:" + kDigits,
                                    "sha256:" + kDigits}) {
        EXPECT_EQ(shown(name, true), name);
    }
}

TEST(ImageName, IsFoundByAllItsSpellings) {
    for (const char* known : {"docker.io/library/busybox:latest", "busybox", "busybox:latest"}) {
        for (const char* called : {"busybox",
                                   "busybox:latest",
                                   "library/busybox",
                                   "docker.io/busybox",
                                   "docker.io/library/busybox",
                                   "docker.io/library/busybox:latest",
                                   "index.docker.io/library/busybox"}) {
            EXPECT_TRUE(names_image(known, called)) << known << " " << called;
        }
        for (const char* other :
             {"busy", "busybox:1", "user/busybox", "quay.example/busybox", ""}) {
            EXPECT_FALSE(names_image(known, other)) << known << " " << other;
        }
    }
    EXPECT_TRUE(names_image("busybox:1.36", "busybox")) << "without its tag";
    EXPECT_TRUE(names_image("localhost:5000/x:1", "localhost:5000/x"));
    EXPECT_FALSE(names_image("localhost:5000/x:1", "localhost"));
    EXPECT_TRUE(names_image("8c811b4a", "8c811b4a"));
    const std::string pinned = "docker.io/library/busybox@sha256:" + kDigits;
    EXPECT_TRUE(names_image(pinned, "busybox"));
    EXPECT_TRUE(names_image(pinned, "busybox@sha256:" + kDigits));
    EXPECT_FALSE(names_image(pinned, "busybox@sha256:" + std::string(64, 'b')));
    EXPECT_FALSE(names_image(pinned, "busybox:latest"));
}

}  // namespace
}  // namespace knarr::cli
