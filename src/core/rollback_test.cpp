#include "core/rollback.h"

#include <string>

#include <gtest/gtest.h>

namespace knarr {
namespace {

TEST(Rollback, UndoesNewestFirst) {
    std::string order;
    {
        Rollback undo;
        undo.on_failure([&] { order += 'a'; });
        undo.on_failure([&] { order += 'b'; });
        undo.on_failure([&] { order += 'c'; });
    }
    EXPECT_EQ(order, "cba");
}

TEST(Rollback, UndoesNothingAfterCommit) {
    std::string order;
    {
        Rollback undo;
        undo.on_failure([&] { order += 'a'; });
        undo.commit();
    }
    EXPECT_EQ(order, "");
}

TEST(Rollback, UndoesOnlyWhatCameAfterACommit) {
    std::string order;
    {
        Rollback undo;
        undo.on_failure([&] { order += 'a'; });
        undo.commit();
        undo.on_failure([&] { order += 'b'; });
    }
    EXPECT_EQ(order, "b");
}

TEST(Rollback, AllowsAnUndoStepToAddAnother) {
    std::string order;
    {
        Rollback undo;
        undo.on_failure([&] { order += 'a'; });
        undo.on_failure([&] {
            order += 'b';
            undo.on_failure([&] { order += 'c'; });
        });
    }
    EXPECT_EQ(order, "bca");
}

}  // namespace
}  // namespace knarr
