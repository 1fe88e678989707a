#include "engine/features.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "bundle/seccomp_names.h"
#include "platform/seccomp_probe.h"
#include "runtime/native/feature_names.h"
#include "runtime/native/mounts.h"

namespace knarr::engine {
namespace {

TEST(FeatureNames, MountOptionsAreTakenByTheParserAndLeftToNoFileSystem) {
    for (const std::string_view name : runtime::native::mount_option_names()) {
        const auto parsed = runtime::native::parse_mount_options({std::string(name)});
        ASSERT_TRUE(parsed.has_value()) << name;
        EXPECT_EQ(parsed->data, "") << name;
    }
}

TEST(FeatureNames, EveryWordOfTheParserIsListed) {
    const auto names = runtime::native::mount_option_names();
    for (const std::string word :
         {"ro",      "rw",       "rro",         "rrw",         "nosuid",    "rnosuid",
          "noatime", "rnoatime", "relatime",    "sync",        "bind",      "rbind",
          "remount", "private",  "rslave",      "runbindable", "tmpcopyup", "idmap",
          "ridmap",  "defaults", "nosymfollow", "lazytime",    "acl"}) {
        EXPECT_NE(std::ranges::find(names, word), names.end()) << word;
    }
}

TEST(FeatureNames, TheKernelIsAskedForSeccompFlags) {
    EXPECT_TRUE(sys::kernel_takes_seccomp_flag(0));
    EXPECT_FALSE(sys::kernel_takes_seccomp_flag(1U << 30U));
    EXPECT_EQ(bundle::seccomp_names().operators.size(), 7U);
}

TEST(Features, NameTheProgramInTheirAnnotations) {
    const std::string json = features_json({}, "1.2.3", "abc");
    EXPECT_NE(json.find("\"io.knarr.version\": \"1.2.3\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"io.knarr.commit\": \"abc\""), std::string::npos);
}

}  // namespace
}  // namespace knarr::engine
