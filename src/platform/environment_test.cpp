#include "platform/environment.h"

#include <cstdlib>
#include <string>

#include <unistd.h>

#include <gtest/gtest.h>

#include "core/limits.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"

namespace knarr::sys {
namespace {

constexpr std::size_t kMax = size::kMiB;

/// In a child of its own, which has the environment that this program was started with.
int in_child(int (*body)()) {
    const Clone child = clone_process(0).value();
    if (child.in_child()) {
        _exit(body());
    }
    return reap(child.pidfd).value().value;
}

bool is_all_zero(const std::string& text) {
    return text.find_first_not_of('\0') == std::string::npos;
}

TEST(HideEnvironment, MovesItOutOfSightAndKeepsItsMeaning) {
    EXPECT_EQ(in_child([] {
                  const std::string path = std::getenv("PATH");
                  if (is_all_zero(read_file("/proc/self/environ", kMax).value())) {
                      return 1;
                  }
                  hide_environment();
                  if (!is_all_zero(read_file("/proc/self/environ", kMax).value())) {
                      return 2;
                  }
                  return std::getenv("PATH") == path ? 0 : 3;
              }),
              0);
}

TEST(ForgetEnvironment, LeavesNothingOfIt) {
    EXPECT_EQ(in_child([] {
                  hide_environment();
                  const char* path = std::getenv("PATH");
                  forget_environment();
                  if (std::getenv("PATH") != nullptr || *path != '\0') {
                      return 1;
                  }
                  forget_environment();  // nothing is left to forget
                  return is_all_zero(read_file("/proc/self/environ", kMax).value()) ? 0 : 2;
              }),
              0);
}

}  // namespace
}  // namespace knarr::sys
