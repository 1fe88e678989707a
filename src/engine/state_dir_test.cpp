#include "engine/state_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/limits.h"
#include "platform/testing_directory.h"

namespace knarr::engine {
namespace {

const auto kNotALeftover = [](const LockedDir&) -> Result<bool> { return false; };
const auto kALeftover = [](const LockedDir&) -> Result<bool> { return true; };

ContainerId id_of(std::string_view text) {
    return *ContainerId::parse(text);
}

class StateDir : public testing::Test {
protected:
    sys::TestDirectory scratch_;
    std::string base_ = scratch_.path();
};

TEST_F(StateDir, IsMadeForItsOwnerAlone) {
    ASSERT_TRUE(StateRoot::open(base_ + "/a/b").has_value());
    struct stat st{};
    ASSERT_EQ(stat((base_ + "/a/b").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0700U);
}

TEST_F(StateDir, ThatOthersMayOnlyEnterIsTaken) {
    ASSERT_EQ(chmod(base_.c_str(), 0711), 0);
    EXPECT_TRUE(StateRoot::open(base_).has_value());
}

TEST_F(StateDir, ThatOthersMayWriteIsRefused) {
    ASSERT_EQ(chmod(base_.c_str(), 0775), 0);
    const auto root = StateRoot::open(base_);
    ASSERT_FALSE(root.has_value());
    EXPECT_EQ(root.error().code, Errc::denied);
    EXPECT_NE(root.error().effective_hint().find("chmod 700"), std::string::npos);
}

TEST_F(StateDir, OfAnotherOwnerIsRefused) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root to give a directory away";
    }
    ASSERT_EQ(chown(base_.c_str(), 12345, 12345), 0);
    EXPECT_EQ(StateRoot::open(base_).error().code, Errc::denied);
    ASSERT_EQ(chown(base_.c_str(), 0, 0), 0);
}

TEST_F(StateDir, AnIdIsTakenOnce) {
    const StateRoot root = *StateRoot::open(base_);
    {
        const auto first = root.make(id_of("web"), kNotALeftover);
    }
    const auto second = root.make(id_of("web"), kNotALeftover);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Errc::already_exists);
}

TEST_F(StateDir, ALeftoverGivesItsPlaceUp) {
    const StateRoot root = *StateRoot::open(base_);
    {
        const auto first = *root.make(id_of("web"), kNotALeftover);
        ASSERT_TRUE(sys::replace_file(first.fd(), "old", "x", 0600).has_value());
    }
    const auto second = *root.make(id_of("web"), kALeftover);
    EXPECT_FALSE(sys::stat_at(second.fd(), "old")->has_value());
}

TEST_F(StateDir, ARemovedContainerIsNotFound) {
    const StateRoot root = *StateRoot::open(base_);
    ASSERT_TRUE(root.remove(*root.make(id_of("web"), kNotALeftover)).has_value());
    EXPECT_EQ(root.lock(id_of("web")).error().code, Errc::not_found);
    EXPECT_EQ(root.open_dir(id_of("web")).error().code, Errc::not_found);
}

TEST_F(StateDir, ALockIsSeenByOthersAndEndsWithItsHolder) {
    const StateRoot root = *StateRoot::open(base_);
    const sys::Fd dir = [&] {
        const auto held = *root.make(id_of("web"), kNotALeftover);
        sys::Fd seen = *root.open_dir(id_of("web"));
        EXPECT_TRUE(*root.is_locked(seen));
        return seen;
    }();
    EXPECT_FALSE(*root.is_locked(dir));
}

TEST_F(StateDir, OnlyContainersAreListed) {
    const StateRoot root = *StateRoot::open(base_);
    for (const char* id : {"b", "a", "_c"}) {
        ASSERT_TRUE(root.make(id_of(id), kNotALeftover).has_value());
    }
    EXPECT_EQ(*root.ids(), (std::vector<std::string>{"_c", "a", "b"}));
}

TEST_F(StateDir, HoldsAtMost1024Containers) {
    const StateRoot root = *StateRoot::open(base_);
    for (std::uint64_t i = 0; i < kMaxContainers; ++i) {
        ASSERT_EQ(mkdir((base_ + "/c" + std::to_string(i)).c_str(), 0700), 0);
    }
    const auto refused = root.make(id_of("one-more"), kNotALeftover);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_NE(access((base_ + "/one-more").c_str(), F_OK), 0);
    ASSERT_EQ(rmdir((base_ + "/c7").c_str()), 0);
    EXPECT_TRUE(root.make(id_of("one-more"), kNotALeftover).has_value());
}

}  // namespace
}  // namespace knarr::engine
