#include <gtest/gtest.h>

#include "runtime/runtime.h"

namespace knarr::runtime {
namespace {

TEST(Select, NativeIsBuilt) {
    const Result<const Kind*> kind = select(Isolation::native);
    ASSERT_TRUE(kind);
    EXPECT_EQ((*kind)->isolation, Isolation::native);
    EXPECT_NE((*kind)->plan, nullptr);
}

TEST(Select, AKindThatIsNotBuiltIsATypedErrorThatSaysWhichAre) {
    for (const Isolation isolation : {Isolation::microvm, Isolation::wasm, Isolation::host}) {
        const Result<const Kind*> kind = select(isolation);
        ASSERT_FALSE(kind);
        EXPECT_EQ(kind.error().code, Errc::unsupported);
        EXPECT_EQ(kind.error().message,
                  fmt::format("isolation {} is not in this build, which has: native",
                              name_of(isolation)));
    }
}

}  // namespace
}  // namespace knarr::runtime
