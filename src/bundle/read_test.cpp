#include "bundle/read.h"

#include <cstdlib>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

#include "core/limits.h"
#include "platform/file.h"
#include "platform/testing_directory.h"

namespace knarr::bundle {
namespace {

class ReadBundle : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(dir_ + "/" + name) << text;
    }
    void make_dir(const std::string& name) const {
        ASSERT_EQ(mkdir((dir_ + "/" + name).c_str(), 0755), 0);
    }
    Error refusal() const {
        const auto bundle = read_bundle(dir_);
        EXPECT_FALSE(bundle);
        return bundle ? Error{} : bundle.error();
    }
    static std::string config(const std::string& root) {
        return R"({"ociVersion":"1.2.0","root":{"path":")" + root + R"("}})";
    }
    sys::TestDirectory scratch_;
    std::string dir_ = scratch_.path();
};

TEST_F(ReadBundle, GivesTheConfigurationAndTheRootBelowTheBundle) {
    make_dir("rootfs");
    write("config.json", config("rootfs"));
    const auto bundle = read_bundle(dir_);
    ASSERT_TRUE(bundle) << bundle.error().message;
    EXPECT_EQ(bundle->directory, dir_);
    EXPECT_EQ(bundle->config.oci_version, "1.2.0");
    EXPECT_EQ(std::get<DirRoot>(bundle->rootfs).path, dir_ + "/rootfs");
    EXPECT_EQ(bundle->isolation, Isolation::native);
}

TEST_F(ReadBundle, AnAbsoluteRootStaysWhatItIs) {
    write("config.json", config("/usr"));
    const auto bundle = read_bundle(dir_);
    ASSERT_TRUE(bundle) << bundle.error().message;
    EXPECT_EQ(std::get<DirRoot>(bundle->rootfs).path, "/usr");
}

TEST_F(ReadBundle, TheDirectoryIsReportedAbsoluteAndWithoutLinks) {
    make_dir("real");
    make_dir("real/rootfs");
    write("real/config.json", config("rootfs"));
    ASSERT_EQ(symlink("real", (dir_ + "/link").c_str()), 0);
    const auto bundle = read_bundle(dir_ + "/./link/");
    ASSERT_TRUE(bundle) << bundle.error().message;
    EXPECT_EQ(bundle->directory, dir_ + "/real");
}

TEST_F(ReadBundle, AMissingDirectorySaysWhatABundleIs) {
    const auto bundle = read_bundle(dir_ + "/none");
    ASSERT_FALSE(bundle);
    EXPECT_EQ(bundle.error().code, Errc::invalid_config);
    EXPECT_NE(bundle.error().hint.find("--bundle"), std::string::npos);
}

TEST_F(ReadBundle, AMissingConfigSaysWhatABundleIs) {
    EXPECT_EQ(refusal().code, Errc::invalid_config);
    EXPECT_NE(refusal().hint.find("config.json"), std::string::npos);
}

TEST_F(ReadBundle, AConfigThatIsADirectoryIsRefused) {
    make_dir("config.json");
    EXPECT_EQ(refusal().code, Errc::invalid_config);
}

TEST_F(ReadBundle, ABrokenConfigNamesTheBundle) {
    write("config.json", "{\"ociVersion\": 7}");
    EXPECT_EQ(refusal().code, Errc::invalid_config);
    EXPECT_NE(refusal().message.find(dir_), std::string::npos);
}

TEST_F(ReadBundle, AMissingRootIsMissingRootfs) {
    write("config.json", config("rootfs"));
    EXPECT_EQ(refusal().code, Errc::missing_rootfs);
    write("rootfs", "a file");
    EXPECT_EQ(refusal().code, Errc::missing_rootfs);
}

TEST_F(ReadBundle, AConfigWithoutRootIsRefused) {
    write("config.json", R"({"ociVersion":"1.2.0"})");
    EXPECT_EQ(refusal().code, Errc::invalid_config);
    EXPECT_NE(refusal().message.find("root"), std::string::npos);
}

TEST_F(ReadBundle, AConfigAboveTheBoundIsRefused) {
    make_dir("rootfs");
    std::string text = config("rootfs");
    text.resize(limits::kMaxBundleConfigBytes, ' ');
    write("config.json", text);
    EXPECT_TRUE(read_bundle(dir_));
    write("config.json", text + " ");
    EXPECT_EQ(refusal().code, Errc::invalid_config);
}

}  // namespace
}  // namespace knarr::bundle
