#include "sim/seeds.h"

#include <cstdlib>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/text.h"

namespace knarr::sim {

namespace {

std::optional<std::uint64_t> number_in(const char* variable) {
    const char* text = std::getenv(variable);
    return text == nullptr ? std::nullopt : parse_number(text, UINT64_MAX);
}

}  // namespace

std::size_t scaled(std::size_t fresh) {
    return fresh * number_in("KNARR_SIM_SCALE").value_or(100) / 100;
}

std::vector<std::uint64_t> seeds(std::size_t fresh) {
    if (const auto one = number_in("KNARR_SIM_SEED")) {
        return {*one};
    }
    std::vector<std::uint64_t> all{42, 123, 456, 789, 1000};
    std::random_device device;
    for (std::size_t i = 0; i < scaled(fresh); ++i) {
        all.push_back(device());
    }
    return all;
}

Settings settings_of(std::uint64_t seed) {
    return {.seed = seed, .trace = std::getenv("KNARR_SIM_TRACE") != nullptr};
}

std::int64_t stride_of(std::uint64_t seed) {
    constexpr std::int64_t kSome = 9;
    return seed == 42 || number_in("KNARR_SIM_SEED") ? 1 : kSome;
}

void with_seeds(std::size_t fresh, const std::function<void(std::uint64_t)>& body) {
    for (const std::uint64_t seed : seeds(fresh)) {
        body(seed);
        if (testing::Test::HasFailure()) {
            const auto* test = testing::UnitTest::GetInstance()->current_test_info();
            FAIL() << fmt::format(
                "seed {}; replay: KNARR_SIM_SEED={} KNARR_SIM_TRACE=1 sim_tests "
                "--gtest_filter={}.{}",
                seed,
                seed,
                test->test_suite_name(),
                test->name());
        }
    }
}

}  // namespace knarr::sim
