#include "runtime/launch/label_error.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace knarr::runtime {
namespace {

std::string hint_of(int number, LabelOf module) {
    const Error error{.code = Errc::denied, .sys_errno = number, .message = "write"};
    const Error explained = explain_label(error, module);
    EXPECT_EQ(explained.message, "write");
    EXPECT_EQ(explained.sys_errno, number);
    return explained.hint;
}

TEST(ExplainLabel, SaysHowToLoadWhatTheModuleDoesNotKnow) {
    EXPECT_NE(hint_of(ENOENT, LabelOf::apparmor).find("apparmor_parser"), std::string::npos);
    EXPECT_NE(hint_of(EINVAL, LabelOf::selinux).find("container-selinux"), std::string::npos);
}

TEST(ExplainLabel, NamesTheModuleThatForbidsTheChange) {
    for (const int denied : {EACCES, EPERM}) {
        EXPECT_NE(hint_of(denied, LabelOf::apparmor).find("DENIED"), std::string::npos);
        EXPECT_NE(hint_of(denied, LabelOf::selinux).find("ausearch"), std::string::npos);
    }
}

TEST(ExplainLabel, AddsNothingToWhatHasAnotherReason) {
    EXPECT_EQ(hint_of(EIO, LabelOf::apparmor), "");
}

}  // namespace
}  // namespace knarr::runtime
