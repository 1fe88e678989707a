#include "knarr/error.h"

#include <cerrno>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "knarr/result.h"

namespace knarr {
namespace {

constexpr auto kLastCode = static_cast<int>(Errc::internal);

Result<int> half(int number) {
    if (number % 2 != 0) {
        return fail(Errc::invalid_argument, "{} is odd", number);
    }
    return number / 2;
}

Result<int> quarter(int number) {
    const int once = KNARR_TRY(half(number), "quarter {}", number);
    return KNARR_TRY(half(once), "quarter {}", number);
}

TEST(Describe, GivesEachCodeItsOwnName) {
    std::set<std::string_view> names;
    for (int code = 0; code <= kLastCode; ++code) {
        EXPECT_TRUE(names.insert(describe(static_cast<Errc>(code)).name).second) << code;
    }
}

TEST(Describe, GivesCodesOfOneCategoryOneExitStatusSaveForExec) {
    std::map<Category, int> statuses;
    for (int code = 0; code <= kLastCode; ++code) {
        const auto which = static_cast<Errc>(code);
        if (which == Errc::exec_failed || which == Errc::exec_not_found ||
            which == Errc::interrupted) {
            continue;  // shells know 126, 127 and 130 by heart
        }
        const ErrcInfo& info = describe(which);
        const int status = statuses.emplace(info.category, info.exit_status).first->second;
        EXPECT_EQ(info.exit_status, status) << info.name;
        EXPECT_GT(info.exit_status, 0) << info.name;
    }
    EXPECT_EQ(describe(Errc::exec_failed).exit_status, 126);
    EXPECT_EQ(describe(Errc::exec_not_found).exit_status, 127);
}

TEST(Describe, AdvisesForEachCodeButThoseThatTheirPlaceExplains) {
    for (int code = 0; code <= kLastCode; ++code) {
        const auto which = static_cast<Errc>(code);
        const bool explained = which == Errc::exec_failed || which == Errc::exec_not_found ||
                               which == Errc::interrupted;
        EXPECT_EQ(describe(which).hint.empty(), explained) << describe(which).name;
    }
}

TEST(Result, GrowsItsMessageOutward) {
    EXPECT_EQ(quarter(8).value(), 2);
    const auto failed = quarter(6);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "quarter 6: 3 is odd");
    EXPECT_EQ(failed.error().code, Errc::invalid_argument);
}

TEST(Result, KeepsTheErrnoAndNamesIt) {
    const Result<> failed = fail_errno(ENOENT, "openat {}", "state.json");
    EXPECT_EQ(failed.error().sys_errno, ENOENT);
    EXPECT_EQ(failed.error().message, "openat state.json: No such file or directory");
}

TEST(Result, SurvivesAnErrnoThatNobodyKnows) {
    EXPECT_EQ(make_errno(4000, "open x").message, "open x: unknown errno");
}

TEST(Error, KeepsTheHintThatWasGivenNearest) {
    Error error = Error{.code = Errc::io, .message = "x", .hint = {}}.advise("near").advise("far");
    EXPECT_EQ(error.effective_hint(), "near");
}

TEST(Error, FallsBackToTheHintOfItsCode) {
    const Error error{.code = Errc::no_space, .message = "x", .hint = {}};
    EXPECT_EQ(error.effective_hint(), describe(Errc::no_space).hint);
    EXPECT_FALSE(error.effective_hint().empty());
}

TEST(ErrcOf, TellsPermissionSpaceAndSupportApart) {
    EXPECT_EQ(errc_of(EPERM), Errc::denied);
    EXPECT_EQ(errc_of(EACCES), Errc::denied);
    EXPECT_EQ(errc_of(EROFS), Errc::denied);
    EXPECT_EQ(errc_of(ENOSPC), Errc::no_space);
    EXPECT_EQ(errc_of(EDQUOT), Errc::no_space);
    EXPECT_EQ(errc_of(ENOSYS), Errc::unsupported);
    EXPECT_EQ(errc_of(ETIMEDOUT), Errc::timed_out);
    EXPECT_EQ(errc_of(EIO), Errc::io);
}

}  // namespace
}  // namespace knarr
