#include "engine/exec_process.h"

#include <algorithm>

#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/pidfd.h"

namespace knarr::engine {
namespace {

const UserFiles kFiles{
    .passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:100:w:/srv/web:/bin/sh\n",
    .group = "users:x:100:\nlog:x:7:web\nops:x:8:web,root\n"};

spec::Process own() {
    spec::Process process;
    process.args = {"/init"};
    process.cwd = "/";
    process.env = {"PATH=/bin", "A=1"};
    process.user = {.uid = 5, .gid = 6, .umask = {}, .additional_gids = {9}, .username = {}};
    process.terminal = true;
    return process;
}

Result<spec::Process> changed(const ExecRequest& request) {
    spec::Process process = KNARR_TRY(base_process(request, own()));
    KNARR_TRY(change_process(process, request, kFiles));
    return process;
}

TEST(ExecProcess, IsTheContainersOwnWithoutItsTerminal) {
    const auto process = changed({.command = {"ls"}});
    ASSERT_TRUE(process);
    EXPECT_EQ(process->args, std::vector<std::string>{"ls"});
    EXPECT_FALSE(process->terminal);
    EXPECT_EQ(process->user.uid, 5U);
    EXPECT_EQ(process->env, (std::vector<std::string>{"PATH=/bin", "A=1", "HOME=/"}));
}

TEST(ExecProcess, ANumberChangesItsIdAlone) {
    const auto process = changed({.command = {"ls"}, .user = "1000"});
    ASSERT_TRUE(process);
    EXPECT_EQ(process->user.uid, 1000U);
    EXPECT_EQ(process->user.gid, 6U);
    EXPECT_EQ(process->user.additional_gids, std::vector<std::uint32_t>{9});
    EXPECT_EQ(process->env.back(), "HOME=/srv/web");
    EXPECT_EQ(changed({.command = {"ls"}, .user = "1000:33"})->user.gid, 33U);
}

TEST(ExecProcess, InAContainerOfAnImageANumberIsAUser) {
    constexpr ExecBase kImage{.of_image = true, .own_home = true};
    spec::Process mine = own();
    mine.env.emplace_back("HOME=/root");
    const ExecRequest request{.command = {"ls"}, .user = "1000"};
    auto process = base_process(request, mine, kImage);
    ASSERT_TRUE(process && needs_user_files(*process, request, kImage));
    ASSERT_TRUE(change_process(*process, request, kFiles, kImage));
    EXPECT_EQ(process->user.gid, 100U);
    EXPECT_EQ(process->user.additional_gids, (std::vector<std::uint32_t>{100, 7, 8}));
    EXPECT_EQ(process->env.back(), "HOME=/srv/web");
    const ExecRequest same{.command = {"ls"}};
    EXPECT_EQ(base_process(same, mine, kImage)->env.back(), "HOME=/root");
}

TEST(ExecProcess, ANameBringsItsGroups) {
    const auto process = changed({.command = {"ls"}, .user = "web", .additional_gids = {77}});
    ASSERT_TRUE(process);
    EXPECT_EQ(process->user.uid, 1000U);
    EXPECT_EQ(process->user.gid, 100U);
    EXPECT_EQ(process->user.additional_gids, (std::vector<std::uint32_t>{7, 8, 77}));
    EXPECT_EQ(changed({.command = {"ls"}, .user = "web:log"})->user.gid, 7U);
}

TEST(ExecProcess, RefusesUsersThatAreNotThereOrNotNumbers) {
    for (const char* user : {"nobody",
                             "web:nogroup",
                             ":5",
                             ":",
                             "1000:",
                             "4294967295",
                             "4294967296",
                             "-1",
                             "+1",
                             "0x3e8",
                             " 0",
                             "1000 ",
                             "1:2:3",
                             "18446744073709551616"}) {
        const auto process = changed({.command = {"ls"}, .user = user});
        ASSERT_FALSE(process) << user;
        EXPECT_EQ(process.error().code, Errc::invalid_argument) << user;
    }
}

TEST(ExecProcess, TheLastSettingOfAVariableCounts) {
    const auto process = changed({.command = {"ls"}, .env = {"A=2", "B=", "A=3", "HOME=/h"}});
    ASSERT_TRUE(process);
    EXPECT_EQ(process->env, (std::vector<std::string>{"PATH=/bin", "A=3", "B=", "HOME=/h"}));
    EXPECT_FALSE(changed({.command = {"ls"}, .env = {"=x"}}));
    EXPECT_FALSE(changed({.command = {"ls"}, .env = {"x"}}));
}

TEST(ExecProcess, CapabilitiesAreNeverInheritable) {
    const auto process = changed({.command = {"ls"}, .capabilities = {"CAP_KILL"}});
    ASSERT_TRUE(process && process->capabilities);
    const std::vector<std::string> one{"CAP_KILL"};
    EXPECT_EQ(process->capabilities->bounding, one);
    EXPECT_EQ(process->capabilities->permitted, one);
    EXPECT_EQ(process->capabilities->effective, one);
    EXPECT_TRUE(process->capabilities->inheritable.empty());
    EXPECT_TRUE(process->capabilities->ambient.empty());
}

TEST(ExecProcess, ACommandBesideAFileIsRefused) {
    const auto process = changed({.command = {"ls"}, .process_file = "/nowhere"});
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().code, Errc::invalid_argument);
}

TEST(ExecProcess, UserFilesAreReadOnlyWhereTheyAreNeeded) {
    spec::Process process = own();
    EXPECT_TRUE(needs_user_files(process, {}));  // for HOME
    process.env.emplace_back("HOME=/root");
    EXPECT_FALSE(needs_user_files(process, {}));
    EXPECT_FALSE(needs_user_files(process, {.user = "1000:5"}));
    EXPECT_TRUE(needs_user_files(process, {.user = "web"}));
}

TEST(ExecProcess, TheUserFilesOfAStrangerAreNotRead) {
    const auto self = sys::pidfd_open(getpid());
    ASSERT_TRUE(self);
    EXPECT_TRUE(read_user_files(getpid(), *self));
    EXPECT_FALSE(read_user_files(INT32_MAX, *self));
}

TEST(ExecProcess, PrivilegedIsAllCapabilitiesButInheritableOnes) {
    spec::Process process;
    process.args = {"sh"};
    process.apparmor_profile = "knarr-default";
    process.capabilities.emplace().bounding = {"CAP_CHOWN"};
    ExecRequest request;
    request.privileged = true;
    ASSERT_TRUE(change_process(process, request, {}));
    EXPECT_TRUE(process.apparmor_profile.empty());
    for (const auto* set : {&process.capabilities->bounding,
                            &process.capabilities->permitted,
                            &process.capabilities->effective}) {
        EXPECT_NE(std::ranges::find(*set, "CAP_SYS_ADMIN"), set->end());
    }
    EXPECT_TRUE(process.capabilities->inheritable.empty());
}

}  // namespace
}  // namespace knarr::engine
