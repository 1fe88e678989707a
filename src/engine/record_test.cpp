#include "engine/record.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/testing_directory.h"

namespace knarr::engine {
namespace {

Record web_record() {
    return {.id = "web",
            .status = ContainerState::running,
            .pid = 4711,
            .oci_version = "1.3.0",
            .bundle = "/bundles/w \"eb\"",
            .annotations = {{"org.example.key", "v\n1"}},
            .auto_remove = true,
            .life = Life{}};
}

TEST(Record, HooksGetTheStateWithoutAPidOfZero) {
    EXPECT_EQ(hook_state(web_record(), "stopped", 0),
              R"({"ociVersion":"1.3.0","id":"web","status":"stopped","bundle":"/bundles/w \"eb\"",)"
              R"("annotations":{"org.example.key":"v\n1"}})");
    EXPECT_NE(hook_state(web_record(), "created", 7).find(R"("pid":7)"), std::string::npos);
}

class RecordFile : public testing::Test {
protected:
    sys::TestDirectory scratch_;
    std::string base_ = scratch_.path();
};

TEST_F(RecordFile, IsForItsOwnerAlone) {
    const StateRoot root = *StateRoot::open(base_);
    const auto dir = *root.make(*ContainerId::parse("web"), nullptr);
    ASSERT_TRUE(save_record(dir, web_record()).has_value());
    struct stat st{};
    ASSERT_EQ(stat((base_ + "/web/state.json").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600U);
    EXPECT_EQ((*load_record(dir.fd(), "x"))->id, "web");
}

TEST_F(RecordFile, IsNotThereBeforeItsCopy) {
    const StateRoot root = *StateRoot::open(base_);
    const auto dir = *root.make(*ContainerId::parse("web"), nullptr);
    Record record = web_record();
    record.auto_remove = false;
    record.life->monitored = true;
    record.data_dir = base_ + "/data";
    EXPECT_FALSE(save_record(dir, record).has_value());  // there is no place for the copy
    EXPECT_FALSE(load_record(dir.fd(), "x")->has_value());
    ASSERT_EQ(mkdir(record.data_dir.c_str(), 0700), 0);
    ASSERT_TRUE(save_record(dir, record).has_value());
    EXPECT_EQ((*kept_record(record.data_dir))->id, "web");
}

TEST_F(RecordFile, AbsenceIsNothingAndDamageNamesThePath) {
    const StateRoot root = *StateRoot::open(base_);
    const auto dir = *root.make(*ContainerId::parse("web"), nullptr);
    EXPECT_FALSE(load_record(dir.fd(), "x")->has_value());
    ASSERT_TRUE(sys::replace_file(dir.fd(), kRecordFile, "{", 0600).has_value());
    const auto damaged = load_record(dir.fd(), base_ + "/web");
    ASSERT_FALSE(damaged.has_value());
    EXPECT_EQ(damaged.error().code, Errc::corrupt);
    EXPECT_TRUE(damaged.error().message.starts_with(base_ + "/web")) << damaged.error().message;
}

}  // namespace
}  // namespace knarr::engine
